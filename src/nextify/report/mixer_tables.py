"""Tables of docs/scaling.md in Markdown, from files that `nextify scale mixers --save` wrote."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.scaling.laws.findings import memory_verdict, time_verdict, verdict
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.kept import read_sweeps
from nextify.scaling.laws.mixers import Recurrence
from nextify.scaling.laws.sweeps import Axis, Point, Sweep

ONE, TRAINING, TWO = "mixers.json", "mixers-training.json", "mixers-two-threads.json"
_AXES: tuple[Axis, ...] = ("N", "D")


@dataclass(frozen=True, slots=True)
class File:
    """What a file holds: its settings and machine, and its sweeps."""

    made_with: Mapping[str, Any]
    sweeps: tuple[Sweep, ...]

    def sweep(self, name: str, axis: Axis) -> Sweep | None:
        return next((s for s in self.sweeps if (s.name, s.axis) == (name, axis)), None)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(sweep.name for sweep in self.sweeps))


def blocks(folder: Path) -> dict[str, str]:
    """Markdown by name, for each table whose files are in the folder.

    Raises:
        InputError: a file that is no such file, or two that cannot be compared.
    """
    files = {
        name: File(*read_sweeps(folder / name))
        for name in (ONE, TRAINING, TWO)
        if (folder / name).exists()
    }
    found = {}
    for name, needs, text in _BLOCKS:
        if all(need in files for need in needs):
            found[name] = text(*(files[need] for need in needs))
    return found


def put(text: str, tables: Mapping[str, str]) -> str:
    """A document with each table between its two marks.

    >>> put("<!-- a -->\\nold\\n<!-- end of a -->", {"a": "| new |"})
    '<!-- a -->\\n| new |\\n<!-- end of a -->'

    Raises:
        InputError: marks that are not there.
    """
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, there, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (there and ended):
            raise InputError(f"the document has no marks {begin.strip()} and {end.strip()}")
        text = before + begin + table + end + after
    return text


def _times(file: File) -> str:
    """Exponents of time over N and over D, and how many agree."""
    head = ["mixer", *(f"{axis} {what}" for axis in _AXES for what in ("from, to", "formula",
            "measured"))]  # fmt: skip
    rows = [[name, *_cells(file, name, _time_cells, 3)] for name in file.names]
    return _join(_table(head, rows), _count(file, "time", time_verdict), _conditions(file))


def _memory(file: File) -> str:
    """Exponents of memory over N and over D, and how many agree."""
    head = ["mixer", *(f"over {axis}: {what}" for axis in _AXES for what in ("formula",
            "measured"))]  # fmt: skip
    rows = [[name, *_cells(file, name, _memory_cells, 2)] for name in file.names]
    return _join(_table(head, rows), _count(file, "memory", memory_verdict))


def _steps(file: File) -> str:
    """Of the recurrence over N: the time of one step at every size."""
    found = [s for s in file.sweeps if isinstance(s.mixer, Recurrence) and s.axis == "N"]
    tables = []
    for sweep in found:
        head = ["N", *(f"{size:,}" for size in sweep.sizes)]
        paces = [_micro(point.seconds, point) for point in sweep.points]
        spans = [
            f"{_micro(point.fastest, point)} to {_micro(point.slowest, point)}"
            for point in sweep.points
        ]
        rows = [["µs a step", *paces], ["fastest, slowest round", *spans]]
        tables.append(_table(head, rows))
    return _join(*tables)


def _training(file: File) -> str:
    """Exponents of a training step's time; where they do not agree, those at an even rate."""
    head = ["mixer", *(f"{axis} {what}" for axis in _AXES for what in ("from, to", "formula",
            "measured", "at an even rate"))]  # fmt: skip
    rows = [[name, *_cells(file, name, _training_cells, 4)] for name in file.names]
    return _join(_table(head, rows), _count(file, "time", time_verdict), _conditions(file))


