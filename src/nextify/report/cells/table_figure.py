"""The main figure as a table: a row a step, or a row a network."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from nextify.findings.comparison import BASELINE
from nextify.report import style as look
from nextify.report.canvas import Marks, Type
from nextify.report.cells.content import CellsContent, ComparisonContent, Row, StepsContent
from nextify.report.cells.line_figure import cut_off, footnote, marks_of
from nextify.report.marks import chance_key, ends, fit_across, mark_paper, occurring, spanned
from nextify.report.style import BAR, BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.report.table import Frame, Head, Panel, Words, table
from nextify.words import large, percent, plural, signed, whole

_SMALL = 7.3
_LETTERS = 28  # of a network's name
_STEP_TYPE = Type(small=_SMALL, letter=0.064, under=0.18, gap=0.13, align="center")

_Columns = list[Words | Panel]


class _Layout(NamedTuple):
    """Where columns stand: left edge, width and ticks of panels, ends of numbers."""

    accuracy: tuple[float, float, int]
    mean: float
    n: float
    difference: tuple[float, float, int]
    moved: float
    macs: float
    params: float


_STEPS = _Layout((1.92, 1.90, 5), 4.26, 4.52, (4.68, 1.12, 3), 6.22, 6.84, 7.45)
# Narrower panels, so that the type stays legible at an A4 page's width.
_WITH_PAPER = _Layout((1.92, 1.55, 5), 3.92, 4.2, (4.34, 1.0, 3), 5.74, 6.32, 6.92)
_NETWORKS = _Layout((2.06, 1.85, 4), 4.42, 4.7, (4.88, 1.12, 2), 6.44, 7.1, 7.72)


def step_figure(content: StepsContent) -> Drawing:
    """Accuracy, differences and costs of every step, with the paper's accuracies where given."""
    layout, width = (_WITH_PAPER, 8.55) if content.has_paper else (_STEPS, 7.5)
    most = max(row.cell.macs for row in content.rows)
    columns = [
        Words(0.26, lambda row: str(row.at), color=GREY),
        Words(0.34, _step_name, ("Step", "each on the one before"), "left"),
        *_accuracies(layout, _accuracy_head(content), _path),
        *_differences(layout, "to the step before", lambda row: signed(row.move.value)),
        *_costs(layout, lambda row: row.cell.macs / most),
        *(_paper(content) if content.has_paper else []),
    ]
    frame = Frame(width, left=0.34, key=0.39, axis=0.39, foot=0.18, type=_STEP_TYPE)
    with look.style():
        sheet = table(content.rows, columns, frame, _step_marks(content), _step_note(content))
        return look.drawn(sheet.figure, "steps", _of_steps(content))


def _accuracy_head(content: CellsContent) -> tuple[str, str]:
    if content.plan.held_out:
        return ("Accuracy, %", "on held-out images")
    return ("Test accuracy, %", _data(content))


def row_figure(content: ComparisonContent) -> Drawing:
    """Accuracy and the difference to the baseline, a row a network, where there is one number of
    training images."""
    names = short_names(content)
    images = f"{whole(content.found.images[0])} training images"
    head = _accuracy_head(content)
    against = f"to {look.shortened(content.baseline, 24)}"
    columns = [
        Words(0.1, lambda row: names[row.at], ("Network", images), "left"),
        *_accuracies(_NETWORKS, head, _each_accuracy),
        *(_differences(_NETWORKS, against, _to_baseline) if content.moved else []),
        *_costs(_NETWORKS),
    ]
    marks = marks_of(content, "_", "|")
    with look.style():
        sheet = table(content.rows, columns, Frame(7.8), marks, footnote(content))
        return look.drawn(sheet.figure, "accuracy", _of_networks(content))


def _data(content: CellsContent) -> str:
    return look.shortened(str(content.plan.data.get("name", "")), 26)


