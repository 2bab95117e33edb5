"""Lenth's method against a published example."""

import numpy as np
import pytest
from scipy import stats

from nextify.findings.lenth import half_normal_scores, lenth

# The filtration-rate experiment: Montgomery, Design and Analysis of Experiments, example 6.2.
_TABLE = (
    "21.625 3.125 9.875 14.625 0.125 -18.125 16.625 2.375 -0.375 -1.125 1.875 4.125 -1.625 "
    "-2.625 1.375"
)
FILTRATION = np.array([float(effect) for effect in _TABLE.split()])


def test_published_margins():
    found = lenth(FILTRATION)
    assert found.error == pytest.approx(2.625)
    assert found.margin == pytest.approx(6.75, abs=0.01)
    assert found.simultaneous == pytest.approx(13.70, abs=0.01)
    assert (np.abs(FILTRATION) > found.simultaneous).sum() == 4  # A, D, AC and AD


def test_too_few_effects_or_none():
    assert lenth(np.array([1.0, 2.0])) is None
    assert lenth(np.zeros(7)) is None


def test_half_normal_scores_are_quantiles_of_the_half_normal():
    scores = half_normal_scores(FILTRATION)
    want = stats.halfnorm.ppf((np.arange(1, 16) - 0.5) / 15)
    np.testing.assert_allclose(np.sort(scores), want, atol=1e-12)
    assert scores[0] == scores.max()  # the largest effect
