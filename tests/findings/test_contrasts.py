"""Standard errors of contrasts and the images' part, against known truth."""

import numpy as np
import pytest
from scipy import stats

from nextify.experiments.fractions import ATTRIBUTE, fraction
from nextify.findings.basis import basis
from nextify.findings.cells import errors, gather, pure_error
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.images import images_part

from .factorial import names

LEVELS = fraction(5, ATTRIBUTE)
READ = basis(LEVELS, np.ones(len(LEVELS)))


def runs(seeds, seed=0, images=0):
    rng = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(LEVELS)), seeds)
    values = np.where(LEVELS[cell, 0] > 0, 3.0, 1.0) * rng.normal(size=len(cell))
    correct = None
    if images:
        same = np.random.default_rng(99)  # the images, whatever the runs
        common = same.normal(size=images) + LEVELS[cell] @ same.normal(size=(5, images))
        correct = common > rng.normal(size=common.shape)
        values = correct.mean(axis=1)
    return FactorRuns(
        factors=tuple(names(5)),
        score="accuracy",
        levels=LEVELS[cell],
        cell=cell,
        seed=np.arange(len(cell)),
        values=values,
        rate=np.ones(len(cell)),
        became=("finished",) * len(cell),
        correct=correct,
    )


def test_errors_are_unbiased_under_unequal_spread():
    want = np.sqrt(
        4 / 16**2 * 0 + np.sum((READ.weights**2)[0] * np.where(LEVELS[:, 0] > 0, 9, 1)) / 2
    )
    found = []
    for seed in range(400):
        cells = gather(runs(2, seed))
        values, _, own = errors(pure_error(cells), READ.weights)
        assert own  # each cell keeps its own spread
        found.append(values**2)
    assert np.sqrt(np.mean(found, axis=0)) == pytest.approx([want] * 5, rel=0.05)


def test_welch_is_the_two_sample_t_test():
    """Two cells of different n and spread: Welch's t test."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=30), 4 * rng.normal(size=20)
    values = np.concatenate([a, b])
    cell = np.repeat([0, 1], [30, 20])
    experiment = FactorRuns(
        ("x",),
        "nll",
        np.where(cell, 1, -1)[:, None].astype(np.int8),
        cell,
        np.arange(50),
        values,
        np.ones(50),
        ("finished",) * 50,
    )
    values, df, _ = errors(pure_error(gather(experiment)), np.array([[-1.0, 1.0]]))
    want = stats.ttest_ind(b, a, equal_var=False)
    assert (b.mean() - a.mean()) / values[0] == pytest.approx(want.statistic)
    assert df[0] == pytest.approx(want.df)


def test_images_part_is_the_variance_over_images_without_the_runs_share():
    part = images_part(
        experiment := runs(2, images=2000), cells := gather(experiment), READ.weights
    )
    np.testing.assert_allclose(part.shares.mean(axis=1), READ.weights @ cells.means, atol=1e-12)
    assert np.all(part.variance < part.whole)
    many = runs(30, images=2000)  # the runs' share vanishes with many runs
    want = images_part(many, gather(many), READ.weights).whole
    assert part.variance == pytest.approx(want, rel=0.15)
    assert np.diag(part.covariance) == pytest.approx(part.variance)
    shares = part.shares - part.shares.mean(axis=1, keepdims=True)
    picked = np.random.default_rng(0).integers(0, 2000, (1000, 2000))  # resampled images
    drawn = np.array([shares[:, each].mean(axis=1) for each in picked])
    found = np.sqrt(np.diag(part.covariance))
    assert np.corrcoef(drawn.T) == pytest.approx(part.covariance / np.outer(found, found), abs=0.1)


def test_one_run_a_cell_cannot_separate_images_from_runs():
    experiment = runs(1, images=200)
    part = images_part(experiment, gather(experiment), READ.weights)
    assert np.array_equal(part.variance, part.whole)
