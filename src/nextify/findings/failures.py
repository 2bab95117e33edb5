"""Runs that diverged or failed, by choice: outcomes, not gaps."""

from dataclasses import dataclass

import numpy as np
import scipy

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
    found = []
    for name, made in zip(runs.columns, (runs.levels > 0).T, strict=True):
        sides = (made, ~made)
        table = [(int(np.sum(diverged & side)), int(np.sum(finished & side))) for side in sides]
        p = float(scipy.stats.fisher_exact(table)[1]) if all(map(sum, table)) else None
        rates = [Rate(hits, hits + rest, wilson(hits, hits + rest)) for hits, rest in table]
        found.append(Failure(name, rates[0], rates[1], p))
    return tuple(found)
