"""The main figure: what each factor contributes, with its interval, and what it costs."""

from dataclasses import dataclass, replace
from typing import Any

from matplotlib.patches import Rectangle

from nextify.findings.meaning import Column
from nextify.findings.outcomes import RESTS
from nextify.report import style as look
from nextify.report.canvas import SMALL, Marks, Sheet, key_lines, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.outcomes import rests, scored
from nextify.report.factors.units import Unit
from nextify.report.marks import ends, limits, occurring, spanned
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.words import MISSING, large, plural

_TOP = 0.56
_ROW = 0.37
_AXIS = 0.5  # from the last row to the rule under the axis
_SUMS = 0.44
_NAME = 0.1
COLORS = {"helps": BLUE, "hurts": ORANGE, "raises": BLUE, "lowers": ORANGE}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Left edges and widths in inches. Of a panel also where its numbers end, flush right."""

    width: float
    names: float
    panels: tuple[tuple[float, float, float], ...]
    costs: tuple[float, ...]
    cost_wide: float


_ONE = _Layout(7.8, 1.85, ((1.98, 2.2, 4.86),), (5.06, 5.98, 6.9), 0.84)


def _layout(studies: int) -> _Layout:
    """Of several studies, a panel each."""
    if studies == 1:
        return _ONE
    *lefts, end = (round(1.84 + 2.3 * at, 2) for at in range(studies + 1))
    panels = tuple((left, 1.52, round(left + 2.16, 2)) for left in lefts)
    costs = tuple(round(end + 0.06 + 0.91 * at, 2) for at in range(3))
    return _Layout(round(end + 2.76, 2), 1.72, panels, costs, 0.82)


_COSTS = (
    ("Parameters", "exact", "", "params"),
    ("MACs", "an image", "", "macs"),
    ("Memory", "an image", "B", "training_bytes"),
)
_BARS: Any = ({"fc": PALE, "ec": "none"}, {"fc": "white", "ec": GREY, "lw": 0.6})


def contribution_figure(content: FactorContent) -> Drawing:
    """Contributions with simultaneous intervals, one panel a study, beside what they cost."""
    layout = _layout(len(content.views))
    return _drawn(content, layout, "contributions", "95 % for all factors together, new seeds")


_PROBE = replace(_ONE, width=5.1, costs=())


def probe_figure(view: View, column: Column, name: str, held: str) -> Drawing:
    """What factors do to a probe's value; `held`: what the intervals hold."""
    shown = replace(view, found=column.found, costs=None)
    content = FactorContent(metric=column.score, views=(shown,))
    return _drawn(content, _PROBE, name, held)


def _drawn(content: FactorContent, layout: _Layout, name: str, held: str) -> Drawing:
    marks = _marks(content, held)
    lines = key_lines(layout.width - 0.3, marks) + len(content.views)
    under = _TOP + _ROW * len(content.names) + _AXIS
    with look.style():
        sheet = Sheet(layout.width, under + _SUMS + 0.1 + 0.18 * lines)
        sheet.bands(_TOP, _ROW, len(content.names))
        _names(sheet, layout, content)
        for view, place in zip(content.views, layout.panels, strict=True):
            _contributions(sheet, place, content, view)
            if view is content.views[0]:
                sheet.text(_NAME, under + 0.1, "All together: their sum")
                sheet.text(_NAME, under + 0.27, "measured, all less none", color=GREY)
            _sums(sheet, place, under, view, content.unit)
        if layout.costs:
            _costs(sheet, layout, content, under)
        sheet.line(_TOP)
        sheet.line(under - 0.02)
        last = sheet.key(0.2, under + _SUMS + 0.12, marks)
        for at, view in enumerate(content.views, start=1):
            sheet.note(_NAME, last + 0.18 * at, _footnote(view, content))
        return look.drawn(sheet.figure, name, _description(content))


