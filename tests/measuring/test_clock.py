"""Timing by turns, with calls that only write down that they were called."""

import pytest

import nextify as nx
from nextify.costs.spread import spread_of
from nextify.measuring.clock import Effort, by_turns


def calls_of(effort: Effort) -> tuple[str, tuple[tuple[float, ...], ...]]:
    order: list[str] = []
    times = by_turns([lambda: order.append("A"), lambda: order.append("B")], effort)
    return "".join(order), times


def test_turns_after_a_warm_up():
    order, times = calls_of(Effort(rounds=3, warm_up=2))
    assert order == "AABB" + "AB" * 3
    assert [len(own) for own in times] == [3, 3] and min(map(min, times)) > 0


def test_untimed_calls_stand_before_each_timed_one():
    order, times = calls_of(Effort(rounds=2, warm_up=0, untimed=2))
    assert order == "AAABBB" * 2 and len(times[0]) == 2


def test_seconds_end_it_and_bounds_hold():
    assert len(calls_of(Effort(seconds=1e-9, least=6))[1][0]) == 6
    assert len(calls_of(Effort(seconds=1e9, most=9))[1][0]) == 9


def test_progress_ends_at_one():
    shares: list[float] = []
    by_turns([lambda: None], Effort(rounds=4), shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": float("nan")}, {"rounds": 0}])
def test_efforts_that_are_none(wrong):
    with pytest.raises(nx.InputError, match=next(iter(wrong))):
        Effort(**wrong)


def test_a_spread_is_numpys():
    import numpy as np

    values = [3.0, 1.0, 7.0, 2.0, 9.0, 4.0]
    found = spread_of(values)
    assert found.median == np.median(values) and found.count == 6
    assert [found.low, found.high] == pytest.approx(np.quantile(values, [0.25, 0.75]))
    assert spread_of([5.0]) == spread_of([5.0, 5.0]).__class__(5.0, 5.0, 5.0, 1)
