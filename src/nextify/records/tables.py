"""The tables of a study file."""

import sqlite3

from nextify.records import digests

# Raised when a table changes so that older code could not read the file. A new table does not: what
# a version does not know, it leaves alone.
SCHEMA = 1
APPLICATION = int.from_bytes(b"nxfy")  # tells a study file from SQLite files of other programs

# Of the table `runs`, in its order.
COLUMNS = (
    "key", "outcome", "run", "result", "correct", "curve", "measured", "environment", "message",
    "recorded_at",
)  # fmt: skip

HISTORY = ("kind", "number", "at", "told", "digest")
PROBES = ("key", "probe", "version", "told", "digest")

_TABLES = (
    """CREATE TABLE IF NOT EXISTS runs (
        key TEXT PRIMARY KEY NOT NULL, outcome TEXT NOT NULL, run TEXT NOT NULL,
        result TEXT, correct BLOB, curve TEXT NOT NULL, measured TEXT,
        environment TEXT NOT NULL, message TEXT NOT NULL, recorded_at TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS plan (
        only INTEGER PRIMARY KEY CHECK (only = 1), plan TEXT NOT NULL
    )""",
    # Which run a cell has with a seed.
    """CREATE TABLE IF NOT EXISTS cells (
        cell TEXT NOT NULL, seed INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (cell, seed)
    )""",
    # What was settled before the first run, and every look since: rows are only added. Each has its
    # digest beside it, and the index a copy: versions from before take a place in `digests` that
    # they do not know for damage.
    """CREATE TABLE IF NOT EXISTS history (
        kind TEXT NOT NULL, number INTEGER NOT NULL, at TEXT NOT NULL, told TEXT NOT NULL,
        digest TEXT NOT NULL, PRIMARY KEY (kind, number, digest)
    )""",
    # What probes found of the networks of runs, with digests as in the history.
    """CREATE TABLE IF NOT EXISTS probes (
        key TEXT NOT NULL, probe TEXT NOT NULL, version INTEGER NOT NULL, told TEXT NOT NULL,
        digest TEXT NOT NULL, PRIMARY KEY (key, probe, digest)
    )""",
    *digests.TABLES,
)


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables that a file does not have yet, and mark it as a study file."""
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
