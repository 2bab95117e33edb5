"""What SQLite says when a study file cannot be used, in a user's words and with a remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextify.errors import InputError


class Damaged(InputError):
    """A file whose structure SQLite cannot read, or one that is not SQLite's at all."""


_KEPT = "the runs recorded before are kept"
_DAMAGED = "is damaged; move it away and start the study anew, or bring back a copy of it"

_REMEDIES = {
    sqlite3.SQLITE_FULL: (
        f"cannot be written: the disk is full. Free some space and start the same command again; "
        f"{_KEPT}"
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written (a full disk, a quota, a limit on the size of files, or a "
        f"fault of the disk). Remedy that and start the same command again; {_KEPT}"
    ),
    sqlite3.SQLITE_READONLY: (
        "is read-only; give yourself the right to write it and its folder, or name another file"
    ),
    sqlite3.SQLITE_PERM: "may not be opened; give yourself the right to, or name another file",
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened or written; it needs a folder that exists and in which you may write"
    ),
    sqlite3.SQLITE_BUSY: (
        "has been locked by another program for half a minute; end that program and start the "
        "same command again"
    ),
    sqlite3.SQLITE_NOTADB: "is not a study file; name another file",
}
# What SQLite says of damage, also where a name in the tables' definitions is another one now.
_OF_DAMAGE = {
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FORMAT,
}  # fmt: skip


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about a file into an `InputError`; mistakes of ours stay as they are.

    Raises:
        InputError: one line with the file, what is wrong with it, and the remedy; `Damaged` where
            its structure is.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # Python, of SQLite's message with a name that is damaged
        raise damaged(path) from error
    except sqlite3.Error as error:
        # Only errors of the library itself have a code; the low byte is the kind of error.
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        kind = Damaged if code in _OF_DAMAGE else InputError
        if kind is InputError and code not in _REMEDIES:
            raise
        raise kind(f"study file {path} {_REMEDIES.get(code, _DAMAGED)}") from error


def damaged(path: Path) -> Damaged:
    """The error for a file of which nothing can be read."""
    return Damaged(f"study file {path} {_DAMAGED}")
