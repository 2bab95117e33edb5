"""Accuracy against multiply-accumulates: what each step of the path bought, and for how much."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextify.report import style as look
from nextify.report.cells.content import Row, StepsContent
from nextify.report.marks import apart, ends, holding, mark_chance, spanned, with_chance
from nextify.report.style import BLUE, GREY, INK, PALE, Drawing
from nextify.words import percent, plural

_WIDTH, _HEIGHT = 7.4, 3.7
_PLOT = (0.62, 0.5, 4.75, 3.02)  # left, bottom, width, height in inches
_LINE = 0.145  # between labels of points above one another, inches
_LOG_FROM = 8.0  # largest MACs over smallest
_POINTER = {"arrowstyle": "-", "color": GREY, "lw": 0.4, "shrinkA": 0, "shrinkB": 2}
_GROUND = {"boxstyle": "square,pad=0.08", "fc": "white", "ec": "none", "alpha": 0.8}

_Point = tuple[Row, float]  # a step and its accuracy
_Place = tuple[float, float, Row]  # inches from the lower left


def cost_figure(content: StepsContent) -> Drawing | None:
    """Accuracy with its interval against MACs, steps numbered; None without a finished run."""
    points = [(row, row.accuracy) for row in content.rows if row.accuracy is not None]
    if not points:
        return None
    with look.style():
        figure = Figure(figsize=(_WIDTH, _HEIGHT))
        left, bottom, wide, high = _PLOT
        axes = figure.add_axes((left / _WIDTH, bottom / _HEIGHT, wide / _WIDTH, high / _HEIGHT))
        _scales(axes, points, content)
        _points(axes, points, content.rows[-1].cell.recipe_name)
        _numbers(axes, points)
        _key(figure, content)
        return look.drawn(figure, "costs", _description(content))


def _scales(axes: Axes, points: list[_Point], content: StepsContent) -> None:
    look.plain(axes, "both")
    unit, size = ("10⁹", 1e9) if max(row.cell.macs for row, _ in points) >= 1e9 else ("10⁶", 1e6)
    macs = [row.cell.macs for row, _ in points]
    if max(macs) > _LOG_FROM * min(macs):
        axes.set_xscale("log")
        axes.set_xlim(min(macs) / 1.15, max(macs) * 1.25)
    else:
        pad = 0.08 * (max(macs) - min(macs)) or 0.1 * max(macs)
        axes.set_xlim(max(0.0, min(macs) - pad), max(macs) + 1.5 * pad)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / size:g}")
    axes.set_xlabel(f"multiply-accumulates an image, {unit}")
    axes.set_ylabel(f"{content.score}, %")
    values = [v for row, accuracy in points for v in (accuracy, *ends(row.mean.interval))]
    axes.set_ylim(with_chance(holding(values, 0.05), content.chance))
    mark_chance(axes, content.chance, upright=True)


def _points(axes: Axes, points: list[_Point], last: str) -> None:
    for (before, low), (row, high) in pairwise(points):
        if row.at == before.at + 1:  # else the path is broken: a step without a score
            axes.plot([before.cell.macs, row.cell.macs], [low, high], color=PALE, lw=1.0, zorder=1)
    for row, accuracy in points:
        at = row.cell.macs
        spanned(axes, row.mean.interval, at, upright=True, color=BLUE, lw=1.6, alpha=0.4, zorder=2)
        shape = look.marker(row.cell.recipe_name, last)
        axes.plot(at, accuracy, shape, color=BLUE, ms=5, mec="white", mew=0.6, zorder=3)


def _numbers(axes: Axes, points: list[_Point]) -> None:
    """Number the points on their right; points above one another get labels that stand apart."""
    inches = axes.figure.dpi_scale_trans
    placed: list[_Place] = []
    for row, accuracy in points:
        x, y = inches.inverted().transform(axes.transData.transform((row.cell.macs, accuracy)))
        placed.append((float(x), float(y), row))
    for group in _columns(placed):
        for (x, y, row), at in zip(group, apart([y for _, y, _ in group], _LINE), strict=True):
            axes.annotate(str(row.at), (x, y), (x + 0.17, at), xycoords=inches, textcoords=inches,
                          va="center", size=7.5, color=INK, zorder=5, arrowprops=_POINTER,
                          bbox=_GROUND)  # fmt: skip


def _columns(points: list[_Place]) -> list[list[_Place]]:
    """Points whose labels would meet, lowest first: those within 0.3 inches of the leftmost."""
    groups: list[list[_Place]] = []
    for point in sorted(points, key=lambda p: p[0]):
        if groups and point[0] - groups[-1][0][0] < 0.3:
            groups[-1].append(point)
        else:
            groups.append([point])
    return [sorted(group, key=lambda p: p[1]) for group in groups]


def _key(figure: Figure, content: StepsContent) -> None:
    """The steps by number, beside the plot."""
    x, line = (_PLOT[0] + _PLOT[2] + 0.2) / _WIDTH, min(0.2, 3.0 / len(content.rows))
    for row in content.rows:
        y = (_HEIGHT - 0.3 - line * row.at) / _HEIGHT
        color = INK if row.accuracy is not None else GREY
        figure.text(x + 0.022, y, str(row.at), size=7, ha="right", va="center", color=GREY)
        name = look.shortened(row.name, 22) + ("" if row.accuracy is not None else " (no score)")
        figure.text(x + 0.032, y, name, size=7, va="center", color=color)


def _description(content: StepsContent) -> str:
    best = max(content.rows, key=lambda row: row.accuracy or 0.0)
    return (
        f"{content.score.capitalize()} against multiply-accumulates for "
        f"{plural(len(content.rows), 'step')}, joined in the path's order; the highest is "
        f"{best.name} at {percent(best.accuracy)} %."
    )
