"""What is measured and not counted: a median, and how far measurements spread around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and the quartiles of repeated measurements, in the measurements' own unit.

    Attributes:
        low, high: the first and the third quartile: half of the measurements lie between them.
        count: how many were measured.
    """

    median: float
    low: float
    high: float
    count: int


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of at least one measurement.

    >>> spread_of([1.0, 2.0, 3.0, 4.0, 9.0])
    Spread(median=3.0, low=2.0, high=4.0, count=5)
    """
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], 1)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(median(values), low, high, len(values))
