"""Runs that diverged or learned nothing, by choice: outcomes, not gaps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.intervals import LEVEL, Interval
from nextify.findings.factor_runs import FactorRuns


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of n recorded runs diverged, with Wilson's 95 % interval of the chance.

    Attributes:
        diverged, n: runs. interval: None without a run.
    """

    diverged: int
    n: int
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Failure:
    """How often runs diverge with and without a factor's choices.

    Attributes:
        name: of the factor. made, not_made: the two rates.
        p: Fisher's exact test that the two chances are equal; None where one side has no run.
    """

    name: str
    made: Rate
    not_made: Rate
    p: float | None


def wilson(hits: int, n: int) -> Interval | None:
    """Wilson's 95 % interval for a chance (1927, JASA 22).

    >>> wilson(0, 10)
    Interval(low=0.0, high=0.277...)
    """
    if n == 0:
        return None
    found = scipy.stats.binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high))


def failures(runs: FactorRuns) -> tuple[Failure, ...]:
    """One a factor, and one for each thing that is crossed with them, over runs that finished or
    diverged; a run that failed says nothing of it."""
    became = np.array(runs.became)
    diverged, finished = became == "diverged", became == "finished"
    return tuple(
        Failure(each.name, _rate(*each.made), _rate(*each.not_made), each.p)
        for each in settings(runs, diverged, diverged | finished)
    )


def _rate(hits: int, n: int) -> Rate:
    return Rate(hits, n, wilson(hits, n))


@dataclass(frozen=True, slots=True)
class Setting:
    """With which setting of a factor something becomes of runs.

    Attributes:
        name: of the factor. made, not_made: with its choices and without, of how many runs it
            became, and of how many runs.
        p: Fisher's exact test that both chances are equal; None where one side has no run.
    """

    name: str
    made: tuple[int, int]
    not_made: tuple[int, int]
    p: float | None


def settings(
    runs: FactorRuns, which: NDArray[np.bool_], among: NDArray[np.bool_]
) -> tuple[Setting, ...]:
    """One a factor: how often runs are `which`, among some of them."""

    def counted(side: NDArray[np.bool_]) -> tuple[int, int]:
        return int(np.sum(which & side)), int(np.sum(among & side))

    def each() -> Iterator[Setting]:
        for name, made in zip(runs.columns, (runs.levels > 0).T, strict=True):
            sides = counted(made), counted(~made)
            table = [(hits, n - hits) for hits, n in sides]
            p = float(scipy.stats.fisher_exact(table)[1]) if all(n for _, n in sides) else None
            yield Setting(name, *sides, p)

    return tuple(each())
