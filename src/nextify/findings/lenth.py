"""Effects without repeated runs: Lenth's pseudo standard error and half-normal scores."""

from dataclasses import dataclass

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import student

_ROUNDING = 1e-10


@dataclass(frozen=True, slots=True)
class Lenth:
    """Lenth's margins for m effects of equal variance (Lenth 1989, Technometrics 31(4)).

    Attributes:
        effects: how many. error: the pseudo standard error. df: m/3.
        margin: of error, for one effect; simultaneous: for all m together.
    """

    effects: int
    error: float
    df: float
    margin: float
    simultaneous: float


def lenth(effects: Floats) -> Lenth | None:
    """The pseudo standard error of effects of which most are thought to be nothing.

    1.5 times the median of the absolute effects, taken again over those below 2.5 times the first.
    None for fewer than 3 effects, or where most are exactly zero.

    >>> lenth(np.array([0.1, -0.2, 0.15, 3.0, 0.05, -0.1, 0.12])).error
    0.165
    """
    sizes = np.abs(effects)
    if len(sizes) < 3:
        return None
    first = 1.5 * np.median(sizes)
    if first <= _ROUNDING * sizes.max():
        return None
    error = float(1.5 * np.median(sizes[sizes < 2.5 * first]))
    count, df = len(sizes), len(sizes) / 3
    return Lenth(count, error, df, student(df) * error, student(df, count) * error)


def half_normal_scores(effects: Floats) -> Floats:
    """Where each effect belongs on the axis of a half-normal plot (Daniel 1959).

    Effects that are only noise lie, by their size against this, on a line through zero.

    >>> half_normal_scores(np.array([0.3, -0.1, 0.2])).round(3).tolist()
    [1.383, 0.21, 0.674]
    """
    ranks = scipy.stats.rankdata(np.abs(effects), method="ordinal")
    return np.asarray(scipy.stats.norm.ppf(0.5 + 0.5 * (ranks - 0.5) / len(effects)))
