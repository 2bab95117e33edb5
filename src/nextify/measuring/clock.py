"""Timing by turns: what disturbs the machine for a while disturbs all that is compared."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nextify.errors import InputError
from nextify.machine.clock import taken
from nextify.measuring.tasks import Call
from nextify.words import in_short, is_amount, whole_number

OnRound = Callable[[float], None]
"""Called after every round with the share that is done, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: of measuring for each network and task. rounds: so many instead.
        least, most: rounds, whatever the seconds.
        warm_up: calls of each before the first round.
        untimed: calls before each timed one, so that a network finds its own weights in the cache
            and not those of the network before.
    """

    seconds: float = 3.0
    rounds: int | None = None
    least: int = 5
    most: int = 200
    warm_up: int = 2
    untimed: int = 0

    def __post_init__(self) -> None:
        if not (is_amount(self.seconds) and math.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(f"seconds is {in_short(self.seconds)}; it must be greater than 0")
        if self.rounds is not None:
            whole_number("rounds", self.rounds)


def by_turns(
    calls: Sequence[Call], effort: Effort, on_round: OnRound = lambda share: None
) -> tuple[tuple[float, ...], ...]:
    """Seconds of each call in each round: A B A B ... The same number of rounds for all.

    >>> [len(times) for times in by_turns([lambda: None, lambda: None], Effort(rounds=7))]
    [7, 7]
    """
    for call in calls:
        for _ in range(effort.warm_up):
            call()
    times: list[list[float]] = [[] for _ in calls]
    began, share = time.perf_counter(), 0.0
    while share < 1:
        for call, own in zip(calls, times, strict=True):
            for _ in range(effort.untimed):
                call()
            own.append(taken(call).wall)
        rounds, seconds = len(times[0]), (time.perf_counter() - began) / len(calls)
        by_time = min(seconds / effort.seconds, rounds / effort.least)
        share = max(by_time, rounds / effort.most)
        if effort.rounds is not None:
            share = rounds / effort.rounds
        on_round(min(share, 1.0))
    return tuple(map(tuple, times))
