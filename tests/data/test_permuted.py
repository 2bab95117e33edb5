"""Pixels permuted in one fixed way: exactly that, for training and test, in a run's key when on."""

import pytest
import torch
from torch import nn

from nextify.data import Images, load, permuted
from nextify.data.augment import evaluation_view
from nextify.data.permuted import order
from nextify.designs import Run, design, recipe
from nextify.errors import InputError
from nextify.network import Card
from nextify.training.evaluate import evaluate
from nextify.training.folder import card_of
from nextify.training.loop import settings_on, train, training_batches
from nextify.training.state import start


def test_it_is_exactly_one_permutation() -> None:
    images = torch.randn(3, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    found, places = permuted(images, 7), order(5, 7)
    assert sorted(places.tolist()) == list(range(25))
    for at, source in enumerate(places.tolist()):
        assert torch.equal(
            found[:, :, at // 5, at % 5], images[:, :, source // 5, source % 5]
        )  # every image and channel moves alike
    assert torch.equal(permuted(found, 7).flatten(2)[:, :, places.argsort().argsort()].sort(2)[0],
                       images.flatten(2).sort(2)[0])  # fmt: skip
    assert torch.equal(found, permuted(images, 7)) and not torch.equal(found, permuted(images, 8))
    assert permuted(images, None) is images


def test_training_and_evaluation_see_the_same_order() -> None:
    plain, moved = (
        load("embedded", train_limit=64),
        load("embedded", train_limit=64, permute_pixels=3),
    )
    run = Run(
        design=design("convnext-mini"),
        recipe=recipe("modern-small", epochs=1, batch_size=32, mixup=0.0, cutmix=0.0),
        data=plain.identity(),
    )
    first, second = (
        next(training_batches(start(run, each, "cpu"), run, each, settings_on("cpu", each)))[0]
        for each in (plain, moved)
    )
    assert torch.equal(permuted(first, 3), second)
    seen: list[torch.Tensor] = []

    class Eye(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.clone())
            return torch.zeros(len(x), 10)

    few = moved.test.take(torch.arange(4))
    assert isinstance(few, Images)
    evaluate(Eye(), moved, few)
    assert torch.equal(seen[0], permuted(evaluation_view(few.pixels, 28, moved.mean, moved.std), 3))


def test_it_is_in_the_identity_only_when_it_is_on() -> None:
    plain, moved = load("embedded"), load("embedded", permute_pixels=0)
    assert "permuted_pixels" not in plain.identity()
    assert moved.identity() == {
        **plain.identity(), "name": "fashion-mnist-embedded-permuted-0", "permuted_pixels": 0
    }  # fmt: skip
    held = load("embedded", permute_pixels=0, hold_out=True)
    assert held.origin.permuted == 0 and held.identity()["permuted_pixels"] == 0


def test_test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="of 32 pixels a side, not 28"):
        load("embedded", permute_pixels=0, test_image_size=32)
    with pytest.raises(InputError, match="permute_pixels=-1"):
        load("embedded", permute_pixels=-1)


def test_a_network_remembers_in_which_order_it_saw_pixels() -> None:
    moved = load("embedded", train_limit=64, permute_pixels=3)
    made = recipe("modern-small", epochs=1, batch_size=32)
    run = Run(design=design("convnext-mini"), recipe=made, data=moved.identity())
    card = card_of(run, moved, {"accuracy": 0.5})
    assert isinstance(card, Card) and card.about == {"accuracy": 0.5, "permuted_pixels": 3}
    crossed = {**load("embedded", train_limit=64).identity(), "permuted_pixels": 3}
    by_the_run = train(Run(design=run.design, recipe=made, data=crossed),
                       load("embedded", train_limit=64))  # fmt: skip
    assert by_the_run.result == train(run, moved).result  # permuted by the run or by the data: one
