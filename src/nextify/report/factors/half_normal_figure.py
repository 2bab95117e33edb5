"""The half-normal plot of a plan that ran each cell once: which effects stand out from noise."""

from matplotlib.axes import Axes

from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet
from nextify.report.factors.content import FactorContent, View
from nextify.report.marks import apart
from nextify.report.style import BLUE, GREY, INK, ORANGE, Drawing

_NAMED = 8


def half_normal_figure(content: FactorContent, view: View) -> Drawing | None:
    """Sizes of effects against half-normal scores; None where cells were repeated."""
    effects = view.found.noise.half_normal
    if not effects:
        return None
    scale = content.unit.scale
    with look.style():
        sheet = Sheet(7.6, 3.7)
        axes = sheet.panel((0.62, 0.2, 4.6, 3.02))
        points = sorted((score, scale * abs(effect), name) for name, effect, score in effects)
        for score, size, _ in points:
            axes.plot(score, size, "o", color=BLUE, ms=4.2, mec="white", mew=0.5, zorder=3)
        axes.set_xlim(0, points[-1][0] * 1.06)
        axes.set_ylim(0, max(size for _, size, _ in points) * 1.12)
        _margins(axes, view, scale)
        axes.set_xlabel("half-normal score")
        axes.set_ylabel(f"size of the effect, {content.unit.name}")
        _name(sheet, axes, points[-_NAMED:])
        return look.drawn(sheet.figure, f"half-normal{view.key}", _description(content, view))


def _margins(axes: Axes, view: View, scale: float) -> None:
    """Lenth's margin of error, for one effect and for all together."""
    margins = view.found.noise.lenth
    ends = (margins.margin, margins.simultaneous) if margins else ()
    looks = (("margin of error, one effect", "--"), ("margin of error, all effects", "-"))
    for value, (text, style) in zip(ends, looks, strict=False):
        axes.axhline(scale * value, color=ORANGE, lw=0.9, ls=style, zorder=1)
        axes.text(axes.get_xlim()[1] * 0.01, scale * value, text, va="bottom", size=SMALL,
                  color=INK)  # fmt: skip


def _name(sheet: Sheet, axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """The largest effects by name, beside the plot."""
    high = axes.get_ylim()[1]
    wanted = [3.02 * size / high for _, size, _ in points]
    for (score, size, name), at in zip(points, apart(wanted, 0.16), strict=True):
        y = 0.2 + 3.02 - at
        sheet.text(5.36, y, look.shortened(name, 38), size=6.6)
        x = 0.62 + 4.6 * score / axes.get_xlim()[1]
        sheet.axes.plot([x + 0.04, 5.32], [0.2 + 3.02 - 3.02 * size / high, y], color=GREY, lw=0.4)


def _description(content: FactorContent, view: View) -> str:
    largest = sorted(view.found.noise.half_normal, key=lambda each: -abs(each[1]))
    told = ", ".join(f"{name} {content.unit.signed(effect)}" for name, effect, _ in largest[:3])
    return f"Half-normal plot of {len(largest)} effects; largest: {told}."
