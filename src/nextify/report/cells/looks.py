"""How networks are told apart in figures: by colour, and in black and white by marker and line."""

from dataclasses import dataclass
from typing import Any

from nextify.report.style import AMBER, BLUE, BROWN, GREEN, INK, ORANGE, PURPLE, SKY

_COLORS = (INK, BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BROWN)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_LINES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NetworkLook:
    """A colour, a marker and a line style."""

    color: str
    marker: str
    line: Any

    def mark(self, filled: bool = True) -> dict[str, Any]:
        """As properties of a marker; hollow for what is not resolved."""
        return {
            "marker": self.marker,
            "mec": self.color if not filled else "white",
            "mfc": self.color if filled else "white",
            "mew": 0.6 if filled else 1.1,
            "ms": 5.2 if filled else 4.6,
        }


def look_of(at: int) -> NetworkLook:
    """That of a network by its index: eight clearly unlike, then other combinations.

    >>> len({look_of(at) for at in range(64)})
    64
    """
    turn = at // len(_COLORS)
    return NetworkLook(
        color=_COLORS[at % len(_COLORS)],
        marker=_MARKERS[(at + 3 * turn) % len(_MARKERS)],
        line=_LINES[(at + turn) % len(_LINES)],
    )
