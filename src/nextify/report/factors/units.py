"""Scores as a reader wants them: accuracy in percentage points, the others as they are."""

from dataclasses import dataclass
from math import floor, log10
from statistics import pstdev

from nextify.findings import Interval, Score
from nextify.findings.scores import AnyScore, ProbeScore
from nextify.words import MISSING, signed


@dataclass(frozen=True, slots=True)
class Unit:
    """How differences of a score are shown.

    Attributes:
        scale: from the score's own units. name: of the unit. digits: after the point.
        title: of the score. better: `"higher"`, `"lower"`, or empty where neither is.
    """

    scale: float
    name: str
    digits: int
    title: str
    better: str

    @property
    def label(self) -> str:
        """Of an axis of differences.

        >>> UNITS["accuracy"].label
        'points (higher is better)'
        """
        return f"{self.name} ({self.better} is better)" if self.better else self.name

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
    "balanced accuracy": Unit(100.0, "points", 2, "balanced accuracy", "higher"),
    "macro f1": Unit(100.0, "points", 2, "macro F1", "higher"),
}


_BETTER = {1: "higher", 0: "", -1: "lower"}
_DIGITS = 3  # of a difference as large as values differ
_MOST_DIGITS = 9


def unit_of(score: AnyScore) -> Unit:
    """How differences of a score are shown: of a probe in its own unit; shares and per cent in
    points.

    >>> of = unit_of(ProbeScore("effective-receptive-field", "%", 0, {"a": 10, "b": 40}, {}))
    >>> of.title, of.signed(1.25), of.name
    ('effective receptive field', '+1.2', 'points')
    """
    if not isinstance(score, ProbeScore):
        return UNITS[score]
    scale = 100.0 if score.unit.startswith("share") else 1.0
    name = "points" if scale > 1 or score.unit in ("%", "per cent") else score.unit or "units"
    title = score.name.replace("-", " ").replace(".", ", ")
    return Unit(scale, name, _digits(score, scale), title, _BETTER[score.better])


def _digits(score: ProbeScore, scale: float) -> int:
    sd = scale * pstdev(score.values.values()) if score.values else 0.0
    return min(_MOST_DIGITS, max(0, _DIGITS - 1 - floor(log10(sd)))) if sd > 0 else 2


def amount_of(value: float, score: AnyScore) -> str:
    """A size in the unit that a margin is given in.

    >>> amount_of(0.5, "accuracy")
    '0.5 points'
    """
    return amount(value / unit_of(score).scale, score)


def amount(value: float, score: AnyScore) -> str:
    """A difference of scores in words.

    >>> amount(0.0123, "accuracy"), amount(0.25, "nll"), amount(0.25, "logit accuracy")
    ('1.23 points', '0.25 nats', '0.25 in log odds')
    """
    of = unit_of(score)
    return f"{of.scale * value:.3g} {'in ' if score == 'logit accuracy' else ''}{of.name}"
