"""A figure as a sheet of paper: positions in inches from the top left, panels laid upon it."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from nextify.report import style as look
from nextify.report.style import BAND, GREY, INK

SMALL = 7.0
Box = tuple[float, float, float, float]  # left, top, width, height in inches
Marks = Sequence[tuple[dict[str, Any], str]]  # line properties, and what such a mark means


class Sheet:
    """A figure of some size, with text and bands at positions in inches from the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def text(self, x: float, y: float, text: str, align: str = "left", **style: Any) -> Text:
        """Write."""
        style = {"size": 8.0, "color": INK, "ha": align, "va": "center_baseline", **style}
        return self.axes.text(x, y, text, **style)

    def end(self, text: Text) -> float:
        """Where a text ends, in inches from the left. It draws the figure, which takes time."""
        box = text.get_window_extent().transformed(self.axes.transData.inverted())
        return float(box.x1)

    def inches(self, point: Any) -> tuple[float, float]:
        """Where a point given in pixels stands, in inches from the left and the top."""
        x, y = self.axes.transData.inverted().transform(point)
        return float(x), float(y)

    def head(self, x: float, y: float, text: str, under: str = "", align: str = "left") -> None:
        """A column's heading, and a small line under it."""
        self.text(x, y, text, align, weight="bold")
        self.text(x, y + 0.17, under, align, size=SMALL, color=GREY)

    def line(self, y: float) -> None:
        """A rule across the sheet."""
        self.axes.plot([0, self.width], [y, y], color=GREY, lw=0.6)

    def bands(self, top: float, row: float, rows: int) -> None:
        """Every second row shaded."""
        for at in range(0, rows, 2):
            self.axes.add_patch(
                Rectangle((0, top + at * row), self.width, row, color=BAND, linewidth=0, zorder=0)
            )

    def panel(self, box: Box, rows: int | None = None) -> Axes:
        """Axes in a box; with `rows`, a row 0, 1, ... each, from the top, without a y axis."""
        left, top, wide, high = box
        axes = self.figure.add_axes(
            (left / self.width, 1 - (top + high) / self.height, wide / self.width,
             high / self.height)
        )  # fmt: skip
        axes.patch.set_alpha(0)
        axes.tick_params(labelsize=SMALL)
        if rows is None:
            look.plain(axes, "both")
            return axes
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_yticks([])
        look.plain(axes)
        ticks = MaxNLocator(max(2, round(wide / 0.45)), steps=[1, 2, 5, 10])
        axes.xaxis.set_major_locator(ticks)
        return axes

    def key(self, x: float, y: float, marks: Marks) -> float:
        """What marks mean, drawn with the marks, in as many lines as it takes; returns the y of
        the last."""
        start = x
        for mark, meaning in marks:
            if x > start and x + 0.14 + 0.0605 * len(meaning) > self.width:
                x, y = start, y + 0.18
            self.axes.plot(x, y, linestyle="none", **mark)
            x = self.end(self.text(x + 0.14, y, meaning, size=SMALL)) + 0.25
        return y


def key_lines(width: float, marks: Marks) -> int:
    """How many lines a key takes, by a generous guess: heights are fixed before text is drawn."""
    lines, x = 1, 0.0
    for _, meaning in marks:
        wide = 0.14 + 0.0605 * len(meaning)
        if x and x + wide > width:
            lines, x = lines + 1, 0.0
        x += wide + 0.25
    return lines


def limits(values: Sequence[float | None], pad: float = 0.07) -> tuple[float, float]:
    """Of an axis that holds zero and all values.

    >>> limits([1.0, None, 4.0], pad=0.25)
    (-1.0, 5.0)
    """
    known = [0.0, *(value for value in values if value is not None)]
    low, high = min(known), max(known)
    room = pad * (high - low) or 0.5
    return low - room, high + room


def shrunk(name: str, wide: float, size: float) -> str:
    """A name that fits a width in inches at a font size."""
    return look.shortened(name, max(4, int(wide / (size * 0.0077))))