def _threads(one: File, two: File) -> str:
    """How many times faster two threads are than one, by the wall clock, at each size."""
    rows = []
    for sweep in two.sweeps:
        before = one.sweep(sweep.name, sweep.axis)
        if before is None or [p.macs for p in before.points] != [p.macs for p in sweep.points]:
            raise InputError(
                f"{sweep.name} over {sweep.axis} was measured at other sizes with one thread; "
                f"measure {TWO} with --sizes-of {ONE}"
            )
        pairs = zip(before.points, sweep.points, strict=True)
        rows.append([sweep.name, sweep.axis, *(_faster(sweep.axis, *pair) for pair in pairs)])
    most = max(len(row) for row in rows)
    head = ["mixer", "over", "size: times faster (lowest to highest)", *[""] * (most - 3)]
    return _join(_table(head, [row + [""] * (most - len(row)) for row in rows]), _conditions(two))


_BLOCKS: tuple[tuple[str, tuple[str, ...], Callable[..., str]], ...] = (
    ("time", (ONE,), _times),
    ("memory", (ONE,), _memory),
    ("steps", (ONE,), _steps),
    ("training", (TRAINING,), _training),
    ("threads", (ONE, TWO), _threads),
)


def _cells(file: File, name: str, cells: Callable[[Sweep], list[str]], count: int) -> Iterable[str]:
    for axis in _AXES:
        sweep = file.sweep(name, axis)
        yield from [""] * count if sweep is None else cells(sweep)


def _time_cells(sweep: Sweep) -> list[str]:
    return [_range(sweep), str(sweep.leading), _measured(sweep.time, sweep.leading)]


def _memory_cells(sweep: Sweep) -> list[str]:
    formula, memory = sweep.alive.value, sweep.memory
    return [f"{formula:.2f}", "" if memory is None else _measured(memory, formula)]


def _training_cells(sweep: Sweep) -> list[str]:
    even = "" if time_verdict(sweep) == "agrees" else _exponent(sweep.at_even_rate)
    return [*_time_cells(sweep), even]


def _measured(found: Exponent, formula: float) -> str:
    said = verdict(found, formula)
    return _exponent(found) if said == "agrees" else f"{_exponent(found)}, {said}"


def _exponent(found: Exponent) -> str:
    return f"{found.value:.2f} ± {found.half:.2f}"


def _range(sweep: Sweep) -> str:
    n = "" if len(sweep.points) == 7 else f" (n = {len(sweep.points)})"
    return f"{sweep.sizes[0]:,} to {sweep.sizes[-1]:,}{n}"


def _micro(seconds: float, point: Point) -> str:
    return f"{1e6 * seconds / point.size('N'):.2f}"


def _faster(axis: Axis, one: Point, two: Point) -> str:
    low, high = one.wall_fastest / two.wall_slowest, one.wall_slowest / two.wall_fastest
    return f"{two.size(axis):,}: {one.wall / two.wall:.1f} ({low:.1f} to {high:.1f})"


def _count(file: File, what: str, told: Callable[[Sweep], str | None]) -> str:
    """How many exponents agree, and which do not."""
    said = [(sweep, word) for sweep in file.sweeps if (word := told(sweep)) is not None]
    agreeing = sum(word == "agrees" for _, word in said)
    parts = [f"{agreeing} of {len(said)} exponents of {what} agree"]
    for word in ("differs", "not resolved"):
        names = [f"{sweep.name} over {sweep.axis}" for sweep, each in said if each == word]
        if names:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts) + "."


def _conditions(file: File) -> str:
    """How it was measured: with every number goes its n and its machine."""
    made, counts = file.made_with, sorted({len(sweep.points) for sweep in file.sweeps})
    n = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    clock = "processor time of one thread" if made["threads"] == 1 else "wall clock"
    batch = {sweep.axis: sweep.points[0].batch for sweep in file.sweeps}
    fixed = [
        f"over {axis} {what} and {batch[axis]} sequence{'s' * (batch[axis] > 1)}"
        for axis, what in (("N", f"D = {made['width']}"), ("D", f"N = {made['tokens']}"))
        if axis in batch
    ]
    return (
        f"n = {n} sizes, median of {made['rounds']} rounds, {made['step']}, float32, {clock}; "
        f"{made['threads']} thread{'s' * (made['threads'] > 1)}, {made['device']}, torch "
        f"{made['torch']}; {'; '.join(fixed)}."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
                     for cells in lines)  # fmt: skip


def _join(*parts: str) -> str:
    return "\n\n".join(parts)
