"""Scores as a reader wants them: accuracy in percentage points, the others as they are."""

from dataclasses import dataclass

from nextify.findings import Interval, Score
from nextify.words import MISSING, signed


@dataclass(frozen=True, slots=True)
class Unit:
    """How differences of a score are shown.

    Attributes:
        scale: from the score's own units. name: of the unit. digits: after the point.
        title: of the score. better: `"higher"` or `"lower"`.
    """

    scale: float
    name: str
    digits: int
    title: str
    better: str

    def signed(self, value: float | None) -> str:
        """A difference.

        >>> UNITS["accuracy"].signed(0.0123)
        '+1.23'
        """
        return signed(self.of(value), self.digits)

    def plain(self, value: float | None) -> str:
        """A size, without a sign.

        >>> UNITS["nll"].plain(0.0123)
        '0.012'
        """
        return MISSING if value is None else f"{self.scale * value:.{self.digits}f}"

    def span(self, interval: Interval | None) -> str:
        """An interval of differences."""
        ends = interval and f"{self.signed(interval.low)} to {self.signed(interval.high)}"
        return ends or MISSING

    def ends(self, interval: Interval | None) -> Interval | None:
        """An interval of differences in this unit."""
        return interval and Interval(self.scale * interval.low, self.scale * interval.high)

    def of(self, value: float | None) -> float | None:
        """A difference in this unit."""
        return None if value is None else self.scale * value


UNITS: dict[Score, Unit] = {
    "accuracy": Unit(100.0, "points", 2, "test accuracy", "higher"),
    "nll": Unit(1.0, "nats", 3, "negative log-likelihood", "lower"),
    "logit accuracy": Unit(1.0, "log odds", 3, "logit of test accuracy", "higher"),
}


def amount_of(value: float, score: Score) -> str:
    """A size in the unit that a margin is given in.

    >>> amount_of(0.5, "accuracy")
    '0.5 points'
    """
    return amount(value / UNITS[score].scale, score)


def amount(value: float, score: Score) -> str:
    """A difference of scores in words.

    >>> amount(0.0123, "accuracy"), amount(0.25, "nll"), amount(0.25, "logit accuracy")
    ('1.23 points', '0.25 nats', '0.25 in log odds')
    """
    of = UNITS[score]
    return f"{of.scale * value:.3g} {'in ' if score == 'logit accuracy' else ''}{of.name}"
