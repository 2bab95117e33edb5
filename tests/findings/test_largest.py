"""Critical values of several |t| together: Student, independence, tables, another integration."""

import numpy as np
import pytest
from scipy import optimize, stats

from nextify.findings.best import largest_t
from nextify.findings.largest import largest

# Two-sided 5 % points for comparisons with a control, correlation 1/2: Dunnett (1964), Biometrics
# 20, table II, by number of comparisons and degrees of freedom.
DUNNETT = {(2, 10): 2.57, (4, 20): 2.65, (9, 60): 2.77, (3, 5): 3.29}


def alike(count, correlation=0.5):
    return np.full((count, count), correlation) + (1 - correlation) * np.eye(count)


@pytest.mark.parametrize("df", [1, 2.5, 20, np.inf])
def test_one_contrast_is_students(df):
    of = largest(np.array([[7.0]]), df)
    assert of.reach() == pytest.approx(stats.t.ppf(0.975, df))
    assert of.reach(0.99) == pytest.approx(stats.t.ppf(0.995, df))
    assert of.above(2.0) == pytest.approx(2 * stats.t.sf(2.0, df))


@pytest.mark.parametrize("count, df", [(3, 5), (8, 60), (13, 20), (8, 1e8)])
def test_independent_contrasts_are_the_studentized_maximum_modulus(count, df):
    want = largest_t(count, df)
    assert want <= largest(np.eye(count), df).reach() <= want + 1e-3


@pytest.mark.parametrize("key", DUNNETT)
def test_equal_correlations_are_dunnetts_table(key):
    assert round(largest(alike(key[0]), key[1]).reach() - 2e-4, 2) == DUNNETT[key]


def exact(count, correlation, df):
    """For equal correlations, by quadrature over the common part and the spread."""
    at, weight = np.polynomial.hermite_e.hermegauss(160)
    chance, share = np.polynomial.legendre.leggauss(200)
    spread = np.sqrt(stats.chi2.ppf((chance + 1) / 2, df) / df)[:, None]

    def held(reach):
        ends = [(side * reach * spread - np.sqrt(correlation) * at) for side in (-1, 1)]
        low, high = (stats.norm.cdf(end / np.sqrt(1 - correlation)) for end in ends)
        return ((high - low) ** count @ weight / weight.sum()) @ share / 2

    return optimize.brentq(lambda reach: held(reach) - 0.95, 1, 9)


@pytest.mark.parametrize("correlation", [0.1, 0.3, 0.6, 0.9])
def test_equal_correlations_by_exact_integration(correlation):
    off = largest(alike(8, correlation), 24).reach() - exact(8, correlation, 24)
    assert -3e-4 < off < 1.5e-3


def test_equal_to_scipys_integration():
    root = np.eye(5) + 0.4 * np.random.default_rng(0).normal(size=(5, 5))
    covariance = root @ root.T
    size = np.sqrt(np.diag(covariance))
    other = stats.multivariate_t(np.zeros(5), covariance / np.outer(size, size), df=12, seed=0)
    of = largest(covariance, 12)
    for reach in (1.5, of.reach(), 3.5):
        inside = other.cdf([reach] * 5, lower_limit=[-reach] * 5, maxpts=100_000)
        assert of.above(reach) == pytest.approx(1 - inside, abs=1.5e-3, rel=0.02)


def test_contrasts_that_depend_on_each_other():
    """Two means and their difference: by integration over the angle (Tukey's studentized range)."""
    table = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]])
    want = stats.studentized_range.ppf(0.95, 3, 15) / np.sqrt(2)
    assert want - 1e-4 <= largest(table @ table.T, 15).reach() <= want + 1e-3
    twice = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert largest(twice @ twice.T, 15).reach() == pytest.approx(largest_t(2, 15), abs=1e-3)


def test_a_small_p_is_right():
    assert largest(np.eye(8), 60.0).above(12.0) == pytest.approx(
        8 * 2 * stats.t.sf(12, 60), rel=1e-3
    )
    assert largest(alike(4), 20.0).above(largest(alike(4), 20.0).reach()) == pytest.approx(
        0.05, abs=1e-3
    )


def test_other_levels():
    for level in (0.9, 0.99, 0.999):
        of = largest(alike(4), 20.0)
        assert of.above(of.reach(level)) == pytest.approx(1 - level, rel=0.02)


@pytest.mark.parametrize("df", [1.0, 2.5, 8.0, 73.0, np.inf])
def test_any_level_of_any_look_has_a_reach(df):
    """O'Brien and Fleming's first of five looks leaves 5e-9; few degrees of freedom, any rank."""
    draw = np.random.default_rng(3).normal
    for covariance in (np.eye(8), np.eye(8) / 2 + 0.5, np.cov(draw(size=(9, 5)))):
        of, reached = largest(covariance, df), 0.0
        for lost in (0.5, 0.05, 0.03, 8e-3, 1e-3, 2e-4, 1e-5, 5e-9):
            one, most = (stats.t.isf(lost / 2 / n, df) for n in (1, len(covariance)))
            reach = of.reach(1 - lost)
            assert max(one, reached) <= reach * (1 + 1e-6) and reach <= most * (1 + 1e-6)
            reached = reach
