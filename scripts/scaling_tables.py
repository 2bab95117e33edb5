"""The tables of docs/scaling.md, from what `nextify scale ... --save` has kept.

    python scripts/scaling_tables.py docs/scaling                          # print them
    python scripts/scaling_tables.py docs/scaling --write docs/scaling.md  # put them where they go

The files are mixers.json, mixers-training.json, mixers-two-threads.json and networks.json; a table
whose file is not there is left as it is.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.report.scaling.blocks import ends
from nextify.report.scaling.sweep_words import conditions_in_words, exponent_in_words
from nextify.scaling.laws import findings
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.kept import POINTS, SWEEPS
from nextify.scaling.laws.networks import NetworkPoint
from nextify.scaling.laws.sweeps import AXES, Axis, Point, Sweep
from nextify.scaling.saving import Kind, contents
from nextify.words import MISSING, plural

ONE, TRAINING, TWO = "mixers.json", "mixers-training.json", "mixers-two-threads.json"
NETWORKS = "networks.json"
_BEYOND = 0.05  # of the formula's memory, at the largest size
_TOLD = 1e6  # bytes: less is not told from what the system rounds
_NEITHER = (MISSING, MISSING)


@dataclass(frozen=True, slots=True)
class File:
    """What a file holds: its settings and machine, and its sweeps or points."""

    made_with: Mapping[str, Any]
    results: tuple[Any, ...]

    def sweep(self, name: str, axis: Axis) -> Sweep | None:
        return next((s for s in self.results if (s.name, s.axis) == (name, axis)), None)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(one.name for one in self.results))


def blocks(folder: Path) -> dict[str, str]:
    """Markdown by name, for each table whose files are in the folder.

    Raises:
        InputError: a file that is no such file, or two that cannot be compared.
    """
    kinds: dict[str, Kind[Any]] = {ONE: SWEEPS, TRAINING: SWEEPS, TWO: SWEEPS, NETWORKS: POINTS}
    files = {
        name: File(*contents(folder / name, kind))
        for name, kind in kinds.items()
        if (folder / name).exists()
    }
    return {
        name: "\n\n".join(text for text in texts(*(files[need] for need in needs)) if text)
        for name, (needs, texts) in _BLOCKS.items()
        if all(need in files for need in needs)
    }


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


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table.

    >>> print(markdown(("a", "b"), [("1", "")]))
    | a | b |
    | --- | --- |
    | 1 | |
    """
    lines = (head, ["---"] * len(head), *rows)
    texts = ("|".join(f" {cell} " if cell else " " for cell in cells) for cells in lines)
    return "\n".join(f"|{text}|" for text in texts)


def _exponents(
    what: str, columns: Sequence[str], cells: Callable[[Sweep], list[str]], file: File
) -> Iterator[str]:
    """A row for each mixer, with the columns over N and those over D; how many agree."""
    rows = []
    for name in file.names:
        there = [file.sweep(name, axis) for axis in AXES]
        own = [[""] * len(columns) if sweep is None else cells(sweep) for sweep in there]
        rows.append([name, *own[0], *own[1]])
    head = ["mixer", *(column.format(axis) for axis in AXES for column in columns)]
    yield markdown(head, rows)
    yield _count(file, what)
    if what == "time":
        yield _short_calls(file)
        yield _conditions(file)


def _short_calls(file: File) -> str:
    """The lines that begin where overhead has more than a tenth of the time."""
    short = [sweep for sweep in file.results if sweep.overhead_share > findings.OVERHEAD]
    said = [f"{one.name} over {one.axis} ({1 / one.overhead_share:.1f})" for one in short]
    if not said:
        return ""
    return (
        f"{len(said)} of {len(file.results)} lines begin where a call takes less than "
        f"{1 / findings.OVERHEAD:.0f} times the overhead: {', '.join(said)}."
    )


