"""`Store`: the study file. One SQLite file holds one study: its plan, and a record per run.

Every record is one transaction, flushed to the disk before `add` returns (`synchronous=FULL`), so
that a kill at any moment loses nothing that was recorded and leaves nothing half-written. The
journal is SQLite's rollback journal and not a write-ahead log: a killed process then leaves all
records in the one file, which can be copied, mailed, or read from a read-only folder; a log would
hold the last ones in a second file. A study writes too rarely for the difference in speed to show.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from secrets import token_hex
from typing import Any, Self

from nextify.errors import InputError
from nextify.records.places import places
from nextify.records.plan import Plan, plan_from_dict
from nextify.records.record import Record
from nextify.records.rows import COLUMNS, from_row, text, to_row
from nextify.records.same import first_difference, united
from nextify.records.trouble import damaged, explained

# Raised when a table changes so that older code could not read the file. A new table does not: what
# a version does not know, it leaves alone.
SCHEMA = 1
_APPLICATION = int.from_bytes(b"nxfy")  # tells a study file from SQLite files of other programs
_BUSY_SECONDS = 30.0

_TABLES = (
    """CREATE TABLE runs (
        key TEXT PRIMARY KEY NOT NULL, outcome TEXT NOT NULL, run TEXT NOT NULL,
        result TEXT, correct BLOB, curve TEXT NOT NULL, measured TEXT,
        environment TEXT NOT NULL, message TEXT NOT NULL, recorded_at TEXT NOT NULL
    )""",
    "CREATE TABLE plan (only INTEGER PRIMARY KEY CHECK (only = 1), plan TEXT NOT NULL)",
)
# Which run a cell has with a seed. Files from before it get it with the next plan that is saved.
_CELLS = """
    CREATE TABLE IF NOT EXISTS cells (
        cell TEXT NOT NULL, seed INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (cell, seed)
    )"""
# Which study the file is of, whatever its name. Files from before it get it, too.
_IDENTITY = "CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL)"
_READ = f"SELECT {', '.join(COLUMNS)} FROM runs"
# The first record of a run stays, unless it is a failure.
_ADD = f"""
    INSERT INTO runs ({", ".join(COLUMNS)}, recorded_at)
    VALUES ({", ".join(f":{name}" for name in COLUMNS)}, :recorded_at)
    ON CONFLICT (key) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in (*COLUMNS, "recorded_at"))}
    WHERE runs.outcome = 'failed'
"""
_PLACE = """
    INSERT INTO cells VALUES (?, ?, ?) ON CONFLICT (cell, seed) DO UPDATE SET key = excluded.key
    WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.key = cells.key AND runs.outcome != 'failed')
