"""Mending a damaged study file, for a study that goes on with it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from nextify.errors import InputError
from nextify.files import replace_file
from nextify.records.contents import Contents
from nextify.records.digests import PLAN, seal
from nextify.records.tables import make_tables

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
        return connection.serialize()


def _table(place: str) -> str:
    return {"run": "runs", "cell": "cells", PLAN: "plan"}[place.partition(" ")[0]]
