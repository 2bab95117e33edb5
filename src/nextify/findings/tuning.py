"""Which learning rate each cell does best with, read from the runs of a tuning study.

The score that a rate was chosen by is the best of several and so too high. It chooses, and nothing
else: what a cell is worth at its rate, runs with fresh seeds say, on images that did not choose.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from math import log
from typing import TypeVar

import numpy as np

from nextify.findings.scores import score_of
from nextify.records.places import places
from nextify.records.plan import Cell, Plan
from nextify.records.record import Record

Made = frozenset[str]  # of a cell: the factors that are made, and what is at its second setting

T = TypeVar("T", bound=Hashable)


def best_rates(plan: Plan, records: Iterable[Record]) -> Mapping[Made, float]:
    """As `best_rates_by`, of an experiment's cells by what varies between them."""
    return best_rates_by(lambda cell: frozenset(cell.on), plan, records)


def best_rates_by(of: Callable[[Cell], T], plan: Plan, records: Iterable[Record]) -> dict[T, float]:
    """The rate with the best mean accuracy of all cells that are alike but for it, as a multiple of
    the recipe's.

    A rate at which a run diverged or failed comes after all at which none did; of equal rates the
    one nearest to the recipe's is taken, and where no rate has a score the lowest.
    """
    known = places(plan, records)
    found: dict[T, list[tuple[float, float, float]]] = {}
    for cell in plan.cells:
        runs = [known.get((cell.name, seed)) for seed in plan.seeds_of(cell)]
        mean = float(np.mean([score_of(run.result if run else None, "accuracy") for run in runs]))
        lost = np.isnan(mean)
        rank = (-np.inf, -cell.rate) if lost else (mean, -abs(log(cell.rate)))
        found.setdefault(of(cell), []).append((*rank, cell.rate))
    return {like: max(each)[-1] for like, each in found.items()}


def at_the_edge(plan: Plan) -> tuple[int, int]:
    """How many cells of a tuned plan are at the lowest and at the highest rate that was tried."""
    low, high = min(plan.tuned), max(plan.tuned)
    return (sum(c.rate == low for c in plan.cells), sum(c.rate == high for c in plan.cells))
