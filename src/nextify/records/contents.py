"""What a study file holds, row by row, and which of its rows can be believed."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nextify.records.digests import PLAN, Value, cell_place, digest, run_place
from nextify.records.salvage import rows_in

# The columns of the table `runs`, in its order.
STORED = (
    "key", "outcome", "run", "result", "correct", "curve", "measured", "environment", "message",
    "recorded_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. at: its number there. values: of its columns, in their order."""

    at: int
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of all tables, as they are found. digests: every one that a place has."""

    plans: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    cells: Sequence[Row] = ()
    digests: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contents:
    """What can be believed of a file.

    Attributes:
        plan, runs, cells: the rows whose digests are right, or which have none.
        unsealed: the places of rows that have none. damaged: of rows with other digests than their
            own, and of those that are not there; with the rows' numbers, 0 where there is no row.
        is_broken: the file's structure is damaged: what it holds was searched for.
    """

    plan: Row | None
    runs: tuple[Row, ...]
    cells: tuple[Row, ...]
    unsealed: frozenset[str]
    damaged: dict[str, int]
    is_broken: bool

    def placed(self) -> Iterator[tuple[str, Row]]:
        """All rows, with their places."""
        yield from ((PLAN, row) for row in (self.plan,) if row)
        yield from ((run_place(row.values[0]), row) for row in self.runs)
        yield from ((cell_place(*row.values[:2]), row) for row in self.cells)


def rows_by_sql(connection: sqlite3.Connection, key: str | None = None) -> Rows:
    """The rows of a file whose structure is sound: all of them, or those of one run."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}

    def read(table: str, *columns: str, where: str = "", value: str = "") -> list[Row]:
        if table not in there:
            return []  # in files from before there was this table
        query = f"SELECT rowid, {', '.join(columns)} FROM {table} {where} ORDER BY rowid"
        found = connection.execute(query, (value,) if where else ())
        return [Row(at, tuple(values)) for at, *values in found]

    cell, sums = ("cell", "seed", "key"), ("place", "digest")
    if key is None:
        plan, runs, cells = read("plan", "plan"), read("runs", *STORED), read("cells", *cell)
        digests = read("digests", *sums)
    else:
        plan, runs = [], read("runs", *STORED, where="WHERE key = ?", value=key)
        cells = read("cells", *cell, where="WHERE key = ?", value=key)
        digests = read("digests", *sums, where="WHERE place = ?", value=run_place(key))
    return Rows(plan, runs, cells, _by_place(row.values for row in digests))


def rows_by_page(content: bytes) -> Rows:
    """All rows that are still to be found in the bytes of a file."""
    plans, runs, cells, digests = [], [], [], []
    for found in rows_in(content):
        match found.values:
            case (None, str() as plan):
                plans.append(Row(found.at, (plan,)))
            case (str(), str()) | (str(), str(), int()):  # of the table, of its index
                digests.append(found.values[:2])
            case (str(), int(), str()):
                cells.append(Row(found.at, found.values))
            case values if len(values) == len(STORED):
                runs.append(Row(found.at, values))
    return Rows(plans, sorted(runs, key=lambda row: row.at), cells, _by_place(digests))


def _by_place(pairs: Iterable[Sequence[Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, one in pairs:
        found.setdefault(str(place), set()).add(str(one))
    return found


def believed(rows: Rows, *, is_broken: bool) -> Contents:
    """Of all rows those whose digests are right; in a file of sound structure also those without:
    of versions that knew no digests."""
    good: dict[str, Row] = {}
    unsealed: set[str] = set()
    damaged: dict[str, int] = {}

    def judge(some: Iterable[Row], place_of: Callable[[tuple[Value, ...]], str]) -> list[str]:
        places = []
        for row in some:
            place = place_of(row.values)
            digests = rows.digests.get(place, set())
            if digest(*row.values) in digests:
                good[place] = _better(good.get(place), row)
            elif digests or is_broken or not all(map(_is_text, row.values)):
                damaged[place] = row.at
                continue
            else:
                good[place] = row
                unsealed.add(place)
            places.append(place)
        return places

    judge(rows.plans, lambda values: PLAN)
    runs = judge(rows.runs, lambda values: run_place(values[0]))
    cells = judge(rows.cells, lambda values: cell_place(*values[:2]))
    lost = {place: 0 for place in rows.digests if place not in good and place not in damaged}
    return Contents(
        plan=good.get(PLAN),
        runs=tuple(good[place] for place in dict.fromkeys(runs)),
        cells=tuple(good[place] for place in dict.fromkeys(cells)),
        unsealed=frozenset(unsealed),
        damaged={place: at for place, at in {**lost, **damaged}.items() if place not in good},
        is_broken=is_broken,
    )


def _is_text(value: Value) -> bool:
    """Whether a text is Unicode: bytes that are none are read as lone surrogates."""
    return not isinstance(value, str) or not any("\udc80" <= sign <= "\udcff" for sign in value)


def _better(one: Row | None, other: Row) -> Row:
    """Of two good rows of one place, on pages that are in use no more: the one that came later.

    A run that failed gives way to one that did not, and a plan grows.
    """
    if one is None:
        return other
    if len(one.values) == len(STORED):
        return one if one.values[1] != "failed" else other
    return max(one, other, key=lambda row: len(str(row.values[0])))
