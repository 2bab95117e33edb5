"""Which learning rate each cell does best with, read from the runs of a tuning study.

The score that a rate was chosen by is the best of several and so too high. It chooses, and nothing
else: what a cell is worth at its rate, runs with fresh seeds say, on images that did not choose.
"""

from collections.abc import Iterable, Mapping
from math import log, log10, sqrt

import numpy as np

from nextify.findings.scores import score_of
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


def suited_rate(accuracies: Mapping[float, float | None], images: int) -> float:
    """Of the rates within one standard error of the best the one nearest to the recipe's, as a
    multiple of it; 1 where no rate has a score.

    Of one run a rate, on few images, the best is luck, mostly (the rule of one standard error:
    Breiman et al. 1984, Classification and Regression Trees, section 3.4.3).

    >>> few = {0.3: 0.70, 1.0: 0.62, 3.0: 0.50}
    >>> suited_rate(few, 20), suited_rate(few, 2000)
    (1.0, 0.3)

    Args:
        accuracies: of one run at each rate, in steps of half a power of ten; None without a score.
        images: that they are of.
    """
    known = {rate: value for rate, value in accuracies.items() if value is not None}
    if not known:
        return 1.0
    best = max(known.values())
    error = sqrt(best * (1 - best) / images)
    near = [rate for rate, value in known.items() if value >= best - error]
    return min(near, key=lambda rate: (round(2 * abs(log10(rate))), -known[rate]))


def at_the_edge(plan: Plan) -> tuple[int, int]:
    """How many cells of a tuned plan are at the lowest and at the highest rate that was tried."""
    low, high = min(plan.tuned), max(plan.tuned)
    return (sum(c.rate == low for c in plan.cells), sum(c.rate == high for c in plan.cells))