def _beyond(file: File) -> Iterator[str]:
    """What is resident at the largest size where that is not the formula's, and how near it is
    everywhere else."""
    known = [sweep for sweep in file.results if sweep.memory is not None]
    beyond = [sweep for sweep in known if abs(_excess(sweep.points[-1]) - 1) > _BEYOND]
    head = ["mixer", "over", "at", "formula, MB", "resident, MB", "tensors", "buffers", "objects"]
    rows = [[sweep.name, sweep.axis, *_resident_cells(sweep)] for sweep in beyond]
    yield markdown(head, rows) if rows else ""
    others = [point for sweep in known if sweep not in beyond for point in sweep.points]
    near = [_excess(point) for point in others if point.alive >= _TOLD]
    if near:
        yield (
            f"Of all others, at sizes of 1 MB and more: {min(near):.3f} to {max(near):.3f} times "
            f"the formula, n = {len(near)}."
        )


def _resident_cells(sweep: Sweep) -> list[str]:
    last, of = sweep.points[-1], sweep.points[-1].resident
    assert of is not None
    amounts = (last.alive, of.bytes, of.tensors, of.buffers, of.objects)
    return [f"{last.size(sweep.axis):,}", *(f"{amount / 1e6:,.2f}" for amount in amounts)]


def _excess(point: Point) -> float:
    """Resident bytes over the formula's."""
    return 1.0 if point.resident is None else point.resident.bytes / point.alive


def _differences(file: File) -> Iterator[str]:
    """Where time does not agree: by what, in slopes that add up, and the rates of the products."""
    found = [sweep for sweep in file.results if findings.time_verdict(sweep) != "agrees"]
    head = ["mixer", "over", "off by", "lower order", "rate", "other time", "GMACs/s: inside",
            "by themselves"]  # fmt: skip
    rows = [[sweep.name, sweep.axis, *_difference_cells(sweep)] for sweep in found]
    yield markdown(head, rows) if found else "All exponents of time agree."


def _difference_cells(sweep: Sweep) -> list[str]:
    own = findings.parts(sweep)
    slopes = (sweep.time.value - sweep.leading, own.lower, own.rate, own.rest)
    giga = [f"{first / 1e9:.1f} to {last / 1e9:.1f}" for first, last in findings.rates(sweep)]
    return [*(f"{slope:+.2f}" for slope in slopes), *giga]


def _steps(file: File) -> Iterator[str]:
    """Of the recurrence over N: the time of one step at every size."""
    for sweep in file.results:
        if found := findings.paces(sweep):
            rounds = [(p.fastest / p.size("N"), p.slowest / p.size("N")) for p in sweep.points]
            spans = [f"{1e6 * least:.2f} to {1e6 * most:.2f}" for least, most in rounds]
            rows = [["µs a step", *(f"{1e6 * pace:.2f}" for pace in found)],
                    ["fastest, slowest round", *spans]]  # fmt: skip
            yield markdown(["N", *(f"{size:,}" for size in sweep.sizes)], rows)


def _threads(one: File, two: File) -> Iterator[str]:
    """How many times faster two threads are than one, by the wall clock, at each size."""
    rows: list[list[str]] = []
    for sweep in two.results:
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
    yield markdown(head, [row + [""] * (most - len(row)) for row in rows])
    yield _conditions(two)


def _by_size(
    columns: Sequence[str],
    amounts: Callable[[NetworkPoint], tuple[float, float | None]],
    file: File,
) -> Iterator[str]:
    """Two amounts of each network, a row for each size."""
    known = {(one.name, one.side): map(_short, amounts(one)) for one in file.results}
    rows = [
        [f"{side:,}", *(cell for name in file.names for cell in known.get((name, side), _NEITHER))]
        for side in sorted({one.side for one in file.results})
    ]
    head = ["pixels", *(column.format(name) for name in file.names for column in columns)]
    yield markdown(head, rows)


def _costs(one: NetworkPoint) -> tuple[float, float | None]:
    return one.macs / 1e9, one.seconds and 1e3 * one.seconds.median


def _bytes(one: NetworkPoint) -> tuple[float, float | None]:
    return one.alive / 1e6, one.resident and one.resident.bytes / 1e6


def _time_cells(sweep: Sweep) -> list[str]:
    return [_range(sweep), str(sweep.leading), _measured(sweep.time, sweep.leading)]


