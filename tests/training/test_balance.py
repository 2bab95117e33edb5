"""Unequal classes made equal: by weights in the loss, or by how often images are seen."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nextify.data import Dataset, balanced, class_weights
from nextify.data.augment.mix import Mix
from nextify.training import Settings, evaluate, train, train_stack, train_with_network
from nextify.training.feed import fed, fed_to_copies
from nextify.training.loop import loss_of, weights_of
from nextify.training.state import start
from training.conftest import small_run


@pytest.fixture(scope="module")
def unequal(corners) -> Dataset:
    """64, 16 and 8 images of three of the four classes, and none of the fourth."""
    wanted = (64, 16, 8, 0)
    labels = corners.train.labels
    kept = torch.cat([(labels == at).nonzero().flatten()[:n] for at, n in enumerate(wanted)])
    return replace(corners, train=corners.train.take(kept.sort().values))


def counts(labels: torch.Tensor) -> list[int]:
    return labels.bincount(minlength=4).tolist()


def test_weights_are_inverse_frequencies_of_mean_one(unequal):
    weights = class_weights(unequal.train.labels, 4)
    numbers = torch.tensor(counts(unequal.train.labels))
    assert weights[unequal.train.labels].mean() == pytest.approx(1)
    torch.testing.assert_close((weights * numbers)[:3], torch.full((3,), len(unequal.train) / 3))
    assert weights[3] == 0
    equal = class_weights(torch.arange(40) % 4, 4)
    torch.testing.assert_close(equal, torch.ones(4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_a_hand_made_one(unequal, smoothing):
    """And torch's of hard labels, which divides by the weights that a batch has drawn: smoothing
    leaves an image the weight of its class."""
    run = small_run(unequal, balance="loss", label_smoothing=smoothing)
    weights = weights_of(run.recipe, unequal, Settings())
    logits = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    labels = unequal.train.labels[torch.arange(0, 64, 4)]
    targets = F.one_hot(labels, 4) * (1 - smoothing) + smoothing / 4
    found = loss_of(nn.Identity(), run, logits, targets, weights)
    own = class_weights(unequal.train.labels, 4)
    each = -(targets * logits.log_softmax(1)).sum(1)
    torch.testing.assert_close(found, (own[labels] * each).mean())
    if not smoothing:
        theirs = nn.CrossEntropyLoss(own)(logits, labels)
        torch.testing.assert_close(found, theirs * own[labels].sum() / len(labels))


def test_a_mixed_image_has_the_mean_weight_of_its_classes(unequal):
    run = small_run(unequal, balance="loss", label_smoothing=0.2)
    weights = weights_of(run.recipe, unequal, Settings())
    labels = torch.tensor([0, 2])
    mix = Mix(0.8, 0.0, 0.2, 4)
    _, targets = mix(torch.rand(2, 3, 4, 4), labels, torch.Generator().manual_seed(0))
    _, plain = replace(mix, label_smoothing=0.0)(
        torch.rand(2, 3, 4, 4), labels, torch.Generator().manual_seed(0)
    )
    assert 0 < plain[0, 0] < 1
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
    own = plain @ class_weights(unequal.train.labels, 4)
    wanted = (own * F.cross_entropy(logits, targets, reduction="none")).mean()
    torch.testing.assert_close(loss_of(nn.Identity(), run, logits, targets, weights), wanted)


def test_an_epoch_shows_classes_equally_often(unequal):
    generator = torch.Generator().manual_seed(0)
    orders = [balanced(unequal.train.labels, generator) for _ in range(30)]
    assert not torch.equal(orders[0], orders[1])
    for order in orders:
        assert len(order) == len(unequal.train) == 88
        of_classes = counts(unequal.train.labels[order])
        assert of_classes[3] == 0 and sorted(of_classes[:3]) == [29, 29, 30]
        times = order.bincount(minlength=88)
        for label in range(3):
            own = times[unequal.train.labels == label]
            assert own.max() - own.min() <= 1
    more = torch.stack([unequal.train.labels[order].bincount() for order in orders]) == 30
    assert more.any(0).all(), "the class with one more changes"
    seen = torch.cat(orders).bincount(minlength=88)
    assert seen.min() > 0, "in time all images are seen"


def test_equal_classes_are_seen_once_each():
    order = balanced(torch.arange(40) % 4, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(40)) != order.tolist()


def test_batches_are_balanced_of_one_network_and_of_copies(unequal):
    run = small_run(unequal, balance="sampling", batch_size=22)
    states = [start(replace(run, seed=seed), unequal, "cpu") for seed in (0, 1)]
    plain = {"mixup": 0.0, "cutmix": 0.0, "label_smoothing": 0.0}
    how = replace(run.recipe, **plain)
    alone = [list(fed(unequal, how, state.generators, device="cpu")) for state in states]
    total = sum(targets.sum(0) for _, targets in alone[0])
    assert sorted(total.tolist()) == [0.0, 29.0, 29.0, 30.0]
    again = [start(replace(run, seed=seed), unequal, "cpu").generators for seed in (0, 1)]
    together = list(fed_to_copies(unequal, how, again, device="cpu"))
    for at in (0, 1):
        for (_, soft), (_, both) in zip(alone[at], together, strict=True):
            assert torch.equal(soft, both[:, at])


@pytest.mark.parametrize("balance", ["loss", "sampling"])
def test_a_rare_class_is_answered_more_often(unequal, balance):
    """And what is in the run's key is what changes its bits."""
    runs = [small_run(unequal, epochs=6, balance=of, batch_size=16) for of in ("none", balance)]
    assert runs[0].key == small_run(unequal, epochs=6, batch_size=16).key != runs[1].key
    scores = [evaluate(train_with_network(run, unequal, Settings())[1].judged, unequal,
                       unequal.test).per_class for run in runs]  # fmt: skip
    rare = [sum(each.answered[1:3]) for each in scores]
    assert rare[1] > rare[0]


@pytest.mark.parametrize("balance", ["loss", "sampling"])
def test_stacked_runs_are_those_of_single_ones(unequal, balance):
    runs = [
        small_run(unequal, seed=seed, epochs=2, balance=balance, batch_size=16) for seed in (0, 1)
    ]
    for run, (record, _) in zip(runs, train_stack(runs, unequal, Settings()), strict=True):
        single = train(run, unequal)
        assert record.result.per_class.true == single.result.per_class.true
        for there, here in zip(record.curve, single.curve, strict=True):
            assert there.train_loss == pytest.approx(here.train_loss, rel=1e-4)
