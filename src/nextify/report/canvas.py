"""A figure as a sheet of paper: positions in inches from the top left, panels laid upon it."""

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Type:
    """How headings and keys are set.

    Attributes:
        small: size of small type. letter: a generous width of its letters, inches.
        under: from a heading to the line under it. gap: from a mark to what it means.
        align: headings and notes, vertically.
    """

    small: float = SMALL
    letter: float = 0.0605
    under: float = 0.17
    gap: float = 0.14
    align: str = "center_baseline"

    def wide(self, meaning: str) -> float:
        """A mark with its meaning, by a guess."""
        return self.gap + self.letter * len(meaning)


PLAIN = Type()


class Sheet:
    """A figure of some size, with text and bands at positions in inches from the top left."""

    def __init__(self, width: float, height: float, of: Type = PLAIN) -> None:
        self.width, self.height, self.type = width, height, of
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def text(self, x: float, y: float, text: str, align: str = "left", **style: Any) -> Text:
        """Write."""
        style = {"size": 8.0, "color": INK, "ha": align, "va": "center_baseline", **style}
        return self.axes.text(x, y, look.legible(text), **style)

    def inches(self, point: Any) -> tuple[float, float]:
        """Where a point given in pixels stands, in inches from the left and the top."""
        x, y = self.axes.transData.inverted().transform(point)
        return float(x), float(y)

    def head(self, x: float, y: float, text: str, under: str = "", align: str = "left") -> None:
        """A column's heading, and a small line under it."""
        self.text(x, y, text, align, weight="bold", va=self.type.align)
        self.note(x, y + self.type.under, under, align)

    def note(self, x: float, y: float, text: str, align: str = "left") -> None:
        """A small grey line."""
        self.text(x, y, text, align, size=self.type.small, color=GREY, va=self.type.align)

    def line(self, y: float) -> None:
        """A rule across the sheet."""
        self.axes.plot([0, self.width], [y, y], color=GREY, lw=0.6)

    def bands(self, top: float, row: float, rows: int) -> None:
        """Every second row shaded."""
        for at in range(0, rows, 2):
            self.axes.add_patch(
                Rectangle((0, top + at * row), self.width, row, color=BAND, linewidth=0, zorder=0)
            )

    def panel(self, box: Box, rows: int | None = None, ticks: int | None = None) -> Axes:
        """Axes in a box; with `rows`, a row 0, 1, ... each, from the top, without a y axis."""
        left, top, wide, high = box
        axes = self.figure.add_axes(
            (left / self.width, 1 - (top + high) / self.height, wide / self.width,
             high / self.height)
        )  # fmt: skip
        axes.patch.set_alpha(0)
        axes.tick_params(labelsize=self.type.small)
        if rows is None:
            look.plain(axes, "both")
            return axes
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_yticks([])
        look.plain(axes)
        most = ticks or max(2, round(wide / 0.45))
        axes.xaxis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
        return axes

    def key(self, x: float, y: float, marks: Marks) -> float:
        """What marks mean, drawn with the marks, in as many lines as it takes; returns the y of
        the last."""
        start = x
        for mark, meaning in marks:
            if x > start and x + self.type.wide(meaning) > self.width:
                x, y = start, y + 0.18
            self.axes.plot(x, y, linestyle="none", **mark)
            text = self.text(x + self.type.gap, y, meaning, size=self.type.small)
            x = self.inches((text.get_window_extent().x1, 0.0))[0] + 0.25
        return y


def key_lines(width: float, marks: Marks, of: Type = PLAIN) -> int:
    """How many lines a key takes, by a generous guess: heights are fixed before text is drawn."""
    lines, x = 1, 0.0
    for _, meaning in marks:
        wide = of.wide(meaning)
        if x and x + wide > width:
            lines, x = lines + 1, 0.0
        x += wide + 0.25
    return lines


def shrunk(name: str, wide: float, size: float) -> str:
    """A name that fits a width in inches at a font size."""
    return look.shortened(name, max(4, int(wide / (size * 0.0077))))
