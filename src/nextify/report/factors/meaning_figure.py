"""The matrix of choices by probes: what each choice does to each, in units of the spread."""

import math
from typing import Any

from matplotlib.colors import to_rgb

from nextify import words
from nextify.findings.answers import DECIDED, Contribution
from nextify.findings.meaning import Column, Meaning
from nextify.report import style as look
from nextify.report.canvas import Sheet, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.contribution_figure import probe_figure
from nextify.report.factors.interaction_figure import SIGNED, color_key, square
from nextify.report.factors.meaning_words import held, probe_key, runs_in_words, title_of
from nextify.report.style import GREY, INK, PALE, Drawing
from nextify.words import signed

_LEFT, _TOP = 1.95, 0.62
_WIDTH = 7.6
_MOST = 0.62  # of a cell's side, inches
_NAMES = 1.75
_LEAST_SCALE = 1.0  # spreads: colours are not stretched further


def meaning_figure(content: FactorContent, view: View) -> Drawing | None:
    """Effects of all factors on all probes: coloured and framed where told from zero, hatched where
    not; None without probes."""
    of = view.meaning
    if of is None:
        return None
    names, count = content.names, len(of.columns)
    side = min(_MOST, (_WIDTH - _LEFT - 0.1) / count)
    most = _most(of)
    with look.style():
        under = [shrunk(title_of(column), _NAMES, 7.6) for column in of.columns]
        room = 0.25 + 0.045 * max(map(words.room, under))  # slanted
        sheet = Sheet(_WIDTH, _TOP + side * len(names) + room + 0.66)
        sheet.head(
            0.1, 0.14, "What choices do", "in spreads between seeds; colours by their logarithm"
        )
        for row, name in enumerate(names):
            y = _TOP + (row + 0.5) * side
            sheet.text(_LEFT - 0.08, y, shrunk(name, _LEFT - 0.15, 7.6), "right", size=7.6)
            for at, column in enumerate(of.columns):
                middle = (_LEFT + (at + 0.5) * side, y)
                _tile(sheet, middle, side, column, column.found.contributions[row], most)
        for at, name in enumerate(under):
            sheet.axes.text(_LEFT + (at + 0.62) * side, _TOP + side * len(names) + 0.08, name,
                            rotation=40, ha="right", va="top", size=7.6, rotation_mode="anchor",
                            color=INK)  # fmt: skip
        color_key(sheet, _WIDTH - 1.9, [signed(share * most, 1) for share in (-1, 0, 1)])
        for at, line in enumerate((*_key(of), runs_in_words(of))):
            sheet.note(0.1, _TOP + side * len(names) + room + 0.04 + 0.16 * at, line)
        return look.drawn(sheet.figure, f"meaning{view.key}", _description(content, of))


def probe_figures(view: View) -> list[Drawing]:
    """One figure a probe."""
    of = view.meaning
    if of is None:
        return []
    return [probe_figure(view, each, probe_key(view, each), held(of)) for each in of.columns]


def _most(of: Meaning) -> float:
    sizes = [
        abs(column.in_spreads(each) or 0.0)
        for column in of.columns
        for each in column.found.contributions
        if each.answer in DECIDED
    ]
    return max([_LEAST_SCALE, *sizes])


def _share(size: float, most: float) -> float:
    """Where a size is on the scale of colours, -1 to 1: by its logarithm, since an activation
    function's own effect is a hundred times another's that is as certain."""
    return math.copysign(math.log1p(abs(size)) / math.log1p(most), size)


def _tile(
    sheet: Sheet,
    middle: tuple[float, float],
    side: float,
    column: Column,
    of: Contribution,
    most: float,
) -> None:
    is_told, size = of.answer in DECIDED, column.in_spreads(of)
    style: dict[str, Any] = {"fc": "white", "ec": PALE, "lw": 0.6}
    if is_told:
        share = (of.estimate.value or 0.0) > 0 if size is None else 0.5 + 0.46 * _share(size, most)
        style["fc"] = SIGNED(0.96 * share + 0.02 if size is None else share)
    elif of.answer not in ("no effect", "cannot be told"):
        style["hatch"] = "////"
    square(sheet, middle, side, **style)
    ink = "white" if is_told and sum(to_rgb(style["fc"])) < 1.35 else INK if is_told else GREY
    weight, text = "bold" if is_told else "normal", _text(column, of, size)
    box = None if is_told else {"fc": "white", "ec": "none", "pad": 0.6}
    size_ = min(7.6, side * 13.5)
    sheet.text(*middle, text, "center", weight=weight, color=ink, size=size_, bbox=box)
    if is_told:
        square(sheet, middle, side - 0.06, fill=False, ec=ink, lw=1.2, zorder=3)


def _text(column: Column, of: Contribution, size: float | None) -> str:
    if of.estimate.value is None:
        return "?"
    if of.answer == "no effect":
        return "0"
    if column.is_exact:
        return "+" if of.estimate.value > 0 else "−"
    return "?" if size is None else signed(size, 1)


def _key(of: Meaning) -> tuple[str, str]:
    answers = {each.answer for column in of.columns for each in column.found.contributions}
    exact = any(column.is_exact for column in of.columns)
    parts = [f"coloured, framed: told from zero ({held(of)})", "hatched: undecided"]
    more = ["+ or − alone, 0: exact, without spread"] * exact
    more += ["?: cannot be told"] * ("cannot be told" in answers)
    return "; ".join(parts), "; ".join(more) or "size: effect / standard deviation of single runs"


def _description(content: FactorContent, of: Meaning) -> str:
    told = [
        f"{each.name} {'raises' if (each.estimate.value or 0.0) > 0 else 'lowers'} "
        f"{title_of(column)}"
        for column in of.columns
        for each in column.found.contributions
        if each.answer in DECIDED
    ]
    what = f"What {len(content.names)} factors do to {len(of.columns)} probes, as a matrix"
    return f"{what}; told from zero: {'; '.join(told) or 'nothing'}."
