"""Confidence intervals: their level, and how many standard errors they reach."""

from dataclasses import dataclass
from functools import lru_cache

import scipy

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval.

    >>> Interval(0.1, 0.3).excludes_zero
    True
    """

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2

    @property
    def farthest(self) -> float:
        """How far from zero its farther end is."""
        return max(abs(self.low), abs(self.high))

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


def around(value: float, half: float) -> Interval:
    """The interval `value` plus and minus `half`."""
    return Interval(value - half, value + half)


def of_share(interval: Interval | None) -> Interval | None:
    """The interval of a share, as an accuracy, within 0 and 1: beyond lies no share.

    >>> of_share(Interval(0.93, 1.02))
    Interval(low=0.93, high=1.0)
    """
    return interval and Interval(max(interval.low, 0.0), min(interval.high, 1.0))


def upper(count: int = 1, level: float = LEVEL) -> float:
    """The chance below the upper end of each of `count` independent two-sided intervals that hold
    together 95 times in 100, or as often as `level` says (Sidak 1967).

    >>> upper(), round(upper(8), 4)
    (0.975, 0.9968)
    """
    return float((1 + level ** (1 / count)) / 2)


@lru_cache(maxsize=4096)
def student(df: float, count: int = 1, level: float = LEVEL) -> float:
    """How many standard errors a 95 % interval reaches to each side, or each of `count` that hold
    together; or one of another level.

    >>> round(student(1), 1), round(student(14), 2), round(student(64, 8), 2)
    (12.7, 2.14, 2.82)
    """
    return float(scipy.stats.t.ppf(upper(count, level), df))
