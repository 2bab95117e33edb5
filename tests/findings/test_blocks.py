"""The block model against formulas, scipy's paired t test and simulation with known truth."""

import numpy as np
import pytest
from scipy import stats

from nextify.experiments.intervals import around, student
from nextify.findings.blocks import fit_blocks

from .simulate import tables


def _interval(model, before, after):
    value, variance = model.difference(before, after)
    return around(value, student(model.df_residual) * model.residual_sd * np.sqrt(variance))


def test_two_cells_are_the_paired_t_test():
    scores = tables(np.random.default_rng(0), 1, cells=2, seeds=6, correlation=0.5)[0]
    found = _interval(fit_blocks(scores), 0, 1)
    want = stats.ttest_rel(scores[1], scores[0]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((want.low, want.high), abs=1e-12)


def test_balanced_formulas_of_analysis_of_variance():
    scores = tables(np.random.default_rng(1), 1, cells=5, seeds=3)[0]
    model = fit_blocks(scores)
    left = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    value, variance = model.difference(1, 3)
    assert value == pytest.approx(scores[3].mean() - scores[1].mean(), abs=1e-12)
    assert variance == pytest.approx(2 / 3)  # so SE = sqrt(2/n) sigma
    assert model.df_residual == 4 * 2
    assert model.residual_sd == pytest.approx(np.sqrt(np.sum(left**2) / 8))
    assert model.within_sd == pytest.approx(np.sqrt(scores.var(axis=1, ddof=1).mean()))


def test_one_cell_has_its_own_t_interval():
    scores = np.array([[0.80, 0.82, 0.81]])
    value, interval = fit_blocks(scores).mean(0)
    want = stats.ttest_1samp(scores[0], 0).confidence_interval(0.95)
    assert value == pytest.approx(0.81)
    assert (interval.low, interval.high) == pytest.approx((want.low, want.high))


def test_missing_runs_are_adjusted_for_their_seed():
    """A seed that is 0.1 better everywhere does not favour the cell that has a run of it."""
    scores = np.array([[0.5, 0.6, np.nan], [0.6, 0.7, 0.8], [0.4, 0.5, 0.6]])
    model = fit_blocks(scores + 1e-6 * np.random.default_rng(2).normal(size=(3, 3)))
    value, variance = model.difference(0, 1)
    assert value == pytest.approx(0.1, abs=1e-5)
    assert variance > 2 / 3
    assert model.df_residual == 8 - (3 + 3 - 1)


def test_one_seed_gives_no_spread():
    model = fit_blocks(np.array([[0.8], [0.9]]))
    assert model.residual_sd is None and model.within_sd is None
    assert model.mean(0) == (0.8, None)
    assert model.difference(0, 1)[0] == pytest.approx(0.1)


def test_cells_without_a_seed_in_common_are_not_compared():
    assert fit_blocks(np.array([[0.8, np.nan], [np.nan, 0.9]])).difference(0, 1) is None


def test_cells_joined_by_a_third_are_compared():
    model = fit_blocks(np.array([[0.8, np.nan], [np.nan, 0.9], [0.5, 0.7]]))
    assert model.difference(0, 1)[0] == pytest.approx(-0.1)


def test_equal_scores_are_not_a_spread_of_zero():
    assert fit_blocks(np.array([[0.8, 0.8], [0.9, 0.9]])).residual_sd is None


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_coverage_of_differences(seeds, correlation):
    """95 % within four Monte-Carlo standard errors, also with runs missing at random."""
    generator = np.random.default_rng([seeds, int(10 * correlation)])
    studies = tables(generator, 1000, cells=8, seeds=seeds, correlation=correlation)
    studies[:, 5, -1] = np.nan
    covered = [
        interval.low <= 0.01 <= interval.high
        for scores in studies
        for interval in [_interval(fit_blocks(scores), 4, 5)]
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 1000))


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_coverage_of_means(correlation):
    """Satterthwaite's degrees of freedom are approximate: two points are granted for that."""
    generator = np.random.default_rng(int(10 * correlation))
    studies = tables(generator, 1000, cells=8, seeds=3, correlation=correlation)
    intervals = [fit_blocks(scores).mean(2)[1] for scores in studies]
    covered = np.mean([each.low <= 0.82 <= each.high for each in intervals])
    assert covered == pytest.approx(0.95, abs=0.02 + 4 * np.sqrt(0.95 * 0.05 / 1000))