def _accuracies(
    layout: _Layout, head: Head, draw: Callable[[Axes, Sequence[Row]], None]
) -> _Columns:
    return [
        Panel(*layout.accuracy, head, draw),
        Words(layout.mean, lambda row: percent(row.accuracy), ("Mean, %", ""), weight="bold"),
        Words(layout.n, lambda row: str(row.n), ("n", "runs"), color=GREY),
    ]


def _differences(layout: _Layout, reference: str, cell: Callable[[Row], str]) -> _Columns:
    head = ("Difference, points", reference)
    return [Panel(*layout.difference, head, _each_difference), Words(layout.moved, cell)]


def _costs(layout: _Layout, share: Callable[[Row], float] | None = None) -> _Columns:
    macs, params = ("MACs", "an image"), ("Param.", "in all")
    return [
        Words(layout.macs, lambda row: large(row.cell.macs), macs, share=share),
        Words(layout.params, lambda row: large(row.cell.params), params),
    ]


def _paper(content: StepsContent) -> _Columns:
    """The paper's accuracies with their standard deviations, on their own axis."""
    any_sd = any(row.cell.paper and row.cell.paper.sd is not None for row in content.rows)
    return [
        Panel(7.04, 0.62, 3, ("The paper", "ImageNet top-1, %"), _each_paper),
        Words(8.5 - 0.42 * any_sd, _paper_accuracy),
        Words(8.5, _paper_sd, color=GREY),
    ]


def _step_name(row: Row) -> str:
    return look.shortened(row.name, 25)


def _to_baseline(row: Row) -> str:
    return signed(row.move.value) if row.at != BASELINE else "baseline"


def _paper_accuracy(row: Row) -> str:
    return percent(row.cell.paper.accuracy) if row.cell.paper else ""


def _paper_sd(row: Row) -> str:
    paper = row.cell.paper
    return f" ± {paper.sd:.2f}" if paper and paper.sd is not None else ""


def short_names(content: ComparisonContent) -> list[str]:
    """The networks' names; one that is too long is shortened alike at each of its rates."""
    rates = [f", rate {row.cell.rate:g}" for row in content.rows]
    ends = [end * row.name.endswith(end) for row, end in zip(content.rows, rates, strict=True)]
    room = _LETTERS - max(map(len, ends))
    return [
        look.squeezed(row.name.removesuffix(end), room) + end
        for row, end in zip(content.rows, ends, strict=True)
    ]


def _path(axes: Axes, rows: Sequence[Row]) -> None:
    """Each step's accuracy: a square where the recipe is not the last step's; joined by a line
    that is broken where there is no score."""
    scored = np.array([row.accuracy for row in rows], float)
    axes.plot(scored, range(len(rows)), color=PALE, lw=1.0, zorder=1)
    last = rows[-1].cell.recipe_name
    _each_accuracy(axes, rows, [look.marker(row.cell.recipe_name, last) for row in rows])


def _each_accuracy(axes: Axes, rows: Sequence[Row], shapes: Iterable[str] = repeat("o")) -> None:
    fit_across(axes, [v for row in rows for v in row.shown], rows[0].chance_level)
    for (at, row), shape in zip(enumerate(rows), shapes, strict=False):
        _accuracy(axes, at, row, shape)


def _accuracy(axes: Axes, at: int, row: Row, shape: str) -> None:
    """The mean with its interval and single runs; what gave no score. Axes have their limits."""
    if row.accuracy is not None:
        # A bar, as in the paper's figure; pale, because it does not start at 0 and its length
        # says nothing: the dot and its interval do.
        start = axes.get_xlim()[0]
        axes.barh(at, row.accuracy - start, left=start, height=0.5, color=BAR, zorder=0)
        seeds = [value for value in row.mean.values if value is not None]
        if row.n > 1:
            axes.plot(seeds, [at] * row.n, "|", color=INK, ms=7, mew=0.7, zorder=3)
        spanned(axes, row.mean.interval, at, color=BLUE, lw=2.2, alpha=0.55, zorder=2)
        axes.plot(row.accuracy, at, shape, color=BLUE, ms=4.6, mec="white", mew=0.6, zorder=4)
    if row.trouble or not row.n:
        _trouble(axes, at, row)


