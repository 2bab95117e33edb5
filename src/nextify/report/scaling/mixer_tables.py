"""Tables of docs/scaling.md in Markdown, from files that `nextify scale mixers --save` wrote."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.scaling.laws.findings import memory_verdict, parts, rates, time_verdict, verdict
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.kept import read_sweeps
from nextify.scaling.laws.mixers import Recurrence
from nextify.scaling.laws.sweeps import Axis, Point, Sweep

ONE, TRAINING, TWO = "mixers.json", "mixers-training.json", "mixers-two-threads.json"
_BEYOND = 0.05  # of the formula's memory, at the largest size
_TOLD = 1e6  # bytes: less is not told from what the system rounds
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


def _beyond(file: File) -> str:
    """What is resident at the largest size where that is not the formula's, and how near it is
    everywhere else."""
    known = [sweep for sweep in file.sweeps if sweep.memory is not None]
    beyond = [sweep for sweep in known if abs(_excess(sweep.points[-1]) - 1) > _BEYOND]
    head = ["mixer", "over", "at", "formula, MB", "resident, MB", "tensors", "buffers", "objects"]
    rows = [[sweep.name, sweep.axis, *_resident_cells(sweep)] for sweep in beyond]
    near = [
        _excess(point)
        for sweep in known
        if sweep not in beyond
        for point in sweep.points
        if point.alive >= _TOLD
    ]
    said = "" if not near else (
        f"Of all others, at sizes of 1 MB and more: {min(near):.3f} to {max(near):.3f} times the "
        f"formula, n = {len(near)}."
    )  # fmt: skip
    return _join(*([_table(head, rows)] if rows else []), said)


def _resident_cells(sweep: Sweep) -> list[str]:
    last = sweep.points[-1]
    assert last.resident is not None
    own = (last.resident.tensors, last.resident.buffers, last.resident.objects)
    amounts = [f"{amount / 1e6:,.2f}" for amount in (last.alive, last.resident.bytes, *own)]
    return [f"{last.size(sweep.axis):,}", *amounts]


def _excess(point: Point) -> float:
    """Resident bytes over the formula's."""
    return 1.0 if point.resident is None else point.resident.bytes / point.alive


def _differences(file: File) -> str:
    """Where time does not agree: by what, in slopes that add up, and the rates of the products."""
    found = [sweep for sweep in file.sweeps if time_verdict(sweep) != "agrees"]
    if not found:
        return "All exponents of time agree."
    head = ["mixer", "over", "off by", "lower order", "rate", "other time", "GMACs/s: inside",
            "by themselves"]  # fmt: skip
    return _table(head, [[sweep.name, sweep.axis, *_difference_cells(sweep)] for sweep in found])


def _difference_cells(sweep: Sweep) -> list[str]:
    own = parts(sweep)
    slopes = (sweep.time.value - sweep.leading, own.lower, own.rate, own.rest)
    ends = [f"{first / 1e9:.1f} to {last / 1e9:.1f}" for first, last in rates(sweep)]
    return [*(f"{slope:+.2f}" for slope in slopes), *ends]


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
    ("differences", (ONE,), _differences),
    ("steps", (ONE,), _steps),
    ("memory", (ONE,), _memory),
    ("beyond", (ONE,), _beyond),
    ("training", (TRAINING,), _training),
    ("training-differences", (TRAINING,), _differences),
    ("threads", (ONE, TWO), _threads),
)


NAMES = tuple(name for name, _, _ in _BLOCKS)


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
    said_of = [f"{agreeing} of {len(said)} exponents of {what} agree"]
    for word in ("differs", "not resolved"):
        names = [f"{sweep.name} over {sweep.axis}" for sweep, each in said if each == word]
        if names:
            said_of.append(f"{word}: {', '.join(names)}")
    return "; ".join(said_of) + "."


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


def _join(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
