"""How results show themselves: some lines and a table, as text where they are printed; with a
picture in a notebook, in one piece of HTML that asks nothing of the network."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.ticker import MaxNLocator

from nextify.records import EpochPoint, Record
from nextify.report.canvas import Sheet
from nextify.report.style import BLUE, ORANGE, Drawing, drawn, legible, style
from nextify.words import duration, in_columns, one_line

MOST_ROWS = 12
_CELL = "padding:.2em .7em;text-align:left;vertical-align:middle;border-bottom:1px solid #8884"


def as_url(picture: bytes, kind: str = "jpeg") -> str:
    """A picture within a page."""
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a result.

    Attributes:
        lines: the first is the answer. head, rows: of a table, cells of text or JPEG pictures; the
            first rows are shown. figure: a PNG. of: how many rows there are, where not all are
            given.
    """

    lines: Sequence[str]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str | bytes]] = ()
    figure: bytes | None = None
    of: int | None = None

    @property
    def more(self) -> int:
        """Rows that are not shown; none or fewer if all are."""
        return (self.of or len(self.rows)) - MOST_ROWS

    def as_html(self) -> str:
        """In one piece; the first line in bold."""
        parts = [f"<p><b>{_text(line)}</b></p>" if not at else f"<p>{_text(line)}</p>"
                 for at, line in enumerate(self.lines)]  # fmt: skip
        if self.rows:
            names = "".join(f'<th style="{_CELL}">{_text(name)}</th>' for name in self.head)
            body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows[:MOST_ROWS])
            parts.append(f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>")
        if self.more > 0:
            parts.append(f"<p>and {self.more:,} more</p>")
        if self.figure is not None:
            parts.append(f'<img src="{as_url(self.figure, "png")}" '
                         'style="max-width:100%;width:52em" alt="">')  # fmt: skip
        return f'<div style="max-width:60em">{"".join(parts)}</div>'

    def as_text(self) -> str:
        """Without pictures."""
        lines = [*self.lines]
        if self.rows:
            table = [[one_line(legible(cell)) if isinstance(cell, str) else "" for cell in row]
                     for row in (self.head, *self.rows[:MOST_ROWS])]  # fmt: skip
            told = [at for at in range(len(self.head)) if any(row[at] for row in table[1:])]
            lines += ["", *in_columns([[row[at] for at in told] for row in table])]
        if self.more > 0:
            lines.append(f"and {self.more:,} more")
        return "\n".join(legible(line) for line in lines)


class Shown:
    """A result that shows itself."""

    __slots__ = ()

    def _view(self, *, pictures: bool) -> View:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._view(pictures=False).as_text()

    def _repr_html_(self) -> str:
        return self._view(pictures=True).as_html()


def _cell(of: str | bytes) -> str:
    shown = f'<img src="{as_url(of)}" alt="">' if isinstance(of, bytes) else _text(of)
    return f'<td style="{_CELL}">{shown}</td>'


def _text(text: str) -> str:
    return escape(legible(text))


def view_of_training(record: Record, folder: str, *, pictures: bool) -> View:
    """What came of a training, and its curve."""
    result, measured = record.result, record.measured
    if result is None or measured is None:
        return View([f"{record.outcome}: {record.message}", folder])
    lines = [
        f"accuracy {result.accuracy:.2%} on {result.images:,} test images",
        f"negative log-likelihood {result.nll:.4f} nats, calibration error "
        f"{result.calibration_error:.2%}; trained in {duration(measured.seconds)}, in {folder}",
    ]
    return View(lines, figure=_curve(result.curve).png if pictures and result.curve else None)


def _curve(curve: Sequence[EpochPoint]) -> Drawing:
    """Loss and accuracy by epoch."""
    accuracies = [(at.epoch, 100 * at.accuracy) for at in curve if at.accuracy is not None]
    losses = [(at.epoch, at.train_loss) for at in curve]
    panels = (("Training loss", losses, ORANGE), ("Accuracy, %", accuracies, BLUE))
    with style():
        sheet = Sheet(8.1, 2.6)
        for left, (name, points, color) in zip((0.55, 4.6), panels, strict=True):
            sheet.head(left, 0.14, name, "by epoch")
            axes = sheet.panel((left, 0.5, 3.2, 1.8))
            axes.plot(*zip(*points, strict=True), "o-", color=color, ms=3.5, lw=1.2)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return drawn(sheet.figure, "training", "Training loss and accuracy by epoch.")
