"""The interaction matrix: how much more one factor adds where another is made."""

from dataclasses import dataclass
from string import ascii_uppercase

from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle

from nextify.findings import Interaction
from nextify.report import style as look
from nextify.report.canvas import SMALL, Sheet, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing

_LEFT, _TOP = 1.95, 0.5
_MOST = 0.62  # of a cell's side, inches
_WIDTH = 7.6
_NAMES = 1.75  # of the names under the columns, at most

_COLORS = LinearSegmentedColormap.from_list("signed", [ORANGE, "#ffffff", BLUE])


@dataclass(frozen=True, slots=True)
class Tile:
    """A pair's place in the matrix: its interaction, and a letter where several pairs share it."""

    pair: Interaction
    letter: str


def tiles(found: tuple[Interaction, ...]) -> dict[frozenset[str], Tile]:
    """The interaction that each pair of factors belongs to; pairs of one sum share a letter."""
    sums = [each for each in found if each.aliased]
    letters = {id(each): letters_of(at) for at, each in enumerate(sums)}
    places = {}
    for each in found:
        for first, second in ((each.first, each.second), *((a, b) for a, b, _ in each.aliased)):
            places[frozenset((first, second))] = Tile(each, letters.get(id(each), ""))
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
    count = len(content.names)
    side = min(_MOST, (_WIDTH - _LEFT - 0.1) / (count - 1))
    with look.style():
        under = [shrunk(name, _NAMES, 7.6) for name in content.names[:-1]]
        room = 0.25 + 0.04 * max(map(len, under))  # slanted
        sheet = Sheet(_WIDTH, _TOP + side * (count - 1) + room)
        sheet.head(0.1, 0.14, "Interactions", _unit_line(content))
        for row in range(1, count):
            y = _TOP + (row - 0.5) * side
            name = shrunk(content.names[row], _LEFT - 0.15, 7.6)
            sheet.text(_LEFT - 0.08, y, name, "right", size=7.6)
            for column in range(row):
                pair = frozenset((content.names[row], content.names[column]))
                corner = (_LEFT + column * side, _TOP + (row - 1) * side)
                _tile(sheet, corner, side, places.get(pair), content, view)
        for column in range(count - 1):
            sheet.axes.text(_LEFT + (column + 0.62) * side, _TOP + side * (count - 1) + 0.08,
                            under[column], rotation=40, ha="right",
                            va="top", size=7.6, rotation_mode="anchor", color=INK)  # fmt: skip
        _key(sheet, side, content, view)
        return look.drawn(sheet.figure, f"interactions{view.key}", _description(content, view))


def _unit_line(content: FactorContent) -> str:
    return f"{content.unit.name} of {content.unit.title}"


def _largest(view: View) -> float:
    values = [abs(each.estimate.value or 0.0) for each in view.found.interactions]
    return max(values) or 1.0


def _tile(
    sheet: Sheet,
    corner: tuple[float, float],
    side: float,
    tile: Tile | None,
    content: FactorContent,
    view: View,
) -> None:
    x, y = corner
    middle = (x + side / 2, y + side / 2)
    if tile is None or tile.pair.estimate.value is None:
        sheet.axes.add_patch(Rectangle(corner, side, side, fc="white", ec=PALE, lw=0.6))
        sheet.text(*middle, "?", "center", size=SMALL, color=GREY)
        return
    pair, value = tile.pair, tile.pair.estimate.value
    color = _COLORS(0.5 + 0.5 * 0.92 * value / _largest(view))
    sheet.axes.add_patch(Rectangle(corner, side, side, fc=color, ec=PALE, lw=0.6))
    ink = "white" if sum(to_rgb(color)) < 1.35 else INK
    weight = "bold" if pair.found else "normal"
    size = min(7.6, side * 13.5)
    lower = 0.07 if tile.letter else 0.0
    if tile.letter:
        sheet.text(middle[0], middle[1] - 0.09, tile.letter, "center", size=size, color=ink)
    text = content.unit.signed(value)
    sheet.text(middle[0], middle[1] + lower, text, "center", size=size, color=ink, weight=weight)
    if pair.found:
        frame = (x + 0.03, y + 0.03), side - 0.06, side - 0.06
        sheet.axes.add_patch(Rectangle(*frame, fill=False, ec=ink, lw=1.4, zorder=3))


def _key(sheet: Sheet, side: float, content: FactorContent, view: View) -> None:
    """In the empty corner: the colours, and what a frame means."""
    count = len(content.names)
    left = max(_LEFT + side * (count // 2 + 0.8), _WIDTH - 3.0)
    most, wide, steps = _largest(view), 1.6, 80
    for at in range(steps):
        sheet.axes.add_patch(
            Rectangle((left + wide * at / steps, 0.1), wide / steps + 0.005, 0.13, lw=0,
                      fc=_COLORS(0.5 + 0.46 * (2 * at / (steps - 1) - 1)))
        )  # fmt: skip
    for share, align in ((0.0, "left"), (0.5, "center"), (1.0, "right")):
        text = content.unit.signed((2 * share - 1) * most)
        sheet.text(left + share * wide, 0.32, text, align, size=SMALL)
    for at, line in enumerate(_meaning(view, content)):
        sheet.note(left, 0.52 + 0.16 * at, line)


def _meaning(view: View, content: FactorContent) -> list[str]:
    found = sum(each.found for each in view.found.interactions)
    unknown = len(content.names) * (len(content.names) - 1) // 2 - len(
        tiles(view.found.interactions)
    )
    letters = any(each.aliased for each in view.found.interactions)
    tested = any(each.q is not None for each in view.found.interactions)
    return [
        f"framed, bold: found ({found})" if tested else "not tested: no intervals",
        "(5 % false discoveries)" if tested else "",
        *(["letters: sums, in the table"] if letters else []),
        *([f"?: cannot be told ({unknown})"] if unknown else []),
    ]


def _description(content: FactorContent, view: View) -> str:
    found = [
        f"{each.first} with {each.second} {content.unit.signed(each.estimate.value)}"
        for each in view.found.interactions
        if each.found
    ]
    return (
        f"Two-factor interactions in {content.unit.name} as a matrix of {len(content.names)} "
        f"factors; found: {', '.join(found) or 'none'}."
    )
