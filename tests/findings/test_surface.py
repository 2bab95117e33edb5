"""Scores of all subsets, predicted from some: limits that are known, draws, coverage."""

import numpy as np

from nextify.experiments.coding import all_cells, columns, effects
from nextify.experiments.fractions import fraction
from nextify.findings.surface import surface


def test_where_all_is_measured_sharply_it_is_what_was_measured():
    rng = np.random.default_rng(0)
    levels = all_cells(4)
    values = rng.normal(size=16)
    found = surface(levels, values, np.full(16, 2), 1e-3)
    assert np.allclose(found.means, values, atol=0.01) and found.sds.max() < 0.01


def test_main_effects_alone_are_carried_over_to_what_was_not_measured():
    effect = np.array([0.03, -0.02, 0.05, 0.0, 0.01, 0.04, -0.03, 0.02])
    levels = fraction(8, 4)
    found = surface(levels, 0.7 + levels @ effect, np.full(16, 2), 1e-4)
    truth = 0.7 + all_cells(8) @ effect
    assert np.corrcoef(found.means, truth)[0, 1] > 0.99
    assert all_cells(8)[found.means.argmax()].tolist()[:3] == [1, -1, 1]


def test_draws_are_the_prediction_and_its_uncertainty():
    rng = np.random.default_rng(2)
    levels = fraction(6, 4)
    found = surface(levels, rng.normal(size=len(levels)), np.full(len(levels), 2), 0.5)
    draws = found.draws(20_000, rng)
    assert np.abs(draws.mean(0) - found.means).max() < 5 * found.sds.max() / np.sqrt(20_000)
    assert np.allclose(draws.std(0), found.sds, rtol=0.06)


def test_predictions_are_as_uncertain_as_they_say():
    """Over truths with effects of many sizes, 95 % bounds of all subsets hold as often as not."""
    rng = np.random.default_rng(3)
    levels, everything = fraction(6, 4), all_cells(6)
    table = columns(everything, effects(6))
    held = []
    for _ in range(60):
        sizes = np.where(np.arange(22) < 7, 0.02, 0.008) * rng.normal(size=22)
        sizes[rng.random(22) < 1 / 3] = 0
        truth = table @ sizes
        at = (levels > 0) @ (1 << np.arange(6))
        means = truth[at] + rng.normal(size=len(at)) * 0.01 / np.sqrt(2)
        found = surface(levels, means, np.full(len(at), 2), 0.01)
        held.append(np.mean(np.abs(found.means - truth) <= 1.96 * found.sds))
    assert 0.92 < np.mean(held) < 0.99, np.mean(held)


def test_without_repeated_runs_and_without_any_difference():
    rng = np.random.default_rng(4)
    levels = fraction(5, 4)
    found = surface(levels, rng.normal(size=len(levels)), np.ones(len(levels), dtype=int), None)
    assert np.all(np.isfinite(found.means)) and np.all(found.sds > 0)
    same = surface(levels, np.full(len(levels), 0.5), np.full(len(levels), 2), 0.01)
    assert np.allclose(same.means, 0.5)
