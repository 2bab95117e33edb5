"""`Store`: the study file. One SQLite file holds one study: its plan, and a record per run.

Every record is one transaction, flushed to the disk before `add` returns (`synchronous=FULL`), so
that a kill at any moment loses nothing that was recorded and leaves nothing half-written. The
journal is SQLite's rollback journal and not a write-ahead log: a killed process then leaves all
records in the one file, which can be copied, mailed, or read from a read-only folder; a log would
hold the last ones in a second file. A study writes too rarely for the difference in speed to show.

Every row has a digest (`nextify.records.digests`), and whoever reads all rows has SQLite look
through the file's structure first. So damage is seen: a record that cannot be believed is left out
and stands as a run that failed, and whoever opens the file to go on with the study mends it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Self

from nextify.errors import InputError
from nextify.files import alone, parse_json
from nextify.records import digests, mending
from nextify.records.contents import Contents, believed, rows_by_page, rows_by_sql
from nextify.records.damage import Damage, damage_of
from nextify.records.history import History, Look, Registered, settled_by
from nextify.records.measurement import Measurement
from nextify.records.measurement import to_row as measurement_row
from nextify.records.places import places
from nextify.records.plan import Plan, plan_from_dict
from nextify.records.reading import history_in, known_plan, measurements_in, plan_in, records_in
from nextify.records.record import Record
from nextify.records.rows import text, to_row
from nextify.records.same import are_of, first_difference, united
from nextify.records.tables import APPLICATION, COLUMNS, SCHEMA, make_tables
from nextify.records.trouble import Damaged, damaged, explained

_BUSY_SECONDS = 30.0
_MOST_SEARCHED = 1 << 30  # bytes; no study is near it, and another program's file may be

# The first record of a run stays, unless it is a failure.
_ADD = f"""
    INSERT INTO runs ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})
    ON CONFLICT (key) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
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

    def __init__(
        self, path: Path, connection: sqlite3.Connection, searched: Contents | None = None
    ) -> None:
        self.path = path
        self._connection = connection
        self._searched = searched  # what is found in a file that SQLite cannot open

    @classmethod
    def open(cls, path: str | PathLike[str], *, create: bool = True) -> Self:
        """Open a study file; close it, or use it as a context manager.

        Args:
            path: of the file.
            create: make the file if it is not there, mend it, and make sure that it can be
                written. If False, the file must be there, and reading it is enough.

        Raises:
            InputError: no such file or folder; a folder; not a study file; a study file of
                another version; read-only (with `create`).
        """
        place = Path(path)
        _require_place(place, create)
        try:
            return cls._opened(place, create)
        except Damaged as error:
            contents = _searched(place, error)
            if not create:
                return cls(place, sqlite3.connect(":memory:", isolation_level=None), contents)
        return cls._mended(place)

    @classmethod
    def _mended(cls, path: Path) -> Self:
        """A file whose structure is damaged, made anew."""
        place = path.resolve()
        with alone(place, mending.REMEDY, wait=True):
            try:
                return cls._opened(path, create=True)  # another process has done it meanwhile
            except Damaged as error:
                mending.rebuild(place, _searched(path, error))
        return cls._opened(path, create=True)

    @classmethod
    def _opened(cls, path: Path, create: bool) -> Self:
        uri = f"{path.resolve().as_uri()}?mode={'rwc' if create else 'rw'}"
        with explained(path):
            connection = sqlite3.connect(uri, _BUSY_SECONDS, isolation_level=None, uri=True)
        store = cls(path, connection)
        try:
            with explained(path):
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
            contents = self._contents()
            there, records = self._required(plan, contents)
            asked, plan = plan, plan if there is None else united(there, plan)
            values = (text(plan.as_dict()),)
            self._connection.execute("INSERT OR REPLACE INTO plan VALUES (1, ?)", values)
            digests.seal(self._connection, digests.PLAN, *values)
            for (cell, seed), record in places(plan, records).items():
                self._place(cell, seed, record.key)
            self._register(plan, asked, len(records), history_in(contents, self.path))
        return plan

    def require(self, plan: Plan) -> None:
        """Check that the plan could be saved. Raises as `save_plan` does."""
        self._required(plan, self._contents())

    def _required(self, plan: Plan, contents: Contents) -> tuple[Plan | None, tuple[Record, ...]]:
        """What the file holds, where a plan may be saved in it."""
        there, records = known_plan(contents, self.path), self._records_in(contents)
        if there is not None and (difference := first_difference(there, plan)):
            raise InputError(
                f"study file {self.path} holds another study: {difference}; "
                "name another file for this one, or ask for the same study"
            )
        if there is None and not are_of(plan, records):
            raise InputError(
                f"study file {self.path} has lost its plan, and its {len(records)} runs are "
                "none of this study; name another file for this one, or ask for the same study"
            )
        return there, records

    def _register(self, plan: Plan, asked: Plan, recorded: int, there: History) -> None:
        """Keep what is settled, where it is new; nothing in a file whose first runs came before."""
        if recorded and not there.registered:
            return
        last = there.registered[-1] if there.registered else None
        settled = settled_by(replace(plan, requests=asked.requests), last, recorded)
        if settled is not None:
            self._write_history("plan", settled)

    def _write_history(self, kind: str, told: Registered | Look) -> None:
        """Add a row, of the time now."""
        values = {name: value for name, value in asdict(told).items() if name != "at"}
        query = "SELECT coalesce(max(number), 0) + 1 FROM history WHERE kind = ?"
        number = int(self._connection.execute(query, (kind,)).fetchone()[0])
        mending.write_history(self._connection, kind, number, _now(), text(values))

    def history(self) -> History:
        """What was settled before the first run and since, and the looks."""
        return history_in(self._contents(), self.path)

    def keep_look(self, look: Look) -> bool:
        """Keep a look, once; return whether its number is its own: False, and nothing is kept,
        where somebody has read other runs since, as the look of that number."""
        with self._transaction():
            there = history_in(self._contents(), self.path).looks
            if any(e.number == look.number and e.data != look.data for e in there):
                return False
            if not any((e.number, e.score) == (look.number, look.score) for e in there):
                self._write_history("look", look)
        return True

    def plan(self) -> Plan:
        """The study's plan.

        Raises:
            InputError: no plan was saved, or it cannot be believed.
        """
        return plan_in(self._contents(), self.path)

    def damage(self) -> Damage | None:
        """What is damaged in the file; None if nothing is.

        Opening the file with `create` mends it: what is damaged is then not there any more.
        """
        contents = self._contents()
        return damage_of(contents, known_plan(contents, self.path))

    def measurements(self) -> dict[str, dict[str, Measurement]]:
        """What probes found of the networks of runs: by the key of the run's record, then by the
        probe's name."""
        return measurements_in(self._contents(), self.path)

    def keep_measurements(self, key: str, found: Iterable[Measurement]) -> None:
        """Keep what probes found of a run's network, in the place of what they found before."""
        with self._transaction():
            make_tables(self._connection)  # a file from before there were probes has none of them
            self._measure(key, found)

    def _measure(self, key: str, found: Iterable[Measurement]) -> None:
        for each in found:
            mending.write_probe(self._connection, *measurement_row(key, each))

    def add(
        self, record: Record, of: Plan | None = None, found: Iterable[Measurement] = ()
    ) -> bool:
        """Keep a record, in one transaction; return whether it was kept.

        A run has one record. The first one stays, unless it is a failure: that gives way.

        Args:
            of: the plan of the study that the file has to be of; None: any.
            found: what probes found of its network.

        Raises:
            InputError: it is another study's file.
        """
        row = {**to_row(record), "recorded_at": _now()}
        with self._transaction():
            if of is not None:
                self._require(of)
            if self.get(record.key) is None:  # there is none, or one that is damaged
                self._connection.execute("DELETE FROM runs WHERE key = ?", (record.key,))
            added = self._connection.execute(_ADD, row).rowcount
            if added:
                values = (row[name] for name in COLUMNS)
                digests.seal(self._connection, digests.run_place(record.key), *values)
                self._measure(record.key, found)
            for cell in record.cells:
                self._place(cell, record.seed, record.key)
        return added > 0

    def _require(self, of: Plan) -> None:
        """Check that the file's plan, if there is one that can be read, is of the same study."""
        found = self._connection.execute("SELECT plan FROM plan").fetchone()
        if found is None:
            return
        try:
            there = plan_from_dict(parse_json(found[0]))
        except (ValueError, TypeError):  # damaged since; who goes on with the study mends it
            return
        if first_difference(there, of):
            raise InputError(
                f"study file {self.path} has been replaced by another study's since the runs "
                "began; nothing is recorded in it. Put this study's file back, or name another, "
                "and start the same command again"
            )

    def get(self, key: str) -> Record | None:
        """The record of a run, by `Run.key`; None if there is none that can be believed."""
        with self.at_one_moment():
            rows = rows_by_sql(self._connection, key)
        return next(iter(records_in(believed(rows, is_broken=False), self.path)), None)

    def records(self) -> tuple[Record, ...]:
        """All records, in the order in which the runs were first recorded.

        A run whose record is damaged stands at the end, as one that failed.
        """
        return self._records_in(self._contents())

    def delete_failed(self, keys: Iterable[str]) -> int:
        """Forget those of these runs that failed, so that they are run again; return how many."""
        query = "DELETE FROM runs WHERE outcome = 'failed' AND key = ?"
        with self._transaction():
            return self._connection.executemany(query, [(key,) for key in keys]).rowcount

    def _prepare(self, create: bool) -> None:
        self._connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        self._connection.execute("PRAGMA synchronous = FULL")
        if not create:
            self._require_study()
            return
        with self._transaction():  # of two processes that start at once, one makes the tables
            if not self._is_new():
                self._require_study()
                self._mend()
            # Also written where nothing changes: it proves, before hours of work, that one can.
            make_tables(self._connection)

    def _mend(self) -> None:
        """Remove rows that cannot be believed, and give a digest to those that have none.

        Raises:
            Damaged: the structure is damaged; the file has to be made anew.
        """
        if not self._is_sound():
            raise damaged(self.path)
        make_tables(self._connection)
        contents = believed(rows_by_sql(self._connection), is_broken=False)
        mending.mend(self._connection, contents)

    def _require_study(self) -> None:
        if self._is_new():
            raise InputError(f"study file {self.path} is empty; start a study with it first")
        if self._pragma("application_id") != APPLICATION:
            raise Damaged(f"{self.path} is an SQLite file of another program; name another file")
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
        if self._searched is not None:
            raise InputError(
                f"study file {self.path} is damaged; start the study's command again, which mends "
                "it"
            )
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

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """What is read within is of one moment, whatever others record meanwhile."""
        with explained(self.path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.rollback()

    def _place(self, cell: str, seed: int, key: str) -> None:
        """Keep which run a cell has with a seed."""
        self._connection.execute(_PLACE, (cell, seed, key))
        now = self._connection.execute(
            "SELECT cell, seed, key FROM cells WHERE cell = ? AND seed = ?", (cell, seed)
        ).fetchone()
        digests.seal(self._connection, digests.cell_place(cell, seed), *now)

    def _is_sound(self) -> bool:
        return bool(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")

    def _contents(self) -> Contents:
        """What can be believed of the file; of one whose structure is damaged what can be found."""
        with suppress(Damaged), self.at_one_moment():
            if self._searched is None and self._is_sound():
                return believed(rows_by_sql(self._connection), is_broken=False)
        return self._searched or _searched(self.path, damaged(self.path))

    def _records_in(self, contents: Contents) -> tuple[Record, ...]:
        """All records; those that are damaged, as runs that failed."""
        found = records_in(contents, self.path)
        lost = damage_of(contents, known_plan(contents, self.path)) if contents.damaged else None
        return (*found, *(lost.runs if lost else ()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _searched(path: Path, error: Damaged) -> Contents:
    """What can be believed of a file that SQLite cannot read; raises the error where nothing can
    be."""
    with suppress(OSError):
        if path.stat().st_size <= _MOST_SEARCHED:
            contents = believed(rows_by_page(path.read_bytes()), is_broken=True)
            if contents.plan or contents.runs:
                return contents
    raise error from None


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
