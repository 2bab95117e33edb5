"""The figure of a choice: what each finalist reached, and what the screening had predicted."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from nextify.findings.choice import Choice, Finalist
from nextify.report import style as look
from nextify.report.choice.words import standing
from nextify.report.details import hundredfold
from nextify.report.marks import chance_key, ends, fit_across, leaves_out_zero, occurring, spanned
from nextify.report.style import BLUE, GREY, INK, Drawing
from nextify.report.table import Frame, Panel, Words, table
from nextify.words import large, percent

_PREDICTED: dict[str, Any] = {"marker": "v", "mfc": "white", "mec": GREY, "ms": 4.6, "mew": 1.0}
_MEAN: dict[str, Any] = {"marker": "o", "color": BLUE, "mec": "white", "ms": 5.2, "mew": 0.6}


def choice_figure(choice: Choice, *, held_out: bool = False) -> Drawing:
    """Accuracies with their intervals, costs and standing, a row a finalist."""
    rows = [hundredfold(each) for each in choice.finalists]
    level = None if choice.chance is None else 100 * choice.chance.share
    columns: list[Words | Panel] = [
        Words(0.1, lambda row: look.squeezed(row.name, 22), ("Design", "of the finals"), "left"),
        Panel(
            1.75,
            2.2,
            5,
            ("Accuracy, %", f"on {'held-out' if held_out else 'test'} images"),
            partial(_accuracies, level),
        ),
        Words(4.42, lambda row: percent(row.mean), ("Mean, %", ""), weight="bold"),
        Words(4.72, lambda row: str(row.finished), ("n", "runs"), color=GREY),
        Words(5.32, lambda row: large(row.macs), ("MACs", "an image")),
        Words(5.94, lambda row: large(row.params), ("Param.", "in all")),
        Words(6.08, standing, ("Standing", ""), "left"),
    ]
    before = "no run before had" if choice.race else "the screening had not"
    axis = " The accuracy axis does not start at 0." * leaves_out_zero(_shown(rows), level)
    note = f"n = {max(row.runs for row in rows)} runs a design were planned, with seeds that "
    note += f"{before}.{axis}"
    marks = occurring([
        (any(row.mean is not None for row in rows), _MEAN, "mean"),
        (any(row.interval for row in rows),
         {"marker": "_", "color": BLUE, "ms": 12, "mew": 3.2, "alpha": 0.55},
         "95 % for all together, new seeds"),
        (any(row.wide for row in rows), {"marker": "_", "color": INK, "ms": 12, "mew": 0.8},
         "and new test images"),
        (any(row.predicted is not None for row in rows), _PREDICTED, "predicted by the screening"),
        chance_key(level),
    ])  # fmt: skip
    with look.style():
        sheet = table(rows, columns, Frame(8.1), marks, note)
        return look.drawn(sheet.figure, "finalists", _description(rows))


def _accuracies(chance: float | None, axes: Axes, rows: Sequence[Finalist]) -> None:
    fit_across(axes, _shown(rows), chance)
    for at, row in enumerate(rows):
        spanned(axes, row.interval, at, color=BLUE, lw=3.2, alpha=0.55, zorder=2)
        spanned(axes, row.wide, at, color=INK, lw=0.8, zorder=3)
        if row.mean is not None:
            axes.plot(row.mean, at, zorder=5, **_MEAN)
        if row.predicted is not None:
            axes.plot(row.predicted, at - 0.27, zorder=4, **_PREDICTED)


def _shown(rows: Sequence[Finalist]) -> list[float | None]:
    """What the axis has to hold."""
    values = [(row.mean, row.predicted, *ends(row.interval), *ends(row.wide)) for row in rows]
    return [value for row in values for value in row]


def _description(rows: Sequence[Finalist]) -> str:
    told = [f"{row.name} {percent(row.mean)} %, {row.standing}" for row in rows]
    return f"Accuracy of each finalist: {'; '.join(told)}. The table holds the numbers."
