"""The study in studies/ is read by today's code, and says what its page and the README say."""

from pathlib import Path

import pytest

from nextify.attribution import attribute
from nextify.records import Store

FILE = Path(__file__).parents[2] / "studies" / "cifar10-factors" / "cifar10-factors.study"


@pytest.fixture(scope="module")
def found():
    with Store.open(FILE, create=False) as store:
        return attribute(store.plan(), store.records())


def test_every_run_is_found_under_its_key(found):
    assert (found.counts.planned, found.counts.finished) == (138, 138)
    assert (found.counts.cells, found.experiment, found.matched) == (65, "resolution-5", "")


def test_the_contributions_that_are_printed(found):
    values = [round(100 * each.estimate.value, 2) for each in found.contributions]
    assert values == [-0.29, -4.42, 2.89, -0.21, 0.22, 0.50, -8.48, 1.35]
    answers = [each.answer for each in found.contributions]
    helps, hurts, open_ = "helps", "hurts", "not resolved"
    assert answers == [hurts, hurts, helps, open_, open_, helps, hurts, helps]
    assert 100 * found.gap.estimate.value == pytest.approx(0.32, abs=0.005)
    assert sum(each.found for each in found.interactions) == 9


def test_the_large_kernel_depends_on_its_place(found):
    way = next(each for each in found.ways if each.name == "large kernel first")
    assert 100 * way.added.estimate.value == pytest.approx(2.50, abs=0.005)
    assert 100 * way.removed.estimate.value == pytest.approx(-2.06, abs=0.005)
