"""The main figure: a row per step, as in Figure 2 of arXiv 2201.03545, with its uncertainty.

Positions are in inches from the top left: the figure is a table whose cells hold marks.
"""

import math
from dataclasses import dataclass
from itertools import chain
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from nextify.report import style as look
from nextify.report.content import Content
from nextify.report.row_marks import fit_values, mark_accuracy, mark_difference
from nextify.report.style import BAND, BAR, BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.words import large, percent, plural, signed

_ROW = 0.265
_TOP = 0.5
_AXIS = 0.39  # from the last row to the key
_LINE = 0.18  # of the key
_SMALL = 7.3


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns stand. Numbers are set flush right at `..._at`."""

    width: float
    step_at: float = 0.26
    name: float = 0.34
    accuracy: tuple[float, float] = (1.92, 1.90)  # left edge, width
    mean_at: float = 4.26
    n_at: float = 4.52
    difference: tuple[float, float] = (4.68, 1.12)
    difference_at: float = 6.22
    macs: tuple[float, float] = (6.38, 0.46)
    params_at: float = 7.45
    paper: tuple[float, float] | None = None
    paper_at: float = 0.0


_PLAIN = _Layout(width=7.5)
_WITH_PAPER = _Layout(  # narrower panels, so that the type stays legible at an A4 page's width
    width=8.55,
    accuracy=(1.92, 1.55),
    mean_at=3.92,
    n_at=4.2,
    difference=(4.34, 1.0),
    difference_at=5.74,
    macs=(5.86, 0.46),
    params_at=6.92,
    paper=(7.04, 0.62),
    paper_at=8.5,
)


def step_figure(content: Content) -> Drawing:
    """Accuracy, differences and costs of every step, with the paper's accuracies where given."""
    layout = _WITH_PAPER if content.has_paper else _PLAIN
    key = _TOP + _ROW * len(content.rows) + _AXIS
    height = key + _LINE * (_key_lines(content, layout) + 1)
    with look.style():
        figure = Figure(figsize=(layout.width, height))
        page = _page(figure, layout, height)
        _bands(page, layout, len(content.rows))
        _text_columns(page, layout, content)
        _accuracies(_panel(figure, layout.accuracy, height, content), content)
        _differences(_panel(figure, layout.difference, height, content), content)
        if layout.paper:
            _paper(_panel(figure, layout.paper, height, content), content)
        _headings(page, layout, content)
        _key(page, layout, key, content)
        return look.drawn(figure, "steps", _description(content))


def _page(figure: Figure, layout: _Layout, height: float) -> Axes:
    page = figure.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, layout.width), ylim=(height, 0))
    page.set_axis_off()
    return page


def _panel(figure: Figure, place: tuple[float, float], height: float, content: Content) -> Axes:
    left, wide = place
    rows = len(content.rows)
    across, up = figure.get_size_inches()
    axes = figure.add_axes(
        (left / across, (height - _TOP - _ROW * rows) / up, wide / across, _ROW * rows / up)
    )
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.patch.set_alpha(0)
    axes.tick_params(labelsize=_SMALL)
    look.plain(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5 if wide > 1.5 else 3, steps=[1, 2, 5, 10]))
    return axes


def _bands(page: Axes, layout: _Layout, rows: int) -> None:
    for at in range(0, rows, 2):
        page.add_patch(
            Rectangle((0, _TOP + at * _ROW), layout.width, _ROW, color=BAND, linewidth=0, zorder=0)
        )


def _text_columns(page: Axes, layout: _Layout, content: Content) -> None:
    most = max(row.macs for row in content.rows)
    left, wide = layout.macs
    any_sd = any(row.paper_sd is not None for row in content.rows)
    for row in content.rows:
        y = _TOP + (row.step + 0.5) * _ROW
        _text(page, layout.step_at, y, str(row.step), right=True, color=GREY)
        _text(page, layout.name, y, look.shortened(row.name, 25))
        _text(page, layout.mean_at, y, percent(row.accuracy), right=True, weight="bold")
        _text(page, layout.n_at, y, str(row.n), right=True, color=GREY)
        _text(page, layout.difference_at, y, signed(row.difference), right=True)
        page.add_patch(
            Rectangle((left, y - 0.08), wide * row.macs / most, 0.16, color=BAR, linewidth=0)
        )
        _text(page, left + wide, y, large(row.macs), right=True)
        _text(page, layout.params_at, y, large(row.params), right=True)
        if layout.paper and row.paper_accuracy is not None:
            sd = "" if row.paper_sd is None else f" ± {row.paper_sd:.2f}"
            _text(page, layout.paper_at - 0.42 * any_sd, y, percent(row.paper_accuracy), right=True)
            _text(page, layout.paper_at, y, sd, right=True, color=GREY)


def _text(
    page: Axes,
    x: float,
    y: float,
    text: str,
    *,
    right: bool = False,
    color: str = INK,
    weight: str = "normal",
    size: float = 8.0,
) -> None:
    page.text(x, y, text, ha="right" if right else "left", va="center_baseline", color=color,
              weight=weight, size=size)  # fmt: skip


