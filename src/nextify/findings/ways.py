"""The same factors seen from the start, along the path and from the end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.cells import Cells

Made = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """One more factor is made.

    Attributes:
        before, after: (p,) which of the players are made.
        weights: (c,) of the cells' means; None where one of the two designs has no score.
    """

    before: Made
    after: Made
    weights: Floats | None


def changes(cells: Cells, players: Made) -> tuple[tuple[Change, ...], ...]:
    """For each of p players: added to the start, in the path's order, removed from the end.

    Args:
        players: (k,) the factors that are not nuisances, which are averaged over.
    """
    count = int(players.sum())
    at = np.arange(count)
    found = []
    for factor in range(count):
        before = (np.zeros(count, bool), at < factor, at != factor)
        found.append(tuple(_change(cells, players, made, made | (at == factor)) for made in before))
    return tuple(found)


def ends(cells: Cells, players: Made) -> Floats | None:
    """(c,) weights of v(all) - v(none), averaged over learning rates; None without the cells."""
    count = int(players.sum())
    return _change(cells, players, np.zeros(count, bool), np.ones(count, bool)).weights


def _change(cells: Cells, players: Made, before: Made, after: Made) -> Change:
    low, high = (_mean(cells, players, made) for made in (before, after))
    return Change(before, after, None if low is None or high is None else high - low)


def _mean(cells: Cells, players: Made, made: Made) -> Floats | None:
    """(c,) weights of v(made), averaged over learning rates and nuisances; None without all."""
    same = (cells.levels[:, players] == np.where(made, 1, -1)).all(axis=1)
    wanted = len(np.unique(cells.rate)) << int((~players).sum())
    return same / wanted if wanted and same.sum() == wanted else None
