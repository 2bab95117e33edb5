"""The main figure: what each factor contributes, with its interval, and what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nextify.report import style as look
from nextify.report.canvas import SMALL, Marks, Sheet, key_lines, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.costs import FactorCosts
from nextify.report.factors.units import Unit
from nextify.report.marks import ends, limits, occurring, spanned
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.words import large, plural

_TOP = 0.56
_ROW = 0.37
_AXIS = 0.5  # from the last row to the rule under the axis
_SUMS = 0.44
_NAME = 0.1
_COLORS = {"helps": BLUE, "hurts": ORANGE}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Left edges and widths in inches; numbers are set flush right at their column's end."""

    width: float
    names: float
    panels: tuple[tuple[float, float], ...]
    numbers: tuple[float, ...]
    costs: tuple[float, ...]
    cost_wide: float


_ONE = _Layout(7.8, 1.85, ((1.98, 2.2),), (4.86,), (5.06, 5.98, 6.9), 0.84)
_TWO = _Layout(9.2, 1.72, ((1.84, 1.52), (4.14, 1.52)), (4.0, 6.3), (6.5, 7.41, 8.32), 0.82)

_COSTS: tuple[tuple[str, str, Callable[[FactorCosts], tuple[float, ...]]], ...] = (
    ("Parameters", "", lambda costs: costs.params),
    ("MACs", "", lambda costs: costs.macs),
    ("Memory", "B", lambda costs: costs.training_bytes),
)


_MATCHED = {"params": "Parameters", "macs": "MACs"}  # what is equal by construction
_BARS: tuple[dict[str, Any], ...] = (
    {"fc": PALE, "ec": "none"},
    {"fc": "white", "ec": GREY, "lw": 0.6},
)


def contribution_figure(content: FactorContent) -> Drawing:
    """Contributions with simultaneous intervals, one panel a study, beside what they cost."""
    layout = _TWO if len(content.views) == 2 else _ONE
    rows = len(content.names)
    marks = _marks(content)
    lines = key_lines(layout.width - 0.3, marks) + len(content.views)
    under = _TOP + _ROW * rows + _AXIS
    with look.style():
        sheet = Sheet(layout.width, under + _SUMS + 0.1 + 0.18 * lines)
        sheet.bands(_TOP, _ROW, rows)
        _names(sheet, layout, content)
        for view, (left, wide), end in zip(
            content.views, layout.panels, layout.numbers, strict=True
        ):
            axes = sheet.panel((left, _TOP, wide, _ROW * rows), rows)
            axes.set_xlim(limits(_all_values(content)))
            title = f"{content.unit.name} ({content.unit.better} is better)"
            axes.set_xlabel(title, size=SMALL, labelpad=1)
            _contributions(axes, view, content.unit)
            _numbers(sheet, end, view, content.unit)
            title = f"Networks {view.label}" if len(content.views) > 1 else "Contribution"
            sheet.head(left, 0.14, title, f"to {content.unit.title}, {content.unit.name}")
            _sums(sheet, left, end, under, view, content.unit)
        _costs(sheet, layout, content, under)
        sheet.line(_TOP)
        sheet.line(under - 0.02)
        last = sheet.key(0.2, under + _SUMS + 0.12, marks)
        for at, view in enumerate(content.views, start=1):
            sheet.note(_NAME, last + 0.18 * at, _footnote(view, content))
        return look.drawn(sheet.figure, "contributions", _description(content))


def _names(sheet: Sheet, layout: _Layout, content: FactorContent) -> None:
    sheet.head(_NAME, 0.14, "Factor", "in the path’s order")
    for at, factor in enumerate(content.views[0].plan.factors):
        y = _TOP + (at + 0.5) * _ROW
        choices = " + ".join(factor.choices)
        if choices == factor.name:
            sheet.text(_NAME, y, shrunk(factor.name, layout.names, 8.0))
            continue
        sheet.text(_NAME, y - 0.075, shrunk(factor.name, layout.names, 8.0))
        sheet.text(_NAME, y + 0.085, shrunk(choices, layout.names, 6.3), size=6.3, color=GREY)


def _all_values(content: FactorContent) -> list[float | None]:
    of = content.unit
    found: list[float | None] = []
    for each in (each for view in content.views for each in view.found.contributions):
        within = ends(of.ends(each.simultaneous)), ends(of.ends(each.wide))
        found += [of.of(each.estimate.value), *within[0], *within[1]]
    return found


def _contributions(axes: Axes, view: View, of: Unit) -> None:
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for row, each in enumerate(view.found.contributions):
        color = ORANGE if each.answer == "hurts" else BLUE
        value = of.of(each.estimate.value)
        if value is None:
            axes.text(0.02, row, "cannot be told", size=SMALL, color=GREY, va="center",
                      transform=axes.get_yaxis_transform())  # fmt: skip
            continue
        spanned(axes, of.ends(each.wide), row, color=color, lw=0.9, alpha=1.0, zorder=2)
        spanned(axes, of.ends(each.simultaneous), row, color=color, lw=2.6, alpha=0.55, zorder=2)
        filled = color if each.answer in ("helps", "hurts") else "white"
        axes.plot(value, row, "o", mfc=filled, mec=color, ms=5.0, mew=1.1, zorder=3)


def _numbers(sheet: Sheet, end: float, view: View, of: Unit) -> None:
    for at, each in enumerate(view.found.contributions):
        y = _TOP + (at + 0.5) * _ROW
        sheet.text(end, y - 0.075, of.signed(each.estimate.value), "right", weight="bold")
        if each.estimate.value is None:
            continue
        sheet.text(
            end, y + 0.085, each.answer, "right", size=6.3, color=_COLORS.get(each.answer, GREY)
        )


