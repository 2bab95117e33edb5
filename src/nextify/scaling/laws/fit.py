"""An exponent from points: the slope of a straight line in log-log coordinates, with its interval.

Ordinary least squares of log y on log x; the interval is Student's, with n - 2 degrees of freedom.
It covers the scatter about the line, not a bend of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nextify.experiments.intervals import student

FEWEST = 3  # points of a line


@dataclass(frozen=True, slots=True)
class Exponent:
    """A fitted exponent.

    Attributes:
        value: the slope. low, high: its 95 % interval. n: points.
        bend: the largest distance of a point from the line, as a factor less one.
    """

    value: float
    low: float
    high: float
    n: int
    bend: float

    @property
    def half(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


def exponent(sizes: Sequence[float], amounts: Sequence[float]) -> Exponent:
    """Fit amount = c size^p; at least three points, all positive.

    >>> round(exponent([1, 2, 4, 8], [3, 12, 48, 192]).value, 6)
    2.0

    Raises:
        ValueError: fewer than three points, or one that is not positive.
    """
    if len(sizes) < FEWEST or min(*sizes, *amounts) <= 0:
        raise ValueError(f"{len(sizes)} points; a line needs three or more, all positive")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(amounts, float))
    line = stats.linregress(x, y)
    half = student(len(x) - 2) * float(line.stderr)
    slope = float(line.slope)
    off = np.abs(y - (line.intercept + slope * x)).max()
    return Exponent(slope, slope - half, slope + half, len(x), float(np.expm1(off)))


def local_exponents(sizes: Sequence[float], amounts: Sequence[float]) -> tuple[float, ...]:
    """The slope between each point and the next.

    >>> [round(slope, 6) for slope in local_exponents([1, 2, 4], [1, 2, 8])]
    [1.0, 2.0]
    """
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(amounts, float))
    return tuple(float(slope) for slope in np.diff(y) / np.diff(x))
