"""How results show themselves in a notebook: some lines, a table, a picture, in one piece of HTML
that asks nothing of the network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from matplotlib.ticker import MaxNLocator

from nextify.records import EpochPoint, Record
from nextify.report.canvas import Sheet
from nextify.report.style import BLUE, ORANGE, Drawing, drawn, legible, style
from nextify.words import duration

MOST_ROWS = 12
_CELL = "padding:.2em .7em;text-align:left;vertical-align:middle;border-bottom:1px solid #8884"


def as_url(picture: bytes, kind: str = "jpeg") -> str:
    """A picture within a page."""
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


def in_notebook(
    lines: Sequence[str],
    head: Sequence[str] = (),
    rows: Sequence[Sequence[str | bytes]] = (),
    figure: bytes | None = None,
    *,
    of: int | None = None,
) -> str:
    """Lines, the first in bold; the first rows of a table, of text and of JPEG pictures; a PNG.

    Args:
        of: how many rows there are, where not all are given.
    """
    parts = [f"<p><b>{_text(line)}</b></p>" if not at else f"<p>{_text(line)}</p>"
             for at, line in enumerate(lines)]  # fmt: skip
    if rows:
        names = "".join(f'<th style="{_CELL}">{_text(name)}</th>' for name in head)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:MOST_ROWS])
        parts.append(f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>")
    if (more := (of or len(rows)) - MOST_ROWS) > 0:
        parts.append(f"<p>and {more:,} more</p>")
    if figure is not None:
        parts.append(
            f'<img src="{as_url(figure, "png")}" style="max-width:100%;width:52em" alt="">'
        )
    return f'<div style="max-width:60em">{"".join(parts)}</div>'


def _cell(of: str | bytes) -> str:
    shown = f'<img src="{as_url(of)}" alt="">' if isinstance(of, bytes) else _text(of)
    return f'<td style="{_CELL}">{shown}</td>'


def _text(text: str) -> str:
    return escape(legible(text))


def trained_in_notebook(record: Record, folder: str) -> str:
    """What came of a training, and its curve."""
    result, measured = record.result, record.measured
    if result is None or measured is None:
        return in_notebook([f"{record.outcome}: {record.message}", folder])
    lines = [
        f"accuracy {result.accuracy:.2%} on {result.images:,} test images",
        f"negative log-likelihood {result.nll:.4f} nats, calibration error "
        f"{result.calibration_error:.2%}; trained in {duration(measured.seconds)}, in {folder}",
    ]
    return in_notebook(lines, figure=_curve(result.curve).png if result.curve else None)


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
