"""The same factors seen from the start, along the path and from the end."""

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.cells import Cells
from nextify.findings.model import Model

Change = tuple[Floats, bool]
"""The difference between two designs: (c,) weights of the cells' means, and whether it is predicted
by the two-factor model."""


def way_weights(cells: Cells, pairs: Model) -> tuple[tuple[Change | None, ...], ...]:
    """For each of k factors: added to the start, in the path's order, removed from the end."""
    count = cells.choices.shape[1]
    found = []
    for factor in range(count):
        before = [np.zeros(count, bool), np.arange(count) < factor, np.arange(count) != factor]
        found.append(tuple(_change(cells, pairs, made, factor) for made in before))
    return tuple(found)


def ends(cells: Cells) -> Floats | None:
    """(c,) weights of v(all) - v(none), averaged over learning rates and what else is crossed; None
    without the cells."""
    count = cells.choices.shape[1]
    return _measured(cells, np.zeros(count, bool), np.ones(count, bool))


def _change(cells: Cells, pairs: Model, before: NDArray[np.bool_], factor: int) -> Change | None:
    after = before.copy()
    after[factor] = True
    weights = _measured(cells, before, after)
    if weights is not None:
        return weights, False
    levels = np.where([before, after], 1, -1)
    levels = np.pad(levels, ((0, 0), (0, cells.crossed))).astype(np.int8)  # 0: averaged over
    change = np.diff(pairs.at(levels), axis=0)
    return (pairs.weights(change)[0], True) if pairs.estimable(change)[0] else None


def _measured(cells: Cells, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Floats | None:
    settings = np.unique(cells.settings())
    weights = np.zeros(len(cells.counts))
    for setting in settings.tolist():
        low, high = cells.find(before, setting), cells.find(after, setting)
        if low is None or high is None:
            return None
        weights[low] -= 1 / len(settings)
        weights[high] += 1 / len(settings)
    return weights if len(settings) else None
