"""The marks in a figure with a row for each step or network: accuracies, differences, trouble."""

from collections.abc import Iterable

from matplotlib.axes import Axes

from nextify.report.content import CellNumbers
from nextify.report.style import BAR, BLUE, GREY, INK, ORANGE

_SMALL = 7.3


def fit_values(axes: Axes, values: Iterable[float | None]) -> None:
    """Let the horizontal axis hold all values."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    pad = 0.06 * (high - low) or 0.5
    axes.set_xlim(low - pad, high + pad)


def mark_accuracy(axes: Axes, at: int, row: CellNumbers, shape: str = "o") -> None:
    """The mean with its interval and single runs; what gave no score. Axes have their limits."""
    if row.accuracy is not None:
        # A bar, as in the paper's figure; pale, because it does not start at 0 and its length
        # says nothing: the dot and its interval do.
        start = axes.get_xlim()[0]
        axes.barh(at, row.accuracy - start, left=start, height=0.5, color=BAR, zorder=0)
        seeds = [value for value in row.accuracies if value is not None]
        if row.n > 1:
            axes.plot(seeds, [at] * row.n, "|", color=INK, ms=7, mew=0.7, zorder=3)
        if row.interval:
            axes.plot(row.interval, [at] * 2, color=BLUE, lw=2.2, alpha=0.55,
                      solid_capstyle="butt", zorder=2)  # fmt: skip
        axes.plot(row.accuracy, at, shape, color=BLUE, ms=4.6, mec="white", mew=0.6, zorder=4)
    _mark_trouble(axes, at, row)


def _mark_trouble(axes: Axes, at: int, row: CellNumbers) -> None:
    """Runs without a score, in the row's emptier half: they must not go unseen."""
    if row.n and not row.trouble:
        return
    low, high = axes.get_xlim()
    leftwards = row.accuracy is None or row.accuracy > (low + high) / 2
    x, shift, side = (0.025, 5, "left") if leftwards else (0.975, -5, "right")
    frame = axes.get_yaxis_transform()
    if row.trouble:
        axes.plot(x, at, "D", transform=frame, mfc="white", mec=ORANGE, mew=1.1, ms=4.4,
                  clip_on=False, zorder=5)  # fmt: skip
    axes.annotate(row.trouble or "not run yet", (x, at), xycoords=frame,
                  xytext=(shift if row.trouble else 0, 0), textcoords="offset points", ha=side,
                  va="center", size=_SMALL, color=INK if row.trouble else GREY)  # fmt: skip


def mark_difference(axes: Axes, at: int, row: CellNumbers) -> None:
    """The difference with its interval: filled where that excludes zero."""
    if row.difference is None:
        return
    color = ORANGE if row.verdict == "down" else BLUE
    if row.difference_interval:
        axes.plot(row.difference_interval, [at] * 2, color=color, lw=1.3,
                  solid_capstyle="butt", zorder=2)  # fmt: skip
    filled = color if row.verdict in ("up", "down") else "white"
    axes.plot(row.difference, at, "o", mfc=filled, mec=color, ms=4.2, mew=1.0, zorder=3)
