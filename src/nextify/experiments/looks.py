"""Looking at a study while it grows, such that the chance of a false verdict stays what it was.

Whoever reads verdicts, adds seeds and reads again has several chances to be wrong. Each look is
therefore given a part of the 5 %: its *level* is that of the simultaneous intervals that are read
then. Planned looks go by O'Brien and Fleming's boundaries (1979, Biometrics 35), computed by the
recursive integration of Armitage, McPherson and Rowe (1969, JRSS A 132); looks that nobody
planned by a sum that converges, whatever their number.

A boundary is a size of |z| of one contrast. Several contrasts share the 5 % as independent ones
would (Sidak 1967), which holds whatever their correlation.
"""

from collections.abc import Sequence

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL

_FAR = 9.0  # standard deviations beyond which a normal density is nothing
_FINE = 12  # places of an integral to a standard deviation of what is between two looks
_PLACES = range(100, 2000)  # of an integral


def unplanned(look: int) -> float:
    """The level of a look that nobody planned, the first being 1: 1 - 0.05 * 6 / (pi look)^2.

    What all looks spend sums to 5 %, so that no further look ever needs to be the last.

    >>> round(unplanned(1), 4), round(unplanned(2), 4)
    (0.9696, 0.9924)
    """
    return float(1 - (1 - LEVEL) * 6 / (np.pi * look) ** 2)


def chance_of_one(chance: float, count: int) -> float:
    """The chance that each of `count` contrasts may have for all of them to have this one.

    >>> round(chance_of_one(0.05, 8), 5)
    0.00639
    """
    return float(-np.expm1(np.log1p(-chance) / count))


def level_of(bound: float, count: int) -> float:
    """The level of simultaneous intervals of `count` contrasts that reach a boundary."""
    return float(np.exp(count * np.log1p(-2 * scipy.stats.norm.sf(bound))))


def crossings(times: Sequence[float], bounds: Sequence[float]) -> Floats:
    """The chance of |z| to reach its boundary first at each look, where there is no effect.

    Args:
        times: the share of all information that each look has, ascending. bounds: sizes of |z|.

    >>> crossings([0.5, 1.0], [2.797, 1.977]).round(4).tolist()
    [0.0052, 0.0449]
    """
    found, nodes, density, before = [], np.zeros(1), np.ones(1), 0.0
    for time, bound in zip(times, bounds, strict=True):
        step, end = np.sqrt(time - before), bound * np.sqrt(time)
        beyond = scipy.stats.norm.sf((end - nodes) / step)
        beyond += scipy.stats.norm.sf((end + nodes) / step)
        found.append(float(density @ beyond))
        # What goes on: the density of the sum of all that was seen, within the boundary.
        inside = min(end, _FAR * np.sqrt(time))
        places, weights = _simpson(inside, _FINE * inside / step)
        moved = np.exp(-0.5 * np.square((places[:, None] - nodes) / step))
        density = weights * (moved @ density) / (step * np.sqrt(2 * np.pi))
        nodes, before = places, time
    return np.array(found)


def _simpson(end: float, half: float) -> tuple[Floats, Floats]:
    """Places from -end to end, about `half` on each side, and Simpson's weights."""
    pairs = int(np.clip(half, _PLACES.start, _PLACES.stop)) // 2 * 2
    weights = np.tile([4.0, 2.0], pairs)
    weights = np.concatenate([[1.0], weights[:-1], [1.0]]) * end / pairs / 3
    return np.linspace(-end, end, 2 * pairs + 1), weights


def planned(times: Sequence[float], chance: float) -> Floats:
    """O'Brien and Fleming's boundaries of looks at these shares of the information.

    The boundary at share t is c / sqrt(t): with K looks equally far apart, c sqrt(K / look).

    Args:
        chance: of |z| to reach any of them, where there is no effect.

    >>> planned([0.2, 0.4, 0.6, 0.8, 1.0], 0.05).round(2).tolist()
    [4.56, 3.23, 2.63, 2.28, 2.04]
    """
    shape = 1 / np.sqrt(np.asarray(times))

    def missing(c: float) -> float:
        return float(crossings(times, (c * shape).tolist()).sum() - chance)

    single = float(scipy.stats.norm.isf(chance / 2))
    return np.asarray(
        float(scipy.optimize.brentq(missing, single - 1e-6, single + 3, xtol=1e-9)) * shape
    )


def following(times: Sequence[float], bounds: Sequence[float], time: float, chance: float) -> float:
    """The boundary of a look that may spend a chance, after others: with what O'Brien and
    Fleming's spend, and at their shares, it is theirs.

    >>> first, second = planned([0.5, 1.0], 0.05)
    >>> spent = crossings([0.5], [first])[0]
    >>> round(float(following([0.5], [first], 1.0, 0.05 - spent) - second), 6)
    0.0
    """

    if chance <= 0:
        return float("inf")

    def missing(bound: float) -> float:
        return float(crossings([*times, time], [*bounds, bound])[-1] - chance)

    return float(scipy.optimize.brentq(missing, 0.0, 40.0, xtol=1e-9))
