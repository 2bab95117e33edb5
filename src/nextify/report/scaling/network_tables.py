"""Tables of docs/scaling.md in Markdown, from what `nextify scale networks --save` kept."""

from collections.abc import Callable, Sequence
from pathlib import Path

from nextify.scaling.laws.networks import NetworkPoint
from nextify.scaling.laws.networks_kept import read_points

FILE = "networks.json"


def blocks(folder: Path) -> dict[str, str]:
    """Markdown by name: "networks" has MACs and latency over image sizes, "networks-memory" the
    memory in use by formula and as measured. None where the file is not there.

    Raises:
        InputError: it is no such file.
    """
    if not (folder / FILE).exists():
        return {}
    _, points = read_points(folder / FILE)
    return {"networks": cost_table(points), "networks-memory": memory_table(points)}


def cost_table(points: Sequence[NetworkPoint]) -> str:
    """GMACs and milliseconds of each network, a row for each size."""
    pairs = [(f"{name}: GMACs", "ms") for name in _names(points)]
    return _table(["pixels", *(cell for pair in pairs for cell in pair)], points, _cost)


def memory_table(points: Sequence[NetworkPoint]) -> str:
    """Megabytes in use by formula and resident of each network, a row for each size."""
    pairs = [(f"{name}: formula, MB", "resident") for name in _names(points)]
    return _table(["pixels", *(cell for pair in pairs for cell in pair)], points, _memory)


def _cost(one: NetworkPoint) -> tuple[str, str]:
    seconds = one.value("seconds")
    return _short(one.macs / 1e9), "–" if seconds is None else _short(1e3 * seconds)


def _memory(one: NetworkPoint) -> tuple[str, str]:
    grown = one.resident_bytes
    return _short(one.alive / 1e6), "–" if grown is None else _short(grown / 1e6)


def _table(
    head: Sequence[str],
    points: Sequence[NetworkPoint],
    cells: Callable[[NetworkPoint], tuple[str, str]],
) -> str:
    known = {(one.name, one.side): one for one in points}
    rows = [head, ["---"] * len(head)]
    for side in sorted({one.side for one in points}):
        row = [f"{side:,}"]
        for name in _names(points):
            found = known.get((name, side))
            row += ("–", "–") if found is None else cells(found)
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _names(points: Sequence[NetworkPoint]) -> list[str]:
    return list(dict.fromkeys(one.name for one in points))


def _short(value: float) -> str:
    """Three digits.

    >>> _short(0.0855), _short(2167.0), _short(28.04)
    ('0.0855', '2,170', '28')
    """
    return f"{float(f'{value:.3g}'):,.10g}"
