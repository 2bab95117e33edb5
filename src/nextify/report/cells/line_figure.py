"""The main figure: accuracy against the number of training images, and the lead on the baseline."""

import math
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from nextify.report import style as look
from nextify.report.canvas import SMALL, Marks, Sheet, key_lines
from nextify.report.cells.content import CellsContent, ComparisonContent, Row
from nextify.report.cells.looks import NetworkLook, look_of
from nextify.report.marks import (
    apart,
    chance_key,
    ends,
    holding,
    leaves_out_zero,
    limits,
    mark_chance,
    occurring,
    spanned,
    with_chance,
)
from nextify.report.style import GREY, INK, PALE, Drawing
from nextify.words import percent, plural, whole

_WIDTH = 7.8
_LEFT, _PLOT = 0.62, 5.2  # of the panels, inches
_TOP = 0.3
_HIGH, _LOW = 3.1, 1.9  # of the panel of accuracies and that of differences
_BETWEEN = 0.62
_AXIS = 0.42
_MARGIN = 0.3  # from the panels' sides to the outer numbers of images
_DODGE = 0.062  # between networks on one number of images
_LABEL = 0.15  # between labels at the line ends
_NAME = 21  # letters of a label
_TICK = 0.44  # between numbers of images that can both be written out


def line_figure(content: ComparisonContent) -> Drawing:
    """A line a network over the numbers of training images; below, differences to the baseline."""
    marks = marks_of(content, "|", "_")
    plots = _HIGH + (_BETWEEN + _LOW if content.moved else 0.0)
    under = _TOP + plots + _AXIS
    with look.style():
        sheet = Sheet(_WIDTH, under + 0.32 + 0.18 * key_lines(_WIDTH - 0.5, marks))
        across = _Across(content)
        axes = sheet.panel((_LEFT, _TOP, _PLOT, _HIGH))
        sheet.text(_LEFT, _TOP - 0.16, f"{content.score.capitalize()}, %", weight="bold")
        across.scale(axes)
        _accuracies(axes, content, across)
        _labels(sheet, axes, content, across)
        if content.moved:
            top = _TOP + _HIGH + _BETWEEN
            title = f"Difference to {_baseline(content)}, points"
            sheet.text(_LEFT, top - 0.16, title, weight="bold")
            axes = sheet.panel((_LEFT, top, _PLOT, _LOW))
            across.scale(axes)
            _differences(sheet, axes, content, across)
        axes.set_xlabel("training images (logarithmic)", size=SMALL, labelpad=2)
        last = sheet.key(0.3, under + 0.12, marks)
        sheet.note(0.23, last + 0.19, footnote(content))
        return look.drawn(sheet.figure, "accuracy", _description(content))


class _Across:
    """Where networks stand on the axis of images: side by side about each number, on a
    logarithmic scale."""

    def __init__(self, content: ComparisonContent) -> None:
        self.numbers = content.found.images
        self.networks = len(content.found.networks)
        logs = [math.log(number) for number in self.numbers]
        self.inches = (_PLOT - 2 * _MARGIN) / (logs[-1] - logs[0])
        nearest = min(after - before for before, after in pairwise(logs)) * self.inches
        self.step = min(_DODGE, 0.5 * min(nearest, 2 * _MARGIN) / self.networks)

    def at(self, images: int, network: int) -> float:
        """The position of a network on a number of images, in units of the axis."""
        shift = self.step * (network - (self.networks - 1) / 2)
        return images * math.exp(shift / self.inches)

    def scale(self, axes: Axes) -> None:
        """A tick at each number of images, written out where there is room."""
        axes.set_xscale("log")
        margin = _MARGIN / self.inches
        axes.set_xlim(self.numbers[0] * math.exp(-margin), self.numbers[-1] * math.exp(margin))
        axes.minorticks_off()
        axes.set_xticks(self.numbers, self._written())

    def _written(self) -> list[str]:
        written: list[str] = []
        last = -math.inf
        for number in self.numbers:
            place = self.inches * math.log(number)
            fits = place - last >= _TICK
            written.append(whole(number) if fits else "")
            last = place if fits else last
        return written


def _accuracies(axes: Axes, content: ComparisonContent, across: _Across) -> None:
    values = [value for row in content.rows for value in row.shown]
    axes.set_ylim(with_chance(holding(values), content.chance))
    mark_chance(axes, content.chance, upright=True)
    for at, name in enumerate(content.found.networks):
        own, rows = look_of(at), content.rows_of(name)
        places = [across.at(row.images, at) for row in rows]
        scored = np.array([row.accuracy for row in rows], float)  # broken where there is none
        axes.plot(places, scored, color=own.color, lw=1.1, linestyle=own.line, zorder=2)
        for x, row in zip(places, rows, strict=True):
            _accuracy(axes, x, row, own)


def _accuracy(axes: Axes, x: float, row: Row, own: NetworkLook) -> None:
    if row.n > 1:
        runs = [value for value in row.mean.values if value is not None]
        axes.plot([x] * len(runs), runs, "_", color=own.color, ms=5.5, mew=0.7, alpha=0.55,
                  zorder=3)  # fmt: skip
    spanned(axes, row.mean.interval, x, upright=True, color=own.color, lw=1.9, alpha=0.5, zorder=3)
    if row.accuracy is not None:
        axes.plot(x, row.accuracy, zorder=4, **own.mark())
    if row.trouble:
        frame = axes.get_xaxis_transform()
        axes.plot(x, 0.03, "D", transform=frame, mfc="white", mec=own.color, mew=1.0, ms=4.0,
                  zorder=5)  # fmt: skip


