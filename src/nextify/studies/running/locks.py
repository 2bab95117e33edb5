"""Locks: two supervisors that work on one study do not train the same run.

Beside the study file lies an empty file, `<study>.lock`. A supervisor that has given a run to a
worker holds an advisory lock on one byte of it: the byte whose number is the first 15 hexadecimal
digits of the run's key (the byte need not exist). The kernel drops the locks of a process when it
ends, however it ends: after a kill -9 its runs are free at once, and no stale lock has to be
recognised or removed.

These are POSIX record locks (`fcntl`), with the semantics that POSIX gives them:

- They belong to a *process*. A second claim by the process that holds a byte would succeed, so
  what is claimed in this process is kept in a set as well: two threads exclude each other, too.
- They are all dropped when the process closes *any* descriptor of the file. So a process opens
  the lock file once, here, for all who claim in it, and nothing else opens it; the study file
  itself is never locked this way because SQLite locks bytes of it by the same means.
- A forked child does not inherit them, and closing its copy of the descriptor does not drop the
  parent's.
- The file stays when the study is done. To remove it would be a race with a process that has
  just opened it: the two would then lock two different files.

Two runs whose keys share 60 bits would exclude each other: one would wait, and nothing else.
"""

import fcntl
import os
import struct
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from nextify.errors import InputError

_FLOCK = "hhqqi4x"  # Linux's `struct flock`; where it is another, no holder is told
# No runs' keys: claimed by the supervisor that shows the study's live state, and by the one that
# what goes on without it belongs to, should it be killed.
SHOWING, CREW = "showing", "crew"


@dataclass
class _LockFile:
    """A lock file that this process has open: who uses it, and the bytes that they hold."""

    descriptor: int
    users: int = 0
    held: set[int] = field(default_factory=set)


_FILES: dict[Path, _LockFile] = {}
_GUARD = threading.Lock()  # of it


def beside(study: Path, kind: str) -> Path:
    """`<study>.<kind>`; the same one for every name of the study file."""
    resolved = study.resolve()
    return resolved.with_name(f"{resolved.name}.{kind}")


class RunLocks(AbstractContextManager["RunLocks"]):
    """Locks on the runs of one study.

    >>> with RunLocks(Path("study.db")) as locks:  # doctest: +SKIP
    ...     if locks.claim(run.key):
    ...         ...
    ...         locks.release(run.key)
    """

    def __init__(self, study: Path) -> None:
        """Open the lock file. Raises `InputError` where that cannot be done."""
        self._path = beside(study, "lock")
        self._mine: set[str] = set()
        with _GUARD:
            if self._path not in _FILES:
                _FILES[self._path] = _LockFile(self._opened())
            self._file = _FILES[self._path]
            self._file.users += 1

    def claim(self, key: str) -> bool:
        """Lock a run, by its key; False if it is held, by another process or in this one.

        Raises:
            InputError: the file system knows no locks.
        """
        byte = _byte(key)
        with _GUARD:
            if byte in self._file.held:
                return False
            try:
                fcntl.lockf(self._file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):  # POSIX lets a system choose
                return False
            except OSError as error:
                raise self._unusable(error) from error
            self._file.held.add(byte)
            self._mine.add(key)
        return True

    def holder(self, key: str) -> int | None:
        """The process that holds a run's lock, if that is another one of this machine."""
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _byte(key), 1, 0)
        try:
            found = fcntl.fcntl(self._file.descriptor, fcntl.F_GETLK, asked)
        except OSError:
            return None
        kind, *_, process = struct.unpack(_FLOCK, found)
        return process if kind != fcntl.F_UNLCK and process > 0 else None

    def release(self, key: str) -> None:
        """Let others have the run."""
        with _GUARD:
            fcntl.lockf(self._file.descriptor, fcntl.LOCK_UN, 1, _byte(key))
            self._file.held.discard(_byte(key))
            self._mine.discard(key)

    def close(self) -> None:
        """Release everything."""
        for key in tuple(self._mine):
            self.release(key)
        with _GUARD:
            self._file.users -= 1
            if not self._file.users:
                os.close(self._file.descriptor)
                del _FILES[self._path]

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> InputError:
        return InputError(
            f"lock file {self._path} cannot be used ({error.strerror}); put the study file in a "
            "folder that you may write, on a disk of this machine"
        )


def _byte(key: str) -> int:
    # Both are within the range of a file's offsets.
    others = {SHOWING: 1 << 60, CREW: (1 << 60) + 1}
    return others[key] if key in others else int(key[:15], 16)
