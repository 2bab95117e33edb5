"""Which learning rate each cell does best with, read from the runs of a tuning study.

The score that a rate was chosen by is the best of several and so too high. It chooses, and nothing
else: what a cell is worth at its rate, runs with fresh seeds say, on images that did not choose.
"""

from collections.abc import Iterable, Mapping
from math import log

import numpy as np
from numpy.typing import NDArray

from nextify.findings.scores import correctness, score_of
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Record

Made = frozenset[str]  # of a cell: the factors that are made, and what is at its second setting


def best_rates(plan: Plan, records: Iterable[Record]) -> Mapping[Made, float]:
    """The rate with the best mean accuracy of each cell, as a multiple of the recipe's.

    A rate at which a run diverged or failed comes after all at which none did; of equal rates the
    one nearest to the recipe's is taken, and where no rate has a score the lowest.
    """
    known = places(plan, records)
    found: dict[Made, list[tuple[float, float, float]]] = {}
    for cell in plan.cells:
        runs = [known.get((cell.name, seed)) for seed in plan.seeds_of(cell)]
        mean = float(np.mean([score_of(run.result if run else None, "accuracy") for run in runs]))
        lost = np.isnan(mean)
        rank = (-np.inf, -cell.rate) if lost else (mean, -abs(log(cell.rate)))
        found.setdefault(frozenset(cell.on), []).append((*rank, cell.rate))
    return {made: max(each)[-1] for made, each in found.items()}


def right_at(
    plan: Plan, records: Iterable[Record], rates: Mapping[float, str]
) -> dict[float, NDArray[np.bool_]]:
    """Which images a network classified correctly at each rate, by one run; without those at which
    it has no score.

    Args:
        rates: the network's name in the plan at each.
    """
    known, cells = places(plan, records), {cell.network: cell.name for cell in plan.cells}
    runs = {rate: known.get((cells[name], plan.seeds[0])) for rate, name in rates.items()
            if name in cells}  # fmt: skip
    return {rate: correctness(run.result) for rate, run in runs.items() if run and run.result}


def suited_rate(right: Mapping[float, NDArray[np.bool_]]) -> float:
    """Of the rates within one standard error of the best the one nearest to the recipe's, as a
    multiple of it; 1 where no rate has a score.

    One run a rate, on few images: which is the best of them is luck, mostly (the rule of one
    standard error: Breiman et al. 1984, Classification and Regression Trees, section 3.4.3). The
    error is that of the difference of two networks on the same images.

    >>> at = np.arange(100)
    >>> suited_rate({1.0: at < 49, 3.0: at > 49}), suited_rate({1.0: at < 29, 3.0: at > 49})
    (1.0, 3.0)

    Args:
        right: which images were classified correctly at each rate.
    """
    if not right:
        return 1.0
    values = {rate: each.astype(np.float64) for rate, each in right.items()}
    best = max(values.values(), key=lambda each: float(each.mean()))
    behind = {rate: best - each for rate, each in values.items()}
    near = [rate for rate, each in behind.items() if each.mean() <= each.std() / len(each) ** 0.5]
    return min(near, key=lambda rate: (abs(log(rate)), behind[rate].mean()))


def at_the_edge(plan: Plan) -> tuple[int, int]:
    """How many cells of a tuned plan are at the lowest and at the highest rate that was tried."""
    low, high = min(plan.tuned), max(plan.tuned)
    return (sum(c.rate == low for c in plan.cells), sum(c.rate == high for c in plan.cells))
