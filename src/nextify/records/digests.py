"""Digests: they tell a row as it was written from one that a disk, a copy or a hand has changed.

The table `digests` has one for each row of the others, by the row's place. A trigger takes it away
where a version that knows no digests writes the row, so that what such a version wrote is read as
in files from before there were any: as far as it agrees with itself. A row that has another digest
than its own is damaged; so is one that is not there though it has one.
"""

import hashlib
import sqlite3

Value = str | bytes | int | float | None

# The key has both columns: its index is a second copy of every digest, on other pages of the file.
TABLES = (
    """CREATE TABLE IF NOT EXISTS digests (
        place TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (place, digest)
    )""",
    *(
        f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} "
        f"BEGIN DELETE FROM digests WHERE place = {place}; END"
        for name, event, place in (
            ("plan_written", "INSERT ON plan", "'plan'"),
            ("run_written", "UPDATE OF recorded_at ON runs", "'run ' || old.key"),
            ("run_deleted", "DELETE ON runs", "'run ' || old.key"),
            ("cell_written", "UPDATE ON cells", "'cell ' || old.seed || ' ' || old.cell"),
            ("cell_deleted", "DELETE ON cells", "'cell ' || old.seed || ' ' || old.cell"),
        )
    ),
)
PLAN = "plan"


def run_place(key: object) -> str:
    """The place of a run's row."""
    return f"run {key}"


def cell_place(cell: object, seed: object) -> str:
    """The place of the row that says which run a cell has with a seed."""
    return f"cell {seed} {cell}"


def history_place(kind: object, number: object) -> str:
    """The place of a row of the history, whose digest stands in itself."""
    return f"history {number} {kind}"


def probe_place(key: object, probe: object) -> str:
    """The place of what a probe found of a run's network; its digest stands in itself."""
    return f"probe {key} {probe}"


def digest(*values: Value) -> str:
    """64 hexadecimal digits: the SHA-256 of a row's values as they are stored.

    Each value with its type and length, so that no two rows are the same bytes.
    """
    found = hashlib.sha256()
    for value in values:
        match value:
            case None:
                kind, content = "none", b""
            case bytes():
                kind, content = "blob", value
            case str():
                kind, content = "text", value.encode(errors="surrogateescape")
            case _:
                kind, content = "number", repr(value).encode()
        found.update(f"{kind} {len(content)} ".encode() + content)
    return found.hexdigest()


def seal(connection: sqlite3.Connection, place: str, *values: Value) -> None:
    """Give a row that was written its digest."""
    connection.execute("DELETE FROM digests WHERE place = ?", (place,))
    connection.execute("INSERT INTO digests VALUES (?, ?)", (place, digest(*values)))