def _labels(sheet: Sheet, axes: Axes, content: ComparisonContent, across: _Across) -> None:
    """Names beside the ends of their lines, moved apart, each with its mark."""
    placed = []
    for at, row, accuracy in _line_ends(content):
        point = axes.transData.transform((across.at(row.images, at), accuracy))
        placed.append((at, *sheet.inches(point)))
    placed.sort(key=lambda each: each[2])
    if not placed:
        return
    step = min(_LABEL, (_HIGH + _TOP - 0.2) / len(placed))
    free = apart([y for _, _, y in placed], step)
    over, under = max(0.0, 0.12 - free[0]), max(0.0, free[-1] - _TOP - _HIGH)
    for (at, x, y), place in zip(placed, free, strict=True):
        _label(sheet, at, content.found.networks[at], (x, y), place + over - under)


def _label(sheet: Sheet, at: int, name: str, end: tuple[float, float], y: float) -> None:
    own, left = look_of(at), _LEFT + _PLOT + 0.14
    sheet.axes.plot([end[0] + 0.05, left - 0.03], [end[1], y], color=PALE, lw=0.6, zorder=0)
    sheet.axes.plot([left, left + 0.3], [y, y], color=own.color, lw=1.1, linestyle=own.line)
    sheet.axes.plot(left + 0.15, y, **own.mark())
    sheet.text(left + 0.36, y, look.squeezed(name, _NAME), color=INK)


def _line_ends(content: ComparisonContent) -> list[tuple[int, Row, float]]:
    """Of each network the row on its largest number of images that has a score, and the score."""
    found = []
    for at, name in enumerate(content.found.networks):
        scored = [(row, row.accuracy) for row in content.rows_of(name) if row.accuracy is not None]
        found += [(at, *end) for end in scored[-1:]]
    return found


def _differences(sheet: Sheet, axes: Axes, content: ComparisonContent, across: _Across) -> None:
    moves = [row.move for row in content.moved]
    axes.set_ylim(limits([v for move in moves for v in (move.value, *ends(move.interval))]))
    axes.axhline(0, color=INK, lw=0.9, zorder=1)
    for at, name in enumerate(content.found.networks):
        own = look_of(at)
        moved = [row for row in content.moved if row.name == name]
        places = [across.at(row.images, at) for row in moved]
        values = np.array([row.move.value for row in moved], float)
        axes.plot(places, values, color=own.color, lw=0.9, alpha=0.6, linestyle=own.line, zorder=2)
        for x, value, row in zip(places, values, moved, strict=True):
            spanned(axes, row.move.interval, x, upright=True, color=own.color, lw=1.3, zorder=3)
            axes.plot(x, value, zorder=4, **own.mark(row.move.resolved))
    x, y = sheet.inches(axes.get_yaxis_transform().transform((1.0, 0.0)))
    sheet.text(x + 0.08, y, f"0: as {_baseline(content)}", size=SMALL, color=GREY)


def _baseline(content: ComparisonContent) -> str:
    return look.shortened(content.baseline, 24)


def marks_of(content: ComparisonContent, interval: str, run: str) -> Marks:
    """The marks that occur, as line properties, with their meaning.

    Args:
        interval, run: the markers of an interval and of a single run.
    """
    verdicts = {row.move.verdict for row in content.rows}
    several = content.has_means
    hollow = {"marker": "o", "mfc": "white", "mec": GREY, "ms": 4.6, "mew": 1.1}
    return occurring([
        (True, {"marker": "o", "color": GREY, "ms": 4.6}, "mean" if several else "one run"),
        (several, {"marker": run, "color": GREY, "ms": 6, "mew": 0.8}, "one run"),
        (content.has_intervals, {"marker": interval, "color": GREY, "ms": 10, "mew": 1.9,
                                 "alpha": 0.6}, "95 % interval, new seeds"),
        (bool(verdicts & {"up", "down"}), {"marker": "o", "color": GREY, "ms": 4.6},
         "difference: filled where resolved"),
        ("not resolved" in verdicts, hollow, "not resolved: includes 0"),
        ("no interval" in verdicts, hollow, "difference without an interval"),
        (any(row.move.rests for row in content.rows), hollow,
         "no verdict: rests on runs that diverged or learned nothing"),
        (any(row.trouble for row in content.rows),
         {"marker": "D", "mfc": "white", "mec": GREY, "ms": 4.0}, "a run without a score"),
        chance_key(content.chance),
    ])  # fmt: skip


def footnote(content: ComparisonContent) -> str:
    """How many runs there are, and what the axis does not show."""
    runs = f"n = {content.sizes} run{'s' * (content.sizes != '1')} of each network"
    runs += " on each number of images" if content.several else ""
    axis = " The axis of accuracies does not start at 0." * cut_off(content)
    if content.all_agree:
        return f"{runs}, which agree: no interval.{axis}"
    if not content.has_intervals:
        return f"{runs}: too few for an interval.{axis}"
    pooled = "spread pooled over networks" if len(content.found.networks) > 1 else "own spread"
    return f"{runs}; {pooled}.{axis}"


def cut_off(content: CellsContent) -> bool:
    """Whether the axis of accuracies leaves out 0."""
    return leaves_out_zero([of for row in content.rows for of in row.shown], content.chance)


def _description(content: ComparisonContent) -> str:
    told = []
    for _, row, accuracy in _line_ends(content):
        first = content.rows_of(row.name)[0]
        told.append(
            f"{row.name} from {percent(first.accuracy)} % on {whole(first.images)} to "
            f"{percent(accuracy)} % on {whole(row.images)}"
        )
    return (
        f"{content.score.capitalize()} against the number of training images for "
        f"{plural(len(content.found.networks), 'network')}: {'; '.join(told)}. The tables hold the "
        "numbers."
    )
