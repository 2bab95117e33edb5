"""Timing by turns, with calls that write down that they were called, and a clock that only they
move on: A takes a second, B two."""

import pytest

import nextify as nx
from nextify.costs.spread import spread_of
from nextify.measuring.clock import Effort, by_turns


class Clock:
    """Stands where `time` does."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    process_time = perf_counter


@pytest.fixture
def calls_of(monkeypatch):
    def run(effort: Effort) -> tuple[str, tuple[tuple[float, ...], ...]]:
        clock, order = Clock(), []
        for module in ("nextify.measuring.clock", "nextify.machine.clock"):
            monkeypatch.setattr(f"{module}.time", clock)

        def call(name: str, seconds: float) -> None:
            order.append(name)
            clock.now += seconds

        times = by_turns([lambda: call("A", 1.0), lambda: call("B", 2.0)], effort)
        return "".join(order), times

    return run


def test_turns_after_a_warm_up(calls_of):
    order, times = calls_of(Effort(rounds=3, warm_up=2))
    assert order == "AABB" + "AB" * 3
    assert times == ((1.0,) * 3, (2.0,) * 3)


def test_untimed_calls_stand_before_each_timed_one(calls_of):
    order, times = calls_of(Effort(rounds=2, warm_up=0, untimed=2))
    assert order == "AAABBB" * 2 and times == ((1.0,) * 2, (2.0,) * 2)


def test_seconds_end_it_and_bounds_hold(calls_of):
    """A round takes a second and a half for each of the two calls."""
    assert len(calls_of(Effort(seconds=10.5))[1][0]) == 7
    assert len(calls_of(Effort(seconds=1e-9, least=6))[1][0]) == 6
    assert len(calls_of(Effort(seconds=1e9, most=9))[1][0]) == 9


def test_progress_ends_at_one():
    shares: list[float] = []
    by_turns([lambda: None], Effort(rounds=4), shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    "wrong",
    [*({"seconds": each} for each in (0, float("nan"), "a", None, True)), {"rounds": 0}],
    ids=str,
)
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
