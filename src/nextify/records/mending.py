"""Mending a damaged study file, for a study that goes on with it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from nextify.errors import InputError
from nextify.files import replace_file
from nextify.records.contents import Contents
from nextify.records.digests import PLAN, Value, digest, seal
from nextify.records.tables import HISTORY, PROBES, make_tables

_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite would take for changes of the new file
REMEDY = "free some space and give yourself the right to write its folder, or name another file"


def kept_as(path: Path) -> Path:
    """Where the damaged file is kept when a new one takes its place."""
    return path.with_name(f"{path.name}.damaged")


def mend(connection: sqlite3.Connection, contents: Contents) -> None:
    """Remove the rows that cannot be believed, and give the others their digests where they have
    none, in a file whose structure is sound."""
    for place, at in contents.damaged.items():
        connection.execute(f"DELETE FROM {_table(place)} WHERE rowid = ?", (at,))
        told = place.encode(errors="replace").decode()  # of a text that is not Unicode any more
        connection.execute("DELETE FROM digests WHERE place = ?", (told,))
    for place, row in contents.placed():
        if place in contents.unsealed:
            seal(connection, place, *row.values)
    _mark_lost(connection, contents)


def _mark_lost(connection: sqlite3.Connection, contents: Contents) -> None:
    """Rows without content for those of the history that are lost: a look that nobody knows any
    more has been taken all the same."""
    for place in contents.damaged:
        match place.split(" "):
            case ["history", number, "plan" | "look" as kind] if number.isdigit():
                write_history(connection, kind, int(number), "", "")


def write_history(
    connection: sqlite3.Connection, kind: str, number: int, at: str, told: str
) -> None:
    """Add a row to the history, with its digest."""
    values = (kind, number, at, told)
    marks = ", ".join("?" * len(HISTORY))
    connection.execute(f"INSERT INTO history VALUES ({marks})", (*values, digest(*values)))


def write_probe(connection: sqlite3.Connection, *values: Value) -> None:
    """Write what a probe found of a run's network (`measurement.to_row`), with its digest, in the
    place of what it found before."""
    marks = ", ".join("?" * len(PROBES))
    connection.execute("DELETE FROM probes WHERE key = ? AND probe = ?", values[:2])
    connection.execute(f"INSERT INTO probes VALUES ({marks})", (*values, digest(*values)))


def rebuild(path: Path, contents: Contents) -> None:
    """Put a new file with what can be believed in the place of one whose structure is damaged.

    Raises:
        InputError: it cannot be written.
    """
    try:
        shutil.copyfile(path, kept_as(path))
        for suffix in _BESIDE:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        replace_file(path, _file_of(contents))
    except OSError as error:
        raise InputError(
            f"study file {path} is damaged and cannot be mended ({error.strerror}); {REMEDY}"
        ) from error


def _file_of(contents: Contents) -> bytes:
    """A study file with these rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        make_tables(connection)
        for place, row in contents.placed():
            values = (1, *row.values) if place == PLAN else row.values
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {_table(place)} VALUES ({marks})", values)
            seal(connection, place, *row.values)
        for row in contents.history:
            write_history(connection, *row.values[:-1])
        for row in contents.probes:
            write_probe(connection, *row.values[:-1])
        _mark_lost(connection, contents)
        return connection.serialize()


def _table(place: str) -> str:
    tables = {"run": "runs", "cell": "cells", "history": "history", "probe": "probes"}
    tables[PLAN] = "plan"
    return tables[place.partition(" ")[0]]
