"""`runs_needed` and Wilson's interval against simulation, scipy and formulas."""

import numpy as np
import pytest
from scipy import stats

from nextify.findings.advice import runs_needed
from nextify.findings.failures import wilson


def test_the_power_promised_is_the_power_had():
    effect, cells, choices = 1.0, 16, 5
    found = runs_needed(effect, 2 / cells**0.5, cells, choices)
    rng = np.random.default_rng(0)
    df = cells * (found.seeds - 1)
    error = 2 / np.sqrt(found.runs)
    estimate = effect + error * rng.normal(size=100_000)
    measured = error * np.sqrt(rng.chisquare(df, size=100_000) / df)
    reach = stats.t.ppf((1 + 0.95 ** (1 / choices)) / 2, df)
    assert found.power == pytest.approx(np.mean(estimate > reach * measured), abs=0.006)
    assert found.power >= 0.8
    assert found.half == pytest.approx(reach * error)


def test_an_effect_of_nothing_needs_more_than_can_be_had():
    assert runs_needed(0.0, 0.1, 64, 8) is None
    assert runs_needed(1.0, 0.01, 64, 8).seeds == 2


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 40), (12, 12)])
def test_wilson(hits, n):
    want = stats.binomtest(hits, n).proportion_ci(method="wilson")
    found = wilson(hits, n)
    assert (found.low, found.high) == pytest.approx((want.low, want.high), abs=1e-12)
    assert wilson(0, 0) is None
