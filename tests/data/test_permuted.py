"""Pixels permuted in one fixed way: exactly that, for training and test, in a run's key when on."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

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
    seen: list[Tensor] = []

    class Eye(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
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
    natural = load("embedded", train_limit=64)
    few, moved = (replace(each, test=each.test.take(torch.arange(50))) for each in (natural, moved))
    crossed = {**few.identity(), "permuted_pixels": 3}
    by_the_run = train(Run(design=run.design, recipe=made, data=crossed), few)
    by_the_data = train(Run(design=run.design, recipe=made, data=moved.identity()), moved)
    plain = train(Run(design=run.design, recipe=made, data=few.identity()), few)
    assert by_the_run.result is not None and by_the_data.result is not None
    assert by_the_run.result == by_the_data.result != plain.result


def accuracy(features: Tensor, labels: Tensor) -> float:
    """Of least squares on the first half of the images, on the second."""
    one_hot, half = nn.functional.one_hot(labels, 10).double(), len(labels) // 2
    rows = torch.cat([features.flatten(1).double(), torch.ones(len(labels), 1).double()], 1)
    gram = rows[:half].T @ rows[:half] + torch.eye(rows.shape[1]).double()
    found = rows[half:] @ torch.linalg.solve(gram, rows[:half].T @ one_hot[:half])
    return (found.argmax(1) == labels[half:]).double().mean().item()


def test_a_linear_model_is_indifferent_and_a_convolution_is_not() -> None:
    images = load("embedded").test.take(torch.arange(1200))
    assert isinstance(images, Images)
    natural = evaluation_view(images.pixels, 28, (0.5,), (0.25,))[:, :1]
    moved = permuted(natural, 0)
    kernels = torch.randn(32, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    linear = [accuracy(each, images.labels) for each in (natural, moved)]  # the same sums
    pooled = [
        accuracy(nn.functional.conv2d(each, kernels).relu().mean((2, 3)), images.labels)
        for each in (natural, moved)
    ]
    assert linear[0] == pytest.approx(linear[1], abs=0.002) and linear[0] > 0.5
    assert pooled[0] > pooled[1] + 0.05