"""


class Store(AbstractContextManager["Store"]):
    """A study file that is open. For one thread of one process; any number may open the file.

    >>> with Store.open("study.db") as store:  # doctest: +SKIP
    ...     store.save_plan(plan)
    ...     store.add(record)
    ...     store.get(record.key) == record
    True

    Every method raises `InputError` if the file cannot be read or written (a full disk, a damaged
    file, another program that holds it for half a minute).
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: str | PathLike[str], *, create: bool = True) -> Self:
        """Open a study file; close it, or use it as a context manager.

        Args:
            path: of the file.
            create: make the file if it is not there, and make sure that it can be written. If
                False, the file must be there, and reading it is enough.

        Raises:
            InputError: no such file or folder; a folder; not a study file; a study file of
                another version; read-only (with `create`).
        """
        place = Path(path)
        _require_place(place, create)
        uri = f"{place.resolve().as_uri()}?mode={'rwc' if create else 'rw'}"
        with explained(place):
            connection = sqlite3.connect(uri, _BUSY_SECONDS, isolation_level=None, uri=True)
        store = cls(place, connection)
        try:
            with explained(place):
                store._prepare(create)
        except BaseException:
            connection.close()
            raise
        return store

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""
        self._connection.close()

    def save_plan(self, plan: Plan) -> Plan:
        """Keep the plan; return what the file holds now: its seeds and those of `plan`.

        Raises:
            InputError: the file holds another study; names the first difference.
        """
        with self._transaction():
            there = self._stored_plan()
            if there is not None and (difference := first_difference(there, plan)):
                raise InputError(
                    f"study file {self.path} holds another study: {difference}; "
                    "name another file for this one, or ask for the same study"
                )
            plan = plan if there is None else united(there, plan)
            values = (text(plan.as_dict()),)
            self._connection.execute("INSERT OR REPLACE INTO plan VALUES (1, ?)", values)
            self._connection.execute(_CELLS)
            self._connection.execute(_IDENTITY)
            if self._identity() is None:
                self._connection.execute("INSERT INTO identity VALUES (?)", (token_hex(16),))
            for (cell, seed), record in places(plan, self.records()).items():
                self._connection.execute(_PLACE, (cell, seed, record.key))
        return plan

    def plan(self) -> Plan:
        """The study's plan.

        Raises:
            InputError: no plan was saved.
        """
        with explained(self.path):
            plan = self._stored_plan()
        if plan is None:
            raise InputError(f"study file {self.path} holds no plan; start a study with it first")
        return plan

    def identity(self) -> str | None:
        """What tells this study's file from every other's that may come to stand in its place;
        None in a file that only an earlier version has written."""
        with explained(self.path):
            return self._identity()

    def _identity(self) -> str | None:
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'identity'"):
            return None
        found = self._rows("SELECT id FROM identity")
        return found[0][0] if found else None

    def add(self, record: Record, identity: str | None = None) -> bool:
        """Keep a record, in one transaction; return whether it was kept.

        A run has one record. The first one stays, unless it is a failure: that gives way.

        Args:
            identity: that the file has to have; None: any.

        Raises:
            InputError: it is another study's file.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            if identity not in (None, self._identity()):
                raise InputError(
                    f"study file {self.path} has been replaced by another study's since the runs "
                    "began; nothing is recorded in it. Put this study's file back, or name "
                    "another, and start the same command again"
                )
            added = self._connection.execute(_ADD, {**to_row(record), "recorded_at": now}).rowcount
            for cell in record.cells:
                self._connection.execute(_PLACE, (cell, record.seed, record.key))
        return added > 0

    def get(self, key: str) -> Record | None:
        """The record of a run, by `Run.key`; None if there is none."""
        found = self._records(f"{_READ} WHERE key = ?", (key,))
        return found[0] if found else None

    def records(self) -> tuple[Record, ...]:
        """All records, in the order in which the runs were first recorded."""
        return self._records(f"{_READ} ORDER BY rowid")

    def delete_failed(self) -> int:
        """Forget the runs that failed, so that they are run again; return how many."""
        with self._transaction():
            return self._connection.execute("DELETE FROM runs WHERE outcome = 'failed'").rowcount

    def _prepare(self, create: bool) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA synchronous = FULL")
        if not create:
            self._require_study()
            return
        with self._transaction():  # of two processes that start at once, one makes the tables
            if self._is_new():
                for table in _TABLES:
                    self._connection.execute(table)
            else:
                self._require_study()
            # Also written where nothing changes: it proves, before hours of work, that one can.
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def _require_study(self) -> None:
        if self._is_new():
            raise InputError(f"study file {self.path} is empty; start a study with it first")
        if self._pragma("application_id") != _APPLICATION:
            raise InputError(f"{self.path} is an SQLite file of another program; name another file")
        if (version := self._pragma("user_version")) != SCHEMA:
            age = "a newer" if version > SCHEMA else "an older"
            raise InputError(
                f"study file {self.path} was made by {age} version of nextify (schema {version}, "
                f"this version reads {SCHEMA}); use that version, or name another file"
            )

    def _is_new(self) -> bool:
        marks = (self._pragma("application_id"), self._pragma("user_version"))
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return marks == (0, 0) and tables == 0

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. It takes the right to write at once: two processes cannot deadlock."""
        with explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself after a full disk.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: tuple[str, ...] = ()) -> list[Any]:
        with explained(self.path):
            return self._connection.execute(query, values).fetchall()

    def _records(self, query: str, values: tuple[str, ...] = ()) -> tuple[Record, ...]:
        cells, rows = self._cells(), self._rows(query, values)
        try:
            return tuple(replace(from_row(row), cells=cells.get(row["key"], ())) for row in rows)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.path) from error

    def _cells(self) -> dict[str, tuple[str, ...]]:
        """The cells of each run, by its key; none in files from before they were kept."""
        found: dict[str, tuple[str, ...]] = {}
        if self._rows("SELECT 1 FROM sqlite_master WHERE name = 'cells'"):
            for cell, key in self._rows("SELECT cell, key FROM cells ORDER BY rowid"):
                found[key] = (*found.get(key, ()), cell)
        return found

    def _stored_plan(self) -> Plan | None:
        row = self._connection.execute("SELECT plan FROM plan").fetchone()
        try:
            return None if row is None else plan_from_dict(json.loads(row["plan"]))
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self.path) from error


def _require_place(path: Path, create: bool) -> None:
    try:
        _require_file(path, create)
    except OSError as error:  # a folder that may not be entered, a name that is too long
        raise InputError(
            f"study file {path} cannot be opened ({error.strerror}); name another file"
        ) from error


def _require_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise InputError(f"study file {path} is a folder; name a file, such as {path / 'study.db'}")
    if path.exists() and not path.is_file():
        raise InputError(f"study file {path} is not a regular file; name another file")
    if not path.exists() and not create:
        raise InputError(f"study file {path} does not exist; make it with 'nextify study'")
    if not path.parent.is_dir():
        raise InputError(f"study file {path}: there is no folder {path.parent}; make it first")