def _trouble(axes: Axes, at: int, row: Row) -> None:
    """Runs without a score, in the row's emptier half: they must not go unseen."""
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


def _each_difference(axes: Axes, rows: Sequence[Row]) -> None:
    """With the interval: filled where that excludes zero."""
    moves = [row.move for row in rows]
    fit_across(axes, [0.0, *(v for move in moves for v in (move.value, *ends(move.interval)))])
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for at, move in enumerate(moves):
        if move.value is not None:
            color = ORANGE if move.verdict == "down" else BLUE
            spanned(axes, move.interval, at, color=color, lw=1.3, zorder=2)
            filled = color if move.resolved else "white"
            axes.plot(move.value, at, "o", mfc=filled, mec=color, ms=4.2, mew=1.0, zorder=3)


def _each_paper(axes: Axes, rows: Sequence[Row]) -> None:
    known = [(at, row.cell.paper) for at, row in enumerate(rows) if row.cell.paper]
    for at, paper in known:
        mark_paper(axes, at, paper.accuracy, paper.sd)
    fit_across(axes, [paper.accuracy for _, paper in known])


def _step_marks(content: StepsContent) -> Marks:
    """The marks that occur, with their meaning."""
    *before, last = (row.cell.recipe_name for row in content.rows)
    others = sorted({recipe for recipe in before if recipe != last})
    verdicts = {row.move.verdict for row in content.rows}
    several = content.has_means
    return occurring([
        (True, {"marker": "o", "color": BLUE, "ms": 4.6}, "mean" if several else "one run"),
        (others, {"marker": "s", "color": BLUE, "ms": 4.6}, f"{', '.join(others)} recipe"),
        (several, {"marker": "|", "color": INK, "ms": 7, "mew": 0.7}, "one run"),
        (content.has_intervals, {"marker": "_", "color": BLUE, "ms": 12, "mew": 2.2, "alpha": 0.55},
         "95 % interval, new seeds"),
        ("not resolved" in verdicts, {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 4.2},
         "not resolved: includes 0"),
        (any(row.move.rests for row in content.rows),
         {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 4.2},
         "no verdict: rests on runs that diverged or learned nothing"),
        ("down" in verdicts, {"marker": "o", "color": ORANGE, "ms": 4.2}, "down"),
        (any(row.trouble for row in content.rows),
         {"marker": "D", "mfc": "white", "mec": ORANGE, "ms": 4.4}, "no score"),
        (content.has_paper, {"marker": "^", "mfc": "white", "mec": GREY, "ms": 4.6}, "the paper"),
        chance_key(content.chance),
    ])  # fmt: skip


def _step_note(content: StepsContent) -> str:
    runs = " runs a step; spread pooled over steps"
    few = " runs a step, which agree: no interval" * content.all_agree
    told = runs if content.has_intervals else few or ": too few runs for an interval"
    axis = " The accuracy axis, and so the bars, do not start at 0." * cut_off(content)
    return f"n = {content.sizes}{told}.{axis}"


def _of_steps(content: StepsContent) -> str:
    first, last = content.rows[0], content.rows[-1]
    return (
        f"{content.score.capitalize()} of {plural(len(content.rows), 'step')} from {first.name} "
        f"({percent(first.accuracy)} %) to {last.name} ({percent(last.accuracy)} %), a row each, "
        "with the difference to the step before and the costs; the table holds the numbers."
    )


def _of_networks(content: ComparisonContent) -> str:
    told = [f"{row.name} {percent(row.accuracy)} %" for row in content.rows]
    return (
        f"{content.score.capitalize()} of {plural(len(told), 'network')}, a row each, with the "
        f"difference to {content.baseline}: {'; '.join(told)}. The table holds the numbers."
    )
