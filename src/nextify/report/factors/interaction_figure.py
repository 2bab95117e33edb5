"""The interaction matrix: how much more one factor adds where another is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle

from nextify import words
from nextify.findings import Interaction
from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.units import Unit
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing

_LEFT, _TOP = 1.95, 0.5
_MOST = 0.62  # of a cell's side, inches
_WIDTH = 7.6
_NAMES = 1.75  # of the names under the columns, at most

SIGNED = LinearSegmentedColormap.from_list("signed", [ORANGE, "#ffffff", BLUE])


@dataclass(frozen=True, slots=True)
class Tile:
    """A pair's place in the matrix: its interaction, and a letter where several pairs share it."""

    pair: Interaction
    letter: str


def tiles(found: tuple[Interaction, ...]) -> dict[frozenset[str], Tile]:
    """The interaction that each pair of factors belongs to; pairs of one sum share a letter."""
    places, letters = {}, map(letters_of, count())
    for each in found:
        tile = Tile(each, next(letters) if each.aliased else "")
        pairs = ((each.first, each.second), *((a, b) for a, b, _ in each.aliased))
        places.update(dict.fromkeys(map(frozenset, pairs), tile))
    return places


def letters_of(at: int) -> str:
    """A name for the sum number `at`.

    >>> letters_of(0), letters_of(27)
    ('A', 'B2')
    """
    round_, place = divmod(at, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(round_ + 1) if round_ else "")


def interaction_figure(content: FactorContent, view: View) -> Drawing | None:
    """Signed interactions of all pairs, framed where found; None where none can be told."""
    places = tiles(view.found.interactions)
    if not places:
        return None
    names, last = content.names, len(content.names) - 1
    side = min(_MOST, (_WIDTH - _LEFT - 0.1) / last)
    most = max(abs(each.estimate.value or 0.0) for each in view.found.interactions) or 1.0
    with look.style():
        under = [shrunk(name, _NAMES, 7.6) for name in names[:-1]]
        room = 0.25 + 0.04 * max(map(words.room, under))  # slanted
        sheet = Sheet(_WIDTH, _TOP + side * last + room)
        sheet.head(0.1, 0.14, "Interactions", f"{content.unit.name} of {content.unit.title}")
        for row in range(last):
            y = _TOP + (row + 0.5) * side
            name = shrunk(names[row + 1], _LEFT - 0.15, 7.6)
            sheet.text(_LEFT - 0.08, y, name, "right", size=7.6)
            for column in range(row + 1):
                tile = places.get(frozenset((names[row + 1], names[column])))
                middle = (_LEFT + (column + 0.5) * side, y)
                _tile(sheet, middle, side, tile, most, content.unit)
        for column, name in enumerate(under):
            sheet.axes.text(_LEFT + (column + 0.62) * side, _TOP + side * last + 0.08, name,
                            rotation=40, ha="right", va="top", size=7.6, rotation_mode="anchor",
                            color=INK)  # fmt: skip
        _key(sheet, side, most, content, view)
        return look.drawn(sheet.figure, f"interactions{view.key}", _description(content, view))


def _tile(
    sheet: Sheet, middle: tuple[float, float], side: float, tile: Tile | None, most: float, of: Unit
) -> None:
    value = tile.pair.estimate.value if tile else None
    color = "white" if value is None else SIGNED(0.5 + 0.5 * 0.92 * value / most)
    square(sheet, middle, side, fc=color, ec=PALE, lw=0.6)
    if tile is None or value is None:
        sheet.text(*middle, "?", "center", size=SMALL, color=GREY)
        return
    found, (x, y) = tile.pair.found, middle
    style = {"color": "white" if sum(to_rgb(color)) < 1.35 else INK, "size": min(7.6, side * 13.5)}
    if tile.letter:
        sheet.text(x, y - 0.09, tile.letter, "center", **style)
    lower = 0.07 if tile.letter else 0.0
    weight = "bold" if found else "normal"
    sheet.text(x, y + lower, of.signed(value), "center", weight=weight, **style)
    if found:
        square(sheet, middle, side - 0.06, fill=False, ec=style["color"], lw=1.4, zorder=3)


def square(sheet: Sheet, middle: tuple[float, float], side: float, **style: Any) -> None:
    """A square about its middle."""
    corner = (middle[0] - side / 2, middle[1] - side / 2)
    sheet.axes.add_patch(Rectangle(corner, side, side, **style))


def _key(sheet: Sheet, side: float, most: float, content: FactorContent, view: View) -> None:
    """In the empty corner: the colours, and what a frame means."""
    left = max(_LEFT + side * (len(content.names) // 2 + 0.8), _WIDTH - 3.0)
    color_key(sheet, left, [content.unit.signed(share * most) for share in (-1.0, 0.0, 1.0)])
    for at, line in enumerate(_meaning(view.found.interactions, len(content.names))):
        sheet.note(left, 0.52 + 0.16 * at, line)


def color_key(sheet: Sheet, left: float, values: Sequence[str]) -> None:
    """The colours at the top of a sheet, with three values under them."""
    wide, steps = 1.6, 80
    for at in range(steps):
        sheet.axes.add_patch(
            Rectangle((left + wide * at / steps, 0.1), wide / steps + 0.005, 0.13, lw=0,
                      fc=SIGNED(0.5 + 0.46 * (2 * at / (steps - 1) - 1)))
        )  # fmt: skip
    for text, share, align in zip(
        values, (0.0, 0.5, 1.0), ("left", "center", "right"), strict=True
    ):
        sheet.text(left + share * wide, 0.32, text, align, size=SMALL)


def _meaning(every: tuple[Interaction, ...], count: int) -> list[str]:
    lines = ["not tested: no intervals", ""]
    if any(each.q is not None for each in every):
        found = sum(each.found for each in every)
        lines = [f"framed, bold: found ({found})", "(5 % false discoveries)"]
    if any(each.aliased for each in every):
        lines.append("letters: sums, in the table")
    if unknown := count * (count - 1) // 2 - len(tiles(every)):
        lines.append(f"?: cannot be told ({unknown})")
    return lines


def _description(content: FactorContent, view: View) -> str:
    of, found = content.unit, [each for each in view.found.interactions if each.found]
    told = [f"{each.first} with {each.second} {of.signed(each.estimate.value)}" for each in found]
    what = f"Two-factor interactions in {of.name} as a matrix of {len(content.names)} factors"
    return f"{what}; found: {', '.join(told) or 'none'}."