def _names(sheet: Sheet, layout: _Layout, content: FactorContent) -> None:
    sheet.head(_NAME, 0.14, "Factor", "in the path’s order")
    for at, factor in enumerate(content.views[0].plan.factors):
        y = _TOP + (at + 0.5) * _ROW
        choices = " + ".join(factor.choices)
        apart = choices != factor.name
        sheet.text(_NAME, y - 0.075 * apart, shrunk(factor.name, layout.names, 8.0))
        if apart:
            sheet.text(_NAME, y + 0.085, shrunk(choices, layout.names, 6.3), size=6.3, color=GREY)


def _contributions(
    sheet: Sheet, place: tuple[float, float, float], content: FactorContent, view: View
) -> None:
    """A panel: marks with their intervals, and the numbers beside them."""
    (left, wide, end), of, rows = place, content.unit, len(content.names)
    axes = sheet.panel((left, _TOP, wide, _ROW * rows), rows)
    axes.set_xlim(limits(_all_values(content)))
    axes.set_xlabel(of.label, size=SMALL, labelpad=1)
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for row, each in enumerate(view.found.contributions):
        y, value = _TOP + (row + 0.5) * _ROW, each.estimate.value
        sheet.text(end, y - 0.075, of.signed(value), "right", weight="bold")
        if value is None:
            axes.text(0.02, row, "cannot be told", size=SMALL, color=GREY, va="center",
                      transform=axes.get_yaxis_transform())  # fmt: skip
            continue
        told = COLORS.get(each.answer)
        answer = "no verdict" if rests(each) else each.answer
        sheet.text(end, y + 0.085, answer, "right", size=6.3, color=told or GREY)
        color = told or BLUE
        spanned(axes, of.ends(each.wide), row, color=color, lw=0.9, alpha=1.0, zorder=2)
        spanned(axes, of.ends(each.simultaneous), row, color=color, lw=2.6, alpha=0.55, zorder=2)
        axes.plot(of.scale * value, row, "o", mfc=told or "white", mec=color, ms=5.0,
                  mew=1.1, zorder=3)  # fmt: skip
    what = view.found.estimand
    title, note = f"{what[0].upper()}{what[1:]}", f"on {of.title}, {of.name}"
    if len(content.views) > 1:
        title, note = f"Networks {view.label}", f"{what}, {of.name}"
    sheet.head(left, 0.14, title, note)


def _all_values(content: FactorContent) -> list[float | None]:
    return [
        content.unit.of(value)
        for view in content.views
        for each in view.found.contributions
        for value in (each.estimate.value, *ends(each.simultaneous), *ends(each.wide))
    ]


def _sums(sheet: Sheet, place: tuple[float, float, float], y: float, view: View, of: Unit) -> None:
    """The sum of the contributions beside what was measured from end to end."""
    left, _, end = place
    values = [each.estimate.value for each in view.found.contributions]
    total = None if None in values else sum(value or 0.0 for value in values)
    sheet.text(end, y + 0.1, of.signed(total), "right", weight="bold")
    gap = view.found.gap
    sheet.text(end, y + 0.27, of.signed(gap.total.value if gap else None), "right", color=GREY)
    if gap and gap.estimate.interval and not gap.by_construction:
        sheet.text(left, y + 0.1, f"gap {of.signed(gap.estimate.value)}", size=SMALL)
        sheet.text(left, y + 0.27, f"95 %: {of.span(gap.estimate.interval)}", size=SMALL)
    else:
        text = "equal by construction" if gap else "gap not known yet"
        sheet.text(left, y + 0.185, text, size=SMALL, color=GREY)