def _memory_cells(sweep: Sweep) -> list[str]:
    formula, memory = sweep.alive.value, sweep.memory
    return [f"{formula:.2f}", "" if memory is None else _measured(memory, formula)]


def _training_cells(sweep: Sweep) -> list[str]:
    agrees = findings.time_verdict(sweep) == "agrees"
    return [*_time_cells(sweep), "" if agrees else exponent_in_words(sweep.at_even_rate)]


def _measured(found: Exponent, formula: float) -> str:
    told = findings.verdict(found, formula)
    return exponent_in_words(found) + ("" if told == "agrees" else f", {told}")


def _range(sweep: Sweep) -> str:
    n = "" if len(sweep.points) == 7 else f" (n = {len(sweep.points)})"
    return f"{sweep.sizes[0]:,} to {sweep.sizes[-1]:,}{n}"


def _faster(axis: Axis, one: Point, two: Point) -> str:
    low, high = one.wall_fastest / two.wall_slowest, one.wall_slowest / two.wall_fastest
    return f"{two.size(axis):,}: {one.wall / two.wall:.1f} ({low:.1f} to {high:.1f})"


def _short(value: float | None) -> str:
    """Three digits.

    >>> _short(0.0855), _short(2167.0), _short(28.04)
    ('0.0855', '2,170', '28')
    """
    return MISSING if value is None else f"{float(f'{value:.3g}'):,.10g}"


def _count(file: File, what: str) -> str:
    """How many exponents agree, and which do not."""
    told = findings.time_verdict if what == "time" else findings.memory_verdict
    verdicts = [(f"{s.name} over {s.axis}", word) for s in file.results if (word := told(s))]
    agreeing = sum(word == "agrees" for _, word in verdicts)
    said = [f"{agreeing} of {len(verdicts)} exponents of {what} agree"]
    for word in ("differs", "not resolved"):
        if names := [name for name, each in verdicts if each == word]:
            said.append(f"{word}: {', '.join(names)}")
    return "; ".join(said) + "."


def _conditions(file: File) -> str:
    """How it was measured: with every number goes its n and its machine."""
    made, n = file.made_with, ends(len(sweep.points) for sweep in file.results)
    clock = "processor time of one thread" if made["threads"] == 1 else "wall clock"
    return (
        f"n = {n} sizes, median of {made['rounds']} rounds, {made['step']}, float32, {clock}; "
        f"{plural(made['threads'], 'thread')}, {made['device']}, torch {made['torch']}; "
        f"{conditions_in_words(file.results)}"
    )


_TIME = ("{} from, to", "{} formula", "{} measured")
_EVEN = (*_TIME, "{} at an even rate")
_MEMORY = ("over {}: formula", "over {}: measured")
_BLOCKS: dict[str, tuple[tuple[str, ...], Callable[..., Iterator[str]]]] = {
    "time": ((ONE,), partial(_exponents, "time", _TIME, _time_cells)),
    "differences": ((ONE,), _differences),
    "steps": ((ONE,), _steps),
    "memory": ((ONE,), partial(_exponents, "memory", _MEMORY, _memory_cells)),
    "beyond": ((ONE,), _beyond),
    "training": ((TRAINING,), partial(_exponents, "time", _EVEN, _training_cells)),
    "training-differences": ((TRAINING,), _differences),
    "threads": ((ONE, TWO), _threads),
    "networks": ((NETWORKS,), partial(_by_size, ("{}: GMACs", "ms"), _costs)),
    "networks-memory": ((NETWORKS,), partial(_by_size, ("{}: formula, MB", "resident"), _bytes)),
}
NAMES = tuple(_BLOCKS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the files")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the document to put them into")
    options = parser.parse_args()
    found = blocks(options.folder)
    if not found:
        raise InputError(f"folder {options.folder} has no file of `nextify scale ... --save`")
    if options.write is None:
        print("\n\n".join(f"{name}:\n\n{table}" for name, table in found.items()))
        return
    text = options.write.read_text(encoding="utf-8")
    options.write.write_text(put(text, found), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"scaling_tables: {error}")
