"""The main figure: what each factor contributes, with its interval, and what it costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from nextify.findings import Contribution
from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet, key_lines, limits, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.costs import FactorCosts
from nextify.report.factors.units import Unit
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.words import large, plural

_TOP = 0.56
_ROW = 0.37
_AXIS = 0.5  # from the last row to the rule under the axis
_SUMS = 0.44
_NAME = 0.1


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
            axes.set_xlabel(_axis_title(content.unit), size=SMALL, labelpad=1)
            _contributions(axes, view, content.unit)
            _numbers(sheet, end, view, content.unit)
            _heading(sheet, left, view, content)
            _sums(sheet, left, end, under, view, content.unit)
        _costs(sheet, layout, content, under)
        sheet.line(_TOP)
        sheet.line(under - 0.02)
        last = sheet.key(0.2, under + _SUMS + 0.12, marks)
        for at, view in enumerate(content.views, start=1):
            sheet.text(_NAME, last + 0.18 * at, _footnote(view, content), size=SMALL, color=GREY)
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


def _heading(sheet: Sheet, left: float, view: View, content: FactorContent) -> None:
    title = "Contribution" if len(content.views) == 1 else f"Networks {view.label}"
    sheet.head(left, 0.14, title, f"to {content.unit.title}, {content.unit.name}")


def _axis_title(of: Unit) -> str:
    return f"{of.name} ({of.better} is better)"


def _all_values(content: FactorContent) -> list[float | None]:
    scale = content.unit.of
    found: list[float | None] = []
    for view in content.views:
        for each in view.found.contributions:
            found.append(scale(each.estimate.value))
            for interval in (each.simultaneous, each.wide):
                found += [scale(interval.low), scale(interval.high)] if interval else []
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
        for interval, wide in ((each.wide, 0.9), (each.simultaneous, 2.6)):
            if interval:
                ends = [of.scale * interval.low, of.scale * interval.high]
                axes.plot(ends, [row] * 2, color=color, lw=wide, alpha=0.55 if wide > 1 else 1.0,
                          solid_capstyle="butt", zorder=2)  # fmt: skip
        filled = color if each.answer in ("helps", "hurts") else "white"
        axes.plot(value, row, "o", mfc=filled, mec=color, ms=5.0, mew=1.1, zorder=3)


def _numbers(sheet: Sheet, end: float, view: View, of: Unit) -> None:
    for at, each in enumerate(view.found.contributions):
        y = _TOP + (at + 0.5) * _ROW
        sheet.text(end, y - 0.075, of.signed(each.estimate.value), "right", weight="bold")
        if each.estimate.value is None:
            continue
        sheet.text(end, y + 0.085, each.answer, "right", size=6.3, color=_color(each))


def _color(each: Contribution) -> str:
    return {"helps": BLUE, "hurts": ORANGE}.get(each.answer, GREY)


def _sums(sheet: Sheet, left: float, end: float, y: float, view: View, of: Unit) -> None:
    """The sum of the contributions beside what was measured from end to end."""
    if left == min(place for place, _ in (_ONE if sheet.width == _ONE.width else _TWO).panels):
        sheet.text(_NAME, y + 0.1, "All together: their sum")
        sheet.text(_NAME, y + 0.27, "measured, all less none", color=GREY)
    values = [each.estimate.value for each in view.found.contributions]
    known = [value for value in values if value is not None]
    total = of.signed(sum(known)) if len(known) == len(values) else "–"
    sheet.text(end, y + 0.1, total, "right", weight="bold")
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
    for left, (title, suffix, of) in zip(layout.costs, _COSTS, strict=True):
        end = left + layout.cost_wide
        sheet.head(end, 0.14, title, "an image" if title != "Parameters" else "exact", "right")
        columns = [(view, None if view.costs is None else of(view.costs)) for view in content.views]
        most = max((abs(v) for _, column in columns for v in column or ()), default=0.0)
        for at, (view, column) in enumerate(columns):
            shift = 0.0 if len(columns) == 1 else 0.16 * (at - 0.5)
            equal = view.plan.matched == title.lower() or (
                view.plan.matched == "params" and title == "Parameters"
            )
            _cost_column(sheet, (left, end, shift), column, most, suffix, at > 0, equal)
            y = under + (0.1 if at == 0 else 0.27)
            total = None if column is None else sum(column)
            text = "equal" if equal else signed_count(total, suffix)
            sheet.text(end, y, text, "right", size=7.4, color=INK if at == 0 else GREY)


def _cost_column(
    sheet: Sheet,
    place: tuple[float, float, float],
    column: Sequence[float] | None,
    most: float,
    suffix: str,
    second: bool,
    equal: bool,
) -> None:
    left, end, shift = place
    for at, value in enumerate(column or ()):
        y = _TOP + (at + 0.5) * _ROW + shift
        if equal:
            sheet.text(end, y, "equal", "right", size=6.6, color=GREY)
            continue
        if most:
            half = 0.14
            bar = half * value / most
            style: dict[str, Any] = (
                {"fc": "white", "ec": GREY, "lw": 0.6} if second else {"fc": PALE, "ec": "none"}
            )
            sheet.axes.add_patch(Rectangle((left + half, y - 0.05), bar, 0.1, zorder=1, **style))
            sheet.axes.plot([left + half] * 2, [y - 0.07, y + 0.07], color=GREY, lw=0.5)
        sheet.text(
            end, y, signed_count(value, suffix), "right", size=7.4, color=GREY if second else INK
        )


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


def _marks(content: FactorContent) -> list[tuple[dict[str, Any], str]]:
    answers = {each.answer for view in content.views for each in view.found.contributions}
    wide = any(each.wide for view in content.views for each in view.found.contributions)
    open_ones = answers & {"not resolved", "no interval"}
    has = any(view.has_intervals for view in content.views)
    marks: list[tuple[object, dict[str, Any], str]] = [
        ("helps" in answers, {"marker": "o", "color": BLUE, "ms": 5}, "helps"),
        ("hurts" in answers, {"marker": "o", "color": ORANGE, "ms": 5}, "hurts"),
        (open_ones, {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 5, "mew": 1.1},
         "not resolved: includes 0" if has else "no interval"),
        (has, {"marker": "_", "color": BLUE, "ms": 13, "mew": 2.6, "alpha": 0.55},
         "95 % for all factors together, new seeds"),
        (wide, {"marker": "_", "color": BLUE, "ms": 13, "mew": 0.9}, "and new test images"),
    ]  # fmt: skip
    return [(mark, text) for shown, mark, text in marks if shown]


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
