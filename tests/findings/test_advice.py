"""What more seeds settle against simulation, and Wilson's interval against scipy."""

import numpy as np
import pytest
from scipy import stats

from nextify.experiments.fractions import ATTRIBUTE, fraction
from nextify.experiments.intervals import student
from nextify.findings import attribute
from nextify.findings.advice import seeds_to_settle, settling
from nextify.findings.failures import wilson

from . import factorial

SD, MARGIN, LEVEL, THERE = 0.01, 0.006, 0.9924, 3


def study(rng, truth):
    """A study of 5 factors in 16 cells, of which the last four have an effect or none."""
    plan = factorial.plan(fraction(5, ATTRIBUTE), seeds=THERE)
    betas = (0.05, *(effect / 2 for effect in truth))
    records = factorial.records(
        plan, factorial.linear(*betas), sd=SD, images=2, seed=int(rng.integers(2**31))
    )
    return attribute(plan, records, margin=MARGIN)


def then(found, seeds, rng, truth):
    """What the next look finds of each undecided factor: (its effect, found, shown missing)."""
    cells, more = found.counts.cells, seeds - THERE
    df, new = found.noise.df, found.counts.cells * more
    fresh = SD**2 * rng.chisquare(new)
    sd = np.sqrt((df * found.noise.sd**2 + fresh) / (df + new))
    half = student(df + new, 5, LEVEL) * 2 * sd / np.sqrt(cells * seeds)
    for each, effect in zip(found.contributions[1:], truth, strict=True):
        if each.answer == "not resolved":
            drawn = effect + 2 * SD / np.sqrt(cells * more) * rng.normal()
            value = (THERE * each.estimate.value + more * drawn) / seeds
            yield effect, np.sign(effect) * value > half, abs(value) + half < MARGIN


@pytest.mark.slow
def test_it_settles_as_often_as_it_says():
    rng, said, happened = np.random.default_rng(0), ([], []), ([], [])
    for _ in range(90):
        truth = rng.choice([0, 0, MARGIN, -MARGIN], size=4)
        found = study(rng, truth)
        told = settling(found, THERE, 11, LEVEL)
        for effect, is_found, is_missing in then(found, 11, rng, truth) if told else ():
            which = int(effect == 0)
            said[which].append((told.found, told.missing)[which])
            happened[which].append((is_found, is_missing)[which])
    for one, other in zip(said, happened, strict=True):
        assert len(one) > 60 and 0.3 < np.mean(one) < 0.95
        assert np.mean(other) == pytest.approx(np.mean(one), abs=3.5 / np.sqrt(4 * len(one)))


def test_the_fewest_seeds_that_settle():
    found = study(np.random.default_rng(1), (0, 0, 0, 0))
    told = seeds_to_settle(found, THERE, LEVEL, 40)
    fewer = settling(found, THERE, told.seeds - 1, LEVEL)
    assert told.is_likely and not fewer.is_likely
    assert min(told.found, told.missing) >= 0.8 > min(fewer.found, fewer.missing)
    error = max(each.estimate.error for each in found.contributions)
    reach = student(found.noise.df + 16 * (told.seeds - THERE), 5, LEVEL)
    assert told.half == pytest.approx(reach * error * np.sqrt(THERE / told.seeds))
    assert seeds_to_settle(found, THERE, LEVEL, told.seeds - 1) is None


def test_nothing_open_needs_nothing():
    found = study(np.random.default_rng(1), (0.05, 0.05, 0.05, 0.05))
    assert settling(found, THERE, 9, LEVEL) is None
    assert seeds_to_settle(found, THERE, LEVEL, 9) is None


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 40), (12, 12)])
def test_wilson(hits, n):
    want = stats.binomtest(hits, n).proportion_ci(method="wilson")
    found = wilson(hits, n)
    assert (found.low, found.high) == pytest.approx((want.low, want.high), abs=1e-12)
    assert wilson(0, 0) is None
