"""What a study file holds, row by row, and which of its rows can be believed."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nextify.files import parse_json
from nextify.records.digests import (
    PLAN,
    cell_place,
    digest,
    history_place,
    probe_place,
    run_place,
)
from nextify.records.plan import plan_from_dict
from nextify.records.rows import is_record
from nextify.records.salvage import Row, Values, rows_in
from nextify.records.tables import COLUMNS, HISTORY, PROBES


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of all tables, as they are found. digests: every one that a place has; sealed: the
    places of the history and of probes, by their indices."""

    plans: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    cells: Sequence[Row] = ()
    digests: dict[str, set[str]] = field(default_factory=dict)
    history: Sequence[Row] = ()
    probes: Sequence[Row] = ()
    sealed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Contents:
    """What can be believed of a file.

    Attributes:
        plan, runs, cells: the rows whose digests are right, or which have none and make sense.
        history, probes: their rows whose digests are right, in their order.
        unsealed: the places of rows that have none. damaged: of rows that cannot be believed, and
            of those that are not there; with the rows' numbers, 0 where there is no row.
        is_broken: the file's structure is damaged: what it holds was searched for.
        fault: what is wrong with a plan that has no digest and is none; empty where nothing is.
    """

    plan: Row | None
    runs: tuple[Row, ...]
    cells: tuple[Row, ...]
    unsealed: frozenset[str]
    damaged: dict[str, int]
    is_broken: bool
    fault: str = ""
    history: tuple[Row, ...] = ()
    probes: tuple[Row, ...] = ()

    def placed(self) -> Iterator[tuple[str, Row]]:
        """All rows whose digests are in the table of these, with their places."""
        yield from ((PLAN, row) for row in (self.plan,) if row)
        yield from ((run_place(row.values[0]), row) for row in self.runs)
        yield from ((cell_place(*row.values[:2]), row) for row in self.cells)


