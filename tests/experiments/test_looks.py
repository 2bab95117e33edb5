"""Boundaries of looks against gsDesign's published ones, scipy's normal integrals and sums."""

import numpy as np
import pytest
from scipy import stats

from nextify.experiments.intervals import student
from nextify.experiments.looks import (
    chance_of_one,
    crossings,
    following,
    level_of,
    planned,
    unplanned,
)

# gsDesign (R), gsDesign(k=K, test.type=2, alpha=0.025, sfu="OF"), as in Jennison and Turnbull 2000,
# table 2.3: c of equally spaced looks, two-sided 5 %.
PUBLISHED = {
    1: [1.960],
    2: [2.797, 1.977],
    3: [3.471, 2.454, 2.004],
    4: [4.049, 2.863, 2.337, 2.024],
    5: [4.562, 3.226, 2.634, 2.281, 2.040],
    10: [6.598, 4.666, 3.809, 3.299, 2.951, 2.694, 2.494, 2.333, 2.199, 2.087],
}


def shares(count):
    return [look / count for look in range(1, count + 1)]


@pytest.mark.parametrize("count", PUBLISHED)
def test_the_published_boundaries(count):
    assert planned(shares(count), 0.05) == pytest.approx(PUBLISHED[count], abs=6e-4)


def test_eight_contrasts_at_five_looks():
    """An independent audit found 6.22, 4.39, 3.59, 3.11 and 2.78 by another way."""
    found = planned(shares(5), chance_of_one(0.05, 8))
    assert found == pytest.approx([6.22, 4.39, 3.59, 3.11, 2.78], rel=0.007)
    each = crossings(shares(5), found.tolist()).sum()
    assert 1 - (1 - each) ** 8 == pytest.approx(0.05, abs=1e-7)


@pytest.mark.parametrize("times", [[0.4, 1.0], [0.1, 0.15, 1.0], [0.05, 0.9, 0.905, 0.91]])
def test_crossings_are_normal_integrals(times):
    """Of looks at any shares, against scipy's multivariate normal distribution."""
    bounds = np.linspace(2.6, 1.9, len(times))
    found = crossings(times, bounds.tolist())
    left = 1.0
    for at in range(1, len(times) + 1):
        some = np.array(times[:at])
        correlation = np.sqrt(np.minimum.outer(some, some) / np.maximum.outer(some, some))
        law = stats.multivariate_normal(
            np.zeros(at), correlation, seed=0, abseps=1e-7, maxpts=10**6
        )
        inside = law.cdf(bounds[:at], lower_limit=-bounds[:at])
        assert found[at - 1] == pytest.approx(left - inside, abs=2e-5)
        left = inside


def test_a_look_that_comes_late_spends_what_it_may():
    first, second, third = planned(shares(3), 0.05)
    spend = crossings(shares(3), [first, second, third])
    late = following([1 / 3], [first], 0.8, spend[1])
    assert late != pytest.approx(second, abs=1e-3)
    last = following([1 / 3, 0.8], [first, late], 1.0, spend[2])
    total = crossings([1 / 3, 0.8, 1.0], [first, late, last]).sum()
    assert total == pytest.approx(0.05, abs=1e-8)


def test_unplanned_looks_never_spend_more_than_five_in_a_hundred():
    spent = [1 - unplanned(look) for look in range(1, 20_001)]
    assert sum(spent) == pytest.approx(0.05 * (1 - 6 / (np.pi**2 * 20_000.5)), abs=1e-9)
    # The reach of the first two with eight contrasts, at two and at four seeds of 64 cells.
    assert student(74, 8, unplanned(1)) == pytest.approx(2.98, abs=0.01)
    assert student(202, 8, unplanned(2)) == pytest.approx(3.35, abs=0.01)


def test_a_level_is_that_of_its_boundary():
    assert level_of(stats.norm.isf(0.025), 1) == pytest.approx(0.95)
    assert level_of(planned([1.0], chance_of_one(0.05, 8))[0], 8) == pytest.approx(0.95)
