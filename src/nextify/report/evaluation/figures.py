"""Figures of a network's answers: classes it confuses, and what its probabilities are worth."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from nextify import words
from nextify.experiments.intervals import Interval
from nextify.findings.confusion import confused
from nextify.findings.failures import wilson
from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet
from nextify.report.evaluation.content import Calibration, EvaluationContent
from nextify.report.marks import holding, spanned
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.report.table import Frame, Panel, Words, table
from nextify.words import percent

_WIDE = 8.1
_MATRIX = 25  # classes whose matrix can be read; of more, the pairs that are confused
_PAIRS = 25
_LEFT = 1.75  # of the matrix: room for names


def confusion_figure(content: EvaluationContent) -> Drawing:
    """The confusion matrix, or of many classes the most confused pairs."""
    with look.style():
        return _matrix(content) if len(content.classes) <= _MATRIX else _pairs(content)


def reliability_figure(content: EvaluationContent) -> Drawing:
    """How many answers of a probability are right: as the network is, and by its temperature."""
    with look.style():
        return _reliability(content)


def _matrix(content: EvaluationContent) -> Drawing:
    counts, count = content.counts, len(content.classes)
    cell = min(0.5, (_WIDE - _LEFT - 0.3) / count)
    above = [look.squeezed(name, 15) for name in content.classes]
    top = 0.5 + 0.07 * max(map(words.room, above))
    end = top + cell * count
    sheet = Sheet(_WIDE, end + 0.45)
    sheet.text(_LEFT - 0.1, top - 0.12, "Class", "right", weight="bold")
    sheet.head(_LEFT, 0.14, "Answer", "images, a row a class")
    for at, name in enumerate(content.classes):
        middle = (at + 0.5) * cell
        sheet.text(_LEFT - 0.1, top + middle, look.squeezed(name, 24), "right")
        upright = {"rotation": 90, "va": "bottom"}
        sheet.text(_LEFT + middle, top - 0.08, above[at], "center", **upright)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for row, column in np.argwhere(counts).tolist():
        strength = shares[row, column] ** 0.5  # so that few errors are seen
        full = np.array(to_rgb(BLUE if row == column else ORANGE))
        x, y = _LEFT + column * cell, top + row * cell
        color = 1 - strength * (1 - full)
        sheet.axes.add_patch(Rectangle((x, y), cell, cell, color=color, linewidth=0))
        ink = "white" if strength > 0.6 else INK
        sheet.text(x + cell / 2, y + cell / 2, f"{counts[row, column]:,}", "center",
                   size=min(8.0, 22 * cell), color=ink)  # fmt: skip
    for at in range(count + 1):
        near = at * cell
        sheet.axes.plot([_LEFT, _LEFT + cell * count], [top + near] * 2, color=PALE, lw=0.5)
        sheet.axes.plot([_LEFT + near] * 2, [top, end], color=PALE, lw=0.5)
    sheet.note(_LEFT, end + 0.25, "Blue: right. Orange: wrong. The darker, the larger the share of "
               "the class's images (by its root).")  # fmt: skip
    return look.drawn(sheet.figure, "confusion", f"Confusion matrix. {_worst(content)}")


def _worst(content: EvaluationContent) -> str:
    names = content.classes
    told = [f"{names[a]} answered as {names[b]}: {n}" for a, b, n in confused(content.counts)[:3]]
    return f"{'; '.join(told)}." if told else "No image is answered wrongly."


def _pairs(content: EvaluationContent) -> Drawing:
    sizes = content.counts.sum(1).tolist()
    every = confused(content.counts)
    rows = every[:_PAIRS]
    names = [look.squeezed(name, 28) for name in content.classes]

    def shares(axes: Axes, rows: Sequence[tuple[int, int, int]]) -> None:
        found = [_percent(wilson(n, sizes[label])) for label, _, n in rows]
        axes.set_xlim(holding([0.0, *(of.high for of in found)], 0.03))
        for at, ((label, _, n), of) in enumerate(zip(rows, found, strict=True)):
            spanned(axes, of, at, color=ORANGE, lw=3, alpha=0.5)
            axes.plot(100 * n / sizes[label], at, "o", color=ORANGE, ms=5, mec="white", mew=0.6)

    columns: list[Words | Panel] = [
        Words(0.1, lambda pair: names[pair[0]], ("Class", "of the image"), "left"),
        Words(2.15, lambda pair: names[pair[1]], ("Answer", "wrong"), "left"),
        Words(4.6, lambda pair: f"{pair[2]:,}", ("Images", "answered so"), weight="bold"),
        Words(5.25, lambda pair: f"{sizes[pair[0]]:,}", ("of", "the class"), color=GREY),
        Panel(5.5, 2.4, 5, ("Share, %", "of the class's images, 95 % each"), shares),
    ]
    more = len(every) - len(rows)
    note = f"{more:,} more pairs are confused: confusion.csv has all." if more else "These are all."
    sheet = table(rows, columns, Frame(_WIDE), [({"marker": "o", "color": ORANGE}, "share")], note)
    return look.drawn(sheet.figure, "confusion", f"Most confused classes. {_worst(content)}")


def _percent(of: Interval | None) -> Interval:
    """An interval of one image at least, in per cent."""
    assert of is not None
    return Interval(100 * of.low, 100 * of.high)


def _reliability(content: EvaluationContent) -> Drawing:
    curves = [("As the network is", content.before)]
    if content.scaled is not None:
        after = f"With temperature {content.scaled.temperature:.3f}"
        curves.append((after, content.scaled.after))
    sheet = Sheet(_WIDE, 4.55)
    wide = 3.1
    starts = [0.65, 4.6] if len(curves) > 1 else [(_WIDE - wide) / 2]
    for left, (name, of) in zip(starts, curves, strict=True):
        sheet.head(left, 0.14, name, f"calibration error {percent(100 * of.error)} %, "
                   f"n = {of.images:,} images")  # fmt: skip
        _curve(sheet.panel((left, 0.55, wide, 2.5)), of)
        _histogram(sheet.panel((left, 3.3, wide, 0.6)), of)
    sheet.note(0.1, 4.4, "Dot: probability and share of right answers in a bin, bar: 95 %, each "
               "by itself. Below: its images. Dashed: where probabilities are right.")  # fmt: skip
    told = [f"{name}: calibration error {percent(100 * of.error)} %" for name, of in curves]
    return look.drawn(sheet.figure, "reliability", f"Reliability. {'; '.join(told)}.")


def _curve(axes: Axes, of: Calibration) -> None:
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_ylabel("Right answers, %", size=SMALL)
    axes.plot([0, 100], [0, 100], color=GREY, lw=0.8, linestyle=(0, (4, 3)), zorder=1)
    for each in of.bins:
        within, at = _percent(each.interval), 100 * each.confidence
        spanned(axes, within, at, upright=True, color=BLUE, lw=2.2, alpha=0.5)
    points = [(100 * each.confidence, 100 * each.accuracy) for each in of.bins]
    x, y = zip(*points, strict=True)
    axes.plot(x, y, "o-", color=BLUE, ms=4.5, mec="white", mew=0.6, lw=0.8, clip_on=False)


def _histogram(axes: Axes, of: Calibration) -> None:
    axes.set(xlim=(0, 100))
    axes.set_xlabel("Probability of the answer, %", size=SMALL)
    for each in of.bins:
        low, high = 100 * each.low, 100 * each.high
        axes.bar((low + high) / 2, each.n, 0.9 * (high - low), color=PALE)
    axes.set_ylim(0, None)