def rows_by_sql(connection: sqlite3.Connection, key: str | None = None) -> Rows:
    """The rows of a file whose structure is sound: all of them, or those of one run."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}

    def read(table: str, columns: Sequence[str], where: str = "", *values: str) -> list[Row]:
        if table not in there:
            return []  # in files from before there was this table
        query = f"SELECT rowid, {', '.join(columns)} FROM {table} {where} ORDER BY rowid"
        return [Row(at, tuple(row)) for at, *row in connection.execute(query, values)]

    cell, sums = ("cell", "seed", "key"), ("place", "digest")
    history: list[Row] = []
    probes: list[Row] = []
    if key is None:
        plan, runs, cells = read("plan", ["plan"]), read("runs", COLUMNS), read("cells", cell)
        digests, history = read("digests", sums), read("history", HISTORY)
        probes = read("probes", PROBES)
    else:
        plan, runs = [], read("runs", COLUMNS, "WHERE key = ?", key)
        cells = read("cells", cell, "WHERE key = ?", key)
        digests = read("digests", sums, "WHERE place = ?", run_place(key))
    return Rows(plan, runs, cells, _by_place(row.values for row in digests), history, probes)


def rows_by_page(content: bytes) -> Rows:
    """All rows that are still to be found in the bytes of a file."""
    plans, runs, cells, digests, history, probes = [], [], [], [], [], []
    sealed = set[str]()
    for found in rows_in(content):
        match found.values:
            case (None, str() as plan):
                plans.append(Row(found.at, (plan,)))
            case (str(), str()) | (str(), str(), int()):  # of the table, of its index
                digests.append(found.values[:2])
            case (str(), int(), str()):
                cells.append(found)
            case (str(), int(), str(), str(), str()):
                history.append(found)
            case (str() as kind, int() as number, str(), int()):  # of its index
                sealed.add(history_place(kind, number))
            case (str(), str(), int(), str(), str()):
                probes.append(found)
            case (str() as run, str() as probe, str(), int()):  # of its index
                sealed.add(probe_place(run, probe))
            case values if len(values) == len(COLUMNS):
                runs.append(found)
    runs.sort(key=lambda row: row.at)
    return Rows(plans, runs, cells, _by_place(digests), history, probes, frozenset(sealed))


def _by_place(pairs: Iterable[Sequence[Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place, one in pairs:
        found.setdefault(str(place), set()).add(str(one))
    return found


_Place = Callable[[Values], str]
_Sense = Callable[[Values], bool]


def believed(rows: Rows, *, is_broken: bool) -> Contents:
    """Of all rows those whose digests are right; in a file of sound structure also those without,
    of versions that knew no digests, as far as they make sense."""
    good: dict[str, Row] = {}
    unsealed: set[str] = set()
    damaged: dict[str, int] = {}

    def judge(some: Iterable[Row], place_of: _Place, makes_sense: _Sense) -> list[str]:
        places = []
        for row in some:
            place = place_of(row.values)
            digests = rows.digests.get(place, set())
            if digest(*row.values) in digests:
                good[place] = _better(good.get(place), row)
            elif digests or is_broken or not makes_sense(row.values):
                damaged[place] = row.at
                continue
            else:
                good[place] = row
                unsealed.add(place)
            places.append(place)
        return places

    history, gone = _sealed(rows.history, "history", rows.sealed)
    probes, unknown = _sealed(rows.probes, "probe", rows.sealed)
    judge(rows.plans, lambda values: PLAN, lambda values: not _fault(values))
    runs = judge(rows.runs, lambda values: run_place(values[0]), _is_run)
    cells = judge(rows.cells, lambda values: cell_place(*values[:2]), _are_texts)
    has_fault = PLAN in damaged and PLAN not in rows.digests and not is_broken
    lost = {**dict.fromkeys(rows.digests, 0), **damaged}
    return Contents(
        plan=good.get(PLAN),
        runs=tuple(good[place] for place in dict.fromkeys(runs)),
        cells=tuple(good[place] for place in dict.fromkeys(cells)),
        unsealed=frozenset(unsealed),
        damaged={place: at for place, at in lost.items() if place not in good} | gone | unknown,
        is_broken=is_broken,
        history=history,
        probes=probes,
        fault=_fault(rows.plans[0].values) if has_fault else "",
    )


def _sealed(
    rows: Iterable[Row], table: Literal["history", "probe"], sealed: Iterable[str]
) -> tuple[tuple[Row, ...], dict[str, int]]:
    """Of the rows of a table that have their digests in themselves those that can be believed, in
    their order, and the places of the others with their numbers."""
    place_of = {"history": history_place, "probe": probe_place}[table]
    good: dict[str, Row] = {}
    gone = dict.fromkeys((place for place in sealed if place.startswith(f"{table} ")), 0)
    for row in rows:
        place = place_of(*row.values[:2])
        if digest(*row.values[:-1]) == row.values[-1]:
            good[place] = row
        else:
            gone[place] = row.at
    ordered = sorted(good.values(), key=lambda row: row.values[:2])
    return tuple(ordered), {place: at for place, at in gone.items() if place not in good}


def _are_texts(values: Values) -> bool:
    """Whether all texts are Unicode: bytes that are none are read as lone surrogates."""
    signs = (sign for value in values if isinstance(value, str) for sign in value)
    return not any("\udc80" <= sign <= "\udcff" for sign in signs)


def _fault(values: Values) -> str:
    """Why a text is no plan; empty if it is one."""
    try:
        plan_from_dict(parse_json(values[0]))
    except (ValueError, TypeError) as error:
        return str(error)
    return "" if _are_texts(values) else "it is not Unicode"


def _is_run(values: Values) -> bool:
    return _are_texts(values) and is_record(dict(zip(COLUMNS, values, strict=True)))


def _better(one: Row | None, other: Row) -> Row:
    """Of two good rows of one place, on pages that are in use no more: the one that came later.

    A run that failed gives way to one that did not, and a plan grows.
    """
    if one is None:
        return other
    if len(one.values) == len(COLUMNS):
        return one if one.values[1] != "failed" else other
    return max(one, other, key=lambda row: len(str(row.values[0])))
