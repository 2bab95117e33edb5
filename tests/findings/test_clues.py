"""Clues: what tells a class that is no picture, out of fold and against chance."""

import numpy as np
import pytest

from nextify.findings.clues import clue
from nextify.findings.survey import half_around

DRAW = np.random.default_rng(1)
LABELS = np.repeat(np.arange(4), [100, 60, 30, 10])


def test_a_clue_that_says_all():
    found = clue("format", LABELS.tolist(), LABELS)
    assert found.right == 1.0 and found.cells == 4 and found.p == 0.01 and found.tells


def test_a_clue_that_says_a_known_part():
    """Half of the images say their class; the others the largest: 0.5 + 0.5 x the share of it."""
    says = DRAW.random(len(LABELS)) < 0.5
    values = np.where(says, LABELS, 0)
    found = clue("size", values.tolist(), LABELS)
    answers = np.array([np.bincount(LABELS[values == v]).argmax() for v in values])
    assert found.right == pytest.approx((answers == LABELS).mean(), abs=0.02)
    assert found.tells


@pytest.mark.parametrize("values", [[None] * 200, list(range(200)),
                                    DRAW.integers(0, 20, 200).tolist()])  # fmt: skip
def test_a_clue_that_says_nothing(values):
    """The same for all, another for each, at random: in no case told from itself."""
    found = clue("size", values, LABELS)
    assert not found.tells
    assert found.right <= 0.5 + 0.05


def test_labels_at_random_are_told_one_time_in_a_hundred():
    told = [
        clue("size", DRAW.integers(0, 6, 120).tolist(), DRAW.integers(0, 3, 120), seed).tells
        for seed in range(40)
    ]
    assert sum(told) <= 2


def test_an_interval_around_an_accuracy():
    assert half_around(0.9, 0) == 1.0
    assert half_around(0.9, 10_000) == pytest.approx(1.96 * (0.09 / 10_000) ** 0.5, rel=0.01)