def _sums(sheet: Sheet, left: float, end: float, y: float, view: View, of: Unit) -> None:
    """The sum of the contributions beside what was measured from end to end."""
    if left == min(place for place, _ in (_ONE if sheet.width == _ONE.width else _TWO).panels):
        sheet.text(_NAME, y + 0.1, "All together: their sum")
        sheet.text(_NAME, y + 0.27, "measured, all less none", color=GREY)
    values = [each.estimate.value for each in view.found.contributions]
    total = None if None in values else sum(value or 0.0 for value in values)
    sheet.text(end, y + 0.1, of.signed(total), "right", weight="bold")
    gap = view.found.gap
    sheet.text(end, y + 0.27, of.signed(gap.total.value if gap else None), "right", color=GREY)
    if gap and gap.estimate.interval and not gap.by_construction:
        sheet.text(left, y + 0.1, f"gap {of.signed(gap.estimate.value)}", size=SMALL)
        sheet.text(left, y + 0.27, f"95 %: {of.span(gap.estimate.interval)}", size=SMALL)
    elif gap:
        sheet.text(left, y + 0.185, "equal by construction", size=SMALL, color=GREY)
    else:
        sheet.text(left, y + 0.185, "gap not known yet", size=SMALL, color=GREY)


def _costs(sheet: Sheet, layout: _Layout, content: FactorContent, under: float) -> None:
    """What factors cost: bars and numbers of one study, or of two one under the other."""
    for left, (title, suffix, of) in zip(layout.costs, _COSTS, strict=True):
        end = left + layout.cost_wide
        sheet.head(end, 0.14, title, "an image" if title != "Parameters" else "exact", "right")
        columns = [of(view.costs) if view.costs else () for view in content.views]
        most = max((abs(value) for column in columns for value in column), default=0.0)
        for at, (view, column) in enumerate(zip(content.views, columns, strict=True)):
            equal = _MATCHED.get(view.plan.matched) == title
            shift = 0.16 * (at - 0.5) * (len(columns) - 1)
            for row, value in enumerate(column):
                y = _TOP + (row + 0.5) * _ROW + shift
                if equal:
                    sheet.text(end, y, "equal", "right", size=6.6, color=GREY)
                    continue
                if most:
                    _cost_bar(sheet, left + 0.14, y, 0.14 * value / most, _BARS[at])
                text, ink = signed_count(value, suffix), GREY if at else INK
                sheet.text(end, y, text, "right", size=7.4, color=ink)
            y = under + (0.27 if at else 0.1)
            total = signed_count(sum(column) if view.costs else None, suffix)
            text, ink = "equal" if equal else total, GREY if at else INK
            sheet.text(end, y, text, "right", size=7.4, color=ink)


def _cost_bar(sheet: Sheet, zero: float, y: float, wide: float, style: dict[str, Any]) -> None:
    sheet.axes.add_patch(Rectangle((zero, y - 0.05), wide, 0.1, zorder=1, **style))
    sheet.axes.plot([zero] * 2, [y - 0.07, y + 0.07], color=GREY, lw=0.5)


def signed_count(value: float | None, suffix: str = "") -> str:
    """A difference of counts.

    >>> signed_count(-12_300, ""), signed_count(0.2, "B")
    ('−12.3 k', '0 B')
    """
    if value is None:
        return "–"
    if round(value) == 0:
        return f"0 {suffix}".strip()
    text = large(abs(value))
    gap = "" if text[-1].isalpha() else " " * bool(suffix)
    return f"{'+' if value > 0 else '−'}{text}{gap}{suffix}"


def _marks(content: FactorContent) -> Marks:
    answers = {each.answer for view in content.views for each in view.found.contributions}
    wide = any(each.wide for view in content.views for each in view.found.contributions)
    open_ones = answers & {"not resolved", "no interval"}
    has = any(view.has_intervals for view in content.views)
    return occurring([
        ("helps" in answers, {"marker": "o", "color": BLUE, "ms": 5}, "helps"),
        ("hurts" in answers, {"marker": "o", "color": ORANGE, "ms": 5}, "hurts"),
        (open_ones, {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 5, "mew": 1.1},
         "not resolved: includes 0" if has else "no interval"),
        (has, {"marker": "_", "color": BLUE, "ms": 13, "mew": 2.6, "alpha": 0.55},
         "95 % for all factors together, new seeds"),
        (wide, {"marker": "_", "color": BLUE, "ms": 13, "mew": 0.9}, "and new test images"),
    ])  # fmt: skip


def _footnote(view: View, content: FactorContent) -> str:
    counts = view.found.counts
    label = f"{view.label[0].upper()}{view.label[1:]}: n" if len(content.views) > 1 else "n"
    costs = ""
    if view.costs and view is content.views[0]:
        costs = f" Costs: exact Shapley values, all {view.costs.subsets:,} subsets."
        if len(content.views) > 1:
            costs += " Outlined: the matched networks." if content.views[1].plan.matched else ""
    return (
        f"{label} = {plural(counts.finished, 'run')} with a score in {plural(counts.cells, 'cell')}"
        f" of {counts.planned_cells}.{costs}"
    )


def _description(content: FactorContent) -> str:
    parts = []
    for view in content.views:
        told = ", ".join(
            f"{each.name} {content.unit.signed(each.estimate.value)} ({each.answer})"
            for each in view.found.contributions
        )
        parts.append(f"{view.label}: {told}")
    return f"Contributions to {content.unit.title} in {content.unit.name}; {'; '.join(parts)}."
