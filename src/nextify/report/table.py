"""A figure as a table whose cells hold text and marks, a row each.

After Figure 2 of arXiv 2201.03545, with the uncertainty. Positions are in inches from the top left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nextify.report.canvas import PLAIN, Marks, Sheet, Type, key_lines
from nextify.report.style import BAR, INK

_ROW = 0.265
_TOP = 0.5
_BAR = 0.46  # the longest

Head = tuple[str, str]  # in bold, and in small type under it


@dataclass(frozen=True, slots=True)
class Words:
    """A column of text that ends at `at`, or begins there.

    Attributes:
        share: how long the bar behind a cell is, of the longest; None for no bars.
    """

    at: float
    cell: Callable[[Any], str]
    head: Head = ("", "")
    align: str = "right"
    color: str = INK
    weight: str = "normal"
    share: Callable[[Any], float] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A column of marks from `at` on, with about as many ticks as stated."""

    at: float
    wide: float
    ticks: int
    head: Head
    draw: Callable[[Axes, Sequence[Any]], None]
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the columns.

    Attributes:
        left: edge of the note. key: of the key.
        axis: from the last row to the key. foot: from the key to the lower edge.
        type: of headings and the key.
    """

    width: float
    left: float = 0.1
    key: float = 0.2
    axis: float = 0.4
    foot: float = 0.35
    type: Type = PLAIN


def table(
    rows: Sequence[Any],
    columns: Sequence[Words | Panel],
    frame: Frame,
    marks: Marks,
    note: str,
) -> Sheet:
    """Draw the rows, then what the marks mean and a note; call it within `style()`."""
    key = _TOP + _ROW * len(rows) + frame.axis
    lines = key_lines(frame.width - frame.key - 0.2, marks, frame.type)
    sheet = Sheet(frame.width, key + frame.foot + 0.18 * lines, frame.type)
    sheet.bands(_TOP, _ROW, len(rows))
    texts = [column for column in columns if isinstance(column, Words)]
    for at, row in enumerate(rows):
        for text in texts:
            _write(sheet, text, row, _TOP + (at + 0.5) * _ROW)
    for panel in columns:
        if isinstance(panel, Panel):
            box = (panel.at, _TOP, panel.wide, _ROW * len(rows))
            panel.draw(sheet.panel(box, len(rows), panel.ticks), rows)
    for column in columns:
        sheet.head(column.at, 0.14, *column.head, column.align)
    sheet.line(_TOP)
    last = sheet.key(frame.key, key, marks)
    sheet.note(frame.left, last + 0.2, note)
    return sheet


def _write(sheet: Sheet, column: Words, row: Any, y: float) -> None:
    if column.share:
        corner, size = (column.at - _BAR, y - 0.08), (_BAR * column.share(row), 0.16)
        sheet.axes.add_patch(Rectangle(corner, *size, color=BAR, linewidth=0))
    style = {"color": column.color, "weight": column.weight}
    sheet.text(column.at, y, column.cell(row), column.align, **style)