def _costs(sheet: Sheet, layout: _Layout, content: FactorContent, under: float) -> None:
    """What factors cost: bars and numbers of one study, or of two one under the other; of more, of
    the first: data sets change the classifier only."""
    views = content.views if len(content.views) <= 2 else content.views[:1]
    for left, (title, note, suffix, name) in zip(layout.costs, _COSTS, strict=True):
        end = left + layout.cost_wide
        sheet.head(end, 0.14, title, note, "right")
        columns = [getattr(view.costs, name) if view.costs else () for view in views]
        most = max((abs(value) for column in columns for value in column), default=0.0)
        for at, (view, column) in enumerate(zip(views, columns, strict=True)):
            equal, ink = view.plan.matched == name, GREY if at else INK
            shift = 0.16 * (at - 0.5) * (len(columns) - 1)
            for row, value in enumerate(column):
                y = _TOP + (row + 0.5) * _ROW + shift
                if equal:
                    sheet.text(end, y, "equal", "right", size=6.6, color=GREY)
                    continue
                if most:
                    _cost_bar(sheet, left + 0.14, y, 0.14 * value / most, _BARS[at])
                sheet.text(end, y, signed_count(value, suffix), "right", size=7.4, color=ink)
            total = signed_count(sum(column) if view.costs else None, suffix)
            sheet.text(end, under + (0.27 if at else 0.1), "equal" if equal else total, "right",
                       size=7.4, color=ink)  # fmt: skip


def _cost_bar(sheet: Sheet, zero: float, y: float, wide: float, style: dict[str, Any]) -> None:
    sheet.axes.add_patch(Rectangle((zero, y - 0.05), wide, 0.1, zorder=1, **style))
    sheet.axes.plot([zero] * 2, [y - 0.07, y + 0.07], color=GREY, lw=0.5)


def signed_count(value: float | None, suffix: str = "") -> str:
    """A difference of counts.

    >>> signed_count(-12_300, ""), signed_count(0.2, "B")
    ('−12.3 k', '0 B')
    """
    if value is None:
        return MISSING
    sign = "" if round(value) == 0 else "+" if value > 0 else "−"
    text = large(abs(value)) if sign else "0"
    gap = "" if text[-1].isalpha() else " " * bool(suffix)
    return f"{sign}{text}{gap}{suffix}"


def _marks(content: FactorContent, held: str) -> Marks:
    every = [each for view in content.views for each in view.found.contributions]
    answers = {each.answer for each in every}
    has = any(view.has_intervals for view in content.views)
    return occurring([
        *((answer in answers, {"marker": "o", "color": color, "ms": 5}, answer)
          for answer, color in COLORS.items()),
        ("no effect" in answers, {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 5, "mew": 1.1},
         "exactly none"),
        (answers & {"not resolved", "negligible", "no interval", "no verdict"},
         {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 5, "mew": 1.1},
         ("includes 0" if "negligible" in answers else "not resolved: includes 0")
         if has else "no interval"),
        (answers & set(RESTS), {"marker": "o", "mfc": "white", "mec": BLUE, "ms": 5, "mew": 1.1},
         "no verdict: it rests on runs that diverged or learned nothing"),
        (has, {"marker": "_", "color": BLUE, "ms": 13, "mew": 2.6, "alpha": 0.55},
         held),
        (any(each.wide for each in every), {"marker": "_", "color": BLUE, "ms": 13, "mew": 0.9},
         "and new test images"),
    ])  # fmt: skip


def _footnote(view: View, content: FactorContent) -> str:
    counts, runs, two = view.found.counts, scored(view.found), len(content.views) > 1
    label = f"{view.label[0].upper()}{view.label[1:]}: n" if two else "n"
    costs = ""
    if view.costs and view is content.views[0]:
        costs = f" Costs: exact Shapley values, all {view.costs.subsets:,} subsets."
        if two and content.views[1].plan.matched:
            costs += " Outlined: the matched networks."
    return (
        f"{label} = {plural(runs, 'run')} with a score in {plural(counts.cells, 'cell')}"
        f" of {counts.planned_cells}.{costs}"
    )


def _description(content: FactorContent) -> str:
    parts, of = [], content.unit
    for view in content.views:
        every = view.found.contributions
        told = (f"{each.name} {of.signed(each.estimate.value)} ({each.answer})" for each in every)
        parts.append(f"{view.label}: {', '.join(told)}")
    return f"Contributions to {of.title} in {of.name}; {'; '.join(parts)}."
