"""Marks that figures share, and where they find room."""

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes

from nextify.findings import Interval
from nextify.report.canvas import Marks
from nextify.report.style import GREY
from nextify.words import percent


def spanned(
    axes: Axes, within: Interval | None, at: float, upright: bool = False, **style: Any
) -> None:
    """A bar from one end of an interval to the other; nothing where there is none."""
    if within:
        along, across = ends(within), (at, at)
        x, y = (across, along) if upright else (along, across)
        axes.plot(x, y, solid_capstyle="butt", **style)


def ends(within: Interval | None) -> tuple[float, ...]:
    """Of an interval, low and high; none where there is none."""
    return (within.low, within.high) if within else ()


def fit_across(axes: Axes, values: Iterable[float | None], chance: float | None = None) -> None:
    """Let the horizontal axis hold all values, and the level of chance if it is near."""
    axes.set_xlim(with_chance(holding(values), chance))
    mark_chance(axes, chance)


def holding(values: Iterable[float | None], pad: float = 0.06) -> tuple[float, float]:
    """Limits of an axis that holds all values, with room of `pad` of their range on either side."""
    known = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = pad * (high - low) or 0.5
    return low - room, high + room


def with_chance(limits: tuple[float, float], level: float | None) -> tuple[float, float]:
    """Limits of an axis of accuracies that hold the level of chance, where that takes no more than
    half of their range besides: it is not worth squashing what is far above it.

    >>> with_chance((20.0, 60.0), 10.0), with_chance((90.0, 95.0), 10.0)
    ((9.0, 60.0), (90.0, 95.0))
    """
    low, high = limits
    if level is None or level >= low or low - level > 0.5 * (high - low):
        return limits
    return level - 0.1 * (low - level), high


def leaves_out_zero(values: Iterable[float | None], level: float | None) -> bool:
    """Whether the axis that holds these accuracies, and chance if it is near, does not hold 0."""
    return bool(with_chance(holding(values), level)[0] > 0)


def mark_chance(axes: Axes, level: float | None, upright: bool = False) -> None:
    """A dotted line at the level of chance, where the axis of accuracies holds it; `upright`: that
    is the vertical axis."""
    low, high = axes.get_ylim() if upright else axes.get_xlim()
    if level is not None and low <= level <= high:
        draw = axes.axhline if upright else axes.axvline
        draw(level, color=GREY, lw=0.9, linestyle=(0, (1, 1.5)), zorder=1)


def chance_key(level: float | None) -> tuple[bool, dict[str, Any], str]:
    """What the dotted line is, or where it would be, for `occurring`."""
    mark = {"marker": ".", "color": GREY, "ms": 2.5}
    return level is not None, mark, f"dotted: chance, {percent(level)} %, where in range"


def mark_paper(axes: Axes, at: int, value: float, error: float | None) -> None:
    """What the paper has in a row: a hollow triangle, a bar for its error on either side."""
    if error is not None:
        spanned(axes, Interval(value - error, value + error), at, color=GREY, lw=1.3)
    axes.plot(value, at, "^", mfc="white", mec=GREY, ms=4.6, mew=1.0)


def occurring(marks: Iterable[tuple[object, dict[str, Any], str]]) -> Marks:
    """Of marks with their meaning those that occur: whose first entry is true."""
    return [(mark, text) for shown, mark, text in marks if shown]


def apart(wanted: list[float], least: float) -> list[float]:
    """Ascending positions at least `least` apart, as near as may be to those wanted (ascending).

    Neighbours that are too close form a stack about their mean; stacks that meet merge.

    >>> apart([0.0, 0.1, 5.0], 1.0)
    [-0.45, 0.55, 5.0]
    """
    stacks: list[list[float]] = []
    for position in wanted:
        stacks.append([position])
        while len(stacks) > 1 and _start(stacks[-1], least) < _end(stacks[-2], least) + least:
            last = stacks.pop()
            stacks[-1].extend(last)
    return [_start(s, least) + least * at for s in stacks for at in range(len(s))]


def _start(stack: list[float], least: float) -> float:
    return sum(stack) / len(stack) - least * (len(stack) - 1) / 2


def _end(stack: list[float], least: float) -> float:
    return _start(stack, least) + least * (len(stack) - 1)


def limits(values: Sequence[float | None]) -> tuple[float, float]:
    """Of an axis that holds zero and all values.

    >>> limits([1.0, None, 4.0])
    (-0.28, 4.28)
    """
    return holding([0.0, *values], 0.07)
