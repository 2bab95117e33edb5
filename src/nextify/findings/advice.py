"""How many runs it takes to see an effect."""

from dataclasses import dataclass

import numpy as np
import scipy

from nextify.experiments.intervals import student

POWER = 0.8
_MOST = 200  # seeds a cell; more is no advice


@dataclass(frozen=True, slots=True)
class Needed:
    """What it takes.

    Attributes:
        seeds: in every cell, those that are there included. runs: in all cells together.
        power: chance that the simultaneous interval then excludes zero.
        half: half-width of that interval to expect.
    """

    seeds: int
    runs: int
    power: float
    half: float


def runs_needed(
    effect: float, error: float, cells: int, choices: int, power: float = POWER
) -> Needed | None:
    """The seeds a cell at which an effect's simultaneous 95 % interval likely excludes zero.

    >>> runs_needed(effect=0.005, error=2 * 0.01 / 64**0.5, cells=64, choices=8)
    Needed(seeds=4, runs=256, power=0.89..., half=0.0034...)

    Args:
        effect: the size to be seen, in the score's units.
        error: a contribution's standard error with one seed a cell: 2 sd / sqrt(cells) in a
            balanced fraction, sd being that of single runs.
        cells: how many. choices: k, whose intervals hold together (Sidak's inequality).
        power: the chance wanted.

    Returns:
        None where even 200 seeds are too few (an effect of zero, say).
    """
    for seeds in range(2, _MOST + 1):
        df = cells * (seeds - 1)
        reach = student(df, choices)
        shift = abs(effect) / error * np.sqrt(seeds)
        # Beyond ten standard errors the other tail of the noncentral t is nothing.
        found = float(scipy.stats.nct.sf(reach, df, shift)) if shift < 30 else 1.0
        if found >= power:
            return Needed(seeds, seeds * cells, found, reach * error / float(np.sqrt(seeds)))
    return None
