"""What several data sets say of data in general, against scipy's and statsmodels' numbers."""

import numpy as np
import pytest
import scipy
from statsmodels.stats.meta_analysis import combine_effects

from nextify.findings.across import across
from nextify.findings.answers import Contribution, Estimate


class Found:
    """As much of an attribution as is read."""

    def __init__(self, values, errors, metric="accuracy"):
        pairs = zip("abcdefgh", values, errors, strict=False)
        self.contributions = [Contribution(name, Estimate(v, e)) for name, v, e in pairs]
        self.metric = metric


VALUES = np.array([[0.02, -0.010, 0.001], [0.03, -0.012, -0.004], [0.025, -0.009, 0.004]])
ERRORS = np.array([[0.002, 0.001, 0.001], [0.002, 0.002, 0.001], [0.003, 0.001, 0.001]])


def test_means_and_tests_are_those_of_scipy_and_statsmodels():
    found = across([Found(*row) for row in zip(VALUES, ERRORS, strict=True)])
    for at, each in enumerate(found):
        test = scipy.stats.ttest_1samp(VALUES[:, at], 0.0)
        assert each.mean == pytest.approx(VALUES[:, at].mean())
        assert each.p == pytest.approx(1 - (1 - test.pvalue) ** 3)
        level = 0.95 ** (1 / 3)
        own = test.confidence_interval(level)
        assert each.simultaneous.low == pytest.approx(own.low, rel=1e-6)
        assert each.simultaneous.high == pytest.approx(own.high, rel=1e-6)
        q = combine_effects(VALUES[:, at], ERRORS[:, at] ** 2).test_homogeneity()
        assert each.differs == pytest.approx(q.pvalue)
    assert [each.answer for each in found] == ["helps", "hurts", "not resolved"]
    assert found[2].differs < 0.05 < found[1].differs


def test_less_is_better_and_what_cannot_be_told():
    found = across([Found(*row, metric="nll") for row in zip(VALUES, ERRORS, strict=True)])
    assert [each.answer for each in found] == ["hurts", "helps", "not resolved"]
    unknown = across([Found([0.02, None], [0.01, None]), Found([0.01, 0.02], [0.01, 0.01])])
    assert [each.answer for each in unknown] == ["not resolved", "cannot be told"]
    equal = across([Found([0.02], [0.01]), Found([0.02], [None])])[0]
    assert (equal.answer, equal.simultaneous, equal.differs) == ("no interval", None, None)
    assert across([Found([0.02], [0.01])])[0].mean is None


def test_false_claims_where_data_sets_differ_and_nothing_holds_in_general():
    """Contributions of 8 factors vary between 4 data sets by three times the runs' error. Seeds
    within data sets would call almost every factor's mean clear."""
    rng, wrong, studies = np.random.default_rng(0), 0, 400
    for _ in range(studies):
        values = rng.normal(0.0, 0.03, (4, 8)) + rng.normal(0.0, 0.01, (4, 8))
        found = across([Found(row, np.full(8, 0.01)) for row in values])
        wrong += any(each.answer != "not resolved" for each in found)
    assert wrong / studies < 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5
    assert wrong > 0