def _accuracies(axes: Axes, content: Content) -> None:
    fit_values(axes, [v for row in content.rows for v in (*row.accuracies, *(row.interval or ()))])
    last = content.rows[-1].recipe
    path = [math.nan if row.accuracy is None else row.accuracy for row in content.rows]
    axes.plot(path, range(len(path)), color=PALE, lw=1.0, zorder=1)  # broken where there is none
    for row in content.rows:
        mark_accuracy(axes, row.step, row, look.marker(row.recipe, last))


def _differences(axes: Axes, content: Content) -> None:
    spans = [row.difference_interval or () for row, _ in content.compared]
    fit_values(axes, [0.0, *(value for _, value in content.compared), *chain(*spans)])
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for row in content.rows:
        mark_difference(axes, row.step, row)


def _paper(axes: Axes, content: Content) -> None:
    for row in content.rows:
        if row.paper_accuracy is None:
            continue
        if row.paper_sd is not None:
            axes.plot([row.paper_accuracy - row.paper_sd, row.paper_accuracy + row.paper_sd],
                      [row.step] * 2, color=GREY, lw=1.3, solid_capstyle="butt")  # fmt: skip
        axes.plot(row.paper_accuracy, row.step, "^", mfc="white", mec=GREY, ms=4.6, mew=1.0)
    fit_values(axes, [row.paper_accuracy for row in content.rows])


def _headings(page: Axes, layout: _Layout, content: Content) -> None:
    def head(x: float, text: str, under: str, align: str = "left") -> None:
        page.text(x, 0.14, text, ha=align, va="center", weight="bold")
        page.text(x, 0.32, under, ha=align, va="center", size=_SMALL, color=GREY)

    head(layout.name, "Step", "each on the one before")
    data = look.shortened(str(content.plan.data.get("name", "")), 26)
    head(layout.accuracy[0], "Test accuracy, %", data)
    head(layout.mean_at, "Mean, %", "", "right")
    head(layout.n_at, "n", "runs", "right")
    head(layout.difference[0], "Difference, points", "to the step before")
    left, wide = layout.macs
    head(left + wide, "MACs", "an image", "right")
    head(layout.params_at, "Param.", "in all", "right")
    if layout.paper:
        head(layout.paper[0], "The paper", "ImageNet top-1, %")
    page.plot([0, layout.width], [_TOP] * 2, color=GREY, lw=0.6)


def _key(page: Axes, layout: _Layout, y: float, content: Content) -> None:
    """What the marks mean, drawn with the marks."""
    start = x = layout.name + 0.05
    for mark, text in _marks(content):
        words = page.text(x + 0.13, y, text, va="center_baseline", size=_SMALL)
        right = float(words.get_window_extent().transformed(page.transData.inverted()).x1)
        if right > layout.width:  # no room: on a second line
            right += start - x
            y, x = y + _LINE, start
            words.set_position((x + 0.13, y))
        page.plot(x, y, linestyle="none", **mark)
        x = right + 0.25
    page.text(layout.name, y + 0.2, _footnote(content), va="center", size=_SMALL, color=GREY)


def _key_lines(content: Content, layout: _Layout) -> int:
    """1 or 2, by a generous guess: the height must be known before text can be measured."""
    wide = sum(0.38 + 0.064 * len(text) for _, text in _marks(content))
    return 1 if layout.name + wide < layout.width else 2


def _marks(content: Content) -> list[tuple[dict[str, Any], str]]:
    """The marks that occur, as line properties, with their meaning."""
    last = content.rows[-1].recipe
    others = sorted({row.recipe for row in content.rows if row.recipe != last})
    verdicts = {row.verdict for row in content.rows}
    several = any(row.n > 1 for row in content.rows)
    marks: list[tuple[bool, dict[str, Any], str]] = [
        (True, {"marker": "o", "color": BLUE, "ms": 4.6}, "mean" if several else "one run"),
        (bool(others), {"marker": "s", "color": BLUE, "ms": 4.6}, f"{', '.join(others)} recipe"),
        (several, {"marker": "|", "color": INK, "ms": 7, "mew": 0.7}, "one run"),
        (content.has_intervals, {"marker": "_", "color": BLUE, "ms": 12, "mew": 2.2, "alpha": 0.55},
         "95 % interval, new seeds"),
        ("not resolved" in verdicts, {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 4.2},
         "not resolved: includes 0"),
        ("down" in verdicts, {"marker": "o", "color": ORANGE, "ms": 4.2}, "down"),
        (any(row.trouble for row in content.rows),
         {"marker": "D", "mfc": "white", "mec": ORANGE, "ms": 4.4}, "no score"),
        (content.has_paper, {"marker": "^", "mfc": "white", "mec": GREY, "ms": 4.6}, "the paper"),
    ]  # fmt: skip
    return [(mark, text) for shown, mark, text in marks if shown]


def _footnote(content: Content) -> str:
    axis = "The accuracy axis, and so the bars, do not start at 0."
    if content.has_intervals:
        return f"n = {content.sizes} runs a step; spread pooled over steps. {axis}"
    return f"n = {content.sizes}: too few runs for an interval. {axis}"


def _description(content: Content) -> str:
    first, last = content.rows[0], content.rows[-1]
    return (
        f"Test accuracy of {plural(len(content.rows), 'step')} from {first.name} "
        f"({percent(first.accuracy)} %) to {last.name} ({percent(last.accuracy)} %), a row each, "
        "with the difference to the step before and the costs; the table holds the numbers."
    )
