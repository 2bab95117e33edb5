"""Locks: two processes that work on one study do not train the same run.

Beside the study file lies an empty file, `<study>.lock`. A worker that trains a run holds an
advisory lock on one byte of it: the byte whose number is the first 15 hexadecimal digits of the
run's key (the byte need not exist). The kernel drops the locks of a process when it ends, however
it ends: after a kill -9 the run is free at once, and no stale lock has to be recognised or removed.

These are POSIX record locks (`fcntl`), with the semantics that POSIX gives them:

- They belong to a *process*. A second claim by the process that holds a byte succeeds, so one
  process trains one run at a time.
- They are all dropped when the process closes *any* descriptor of the file. So a process opens
  the lock file once, here, and nothing else opens it; the study file itself is never locked this
  way because SQLite locks bytes of it by the same means.
- A forked child does not inherit them, and closing its copy of the descriptor does not drop the
  parent's: processes that a training run starts to decode images do no harm.
- The file stays when the study is done. To remove it would be a race with a process that has
  just opened it: the two would then lock two different files.

Two runs whose keys share 60 bits would exclude each other: one would wait, and nothing else.
"""

import errno
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from nextify.errors import InputError

_HELD = (errno.EACCES, errno.EAGAIN)  # POSIX lets a system choose


def lock_path(study: Path) -> Path:
    """The lock file of a study file; the same one for every name of the study file."""
    resolved = study.resolve()
    return resolved.with_name(f"{resolved.name}.lock")


class RunLocks:
    """The locks of this process on the runs of one study. One instance a process and study.

    >>> with RunLocks(Path("study.db")) as locks:  # doctest: +SKIP
    ...     if locks.claim(run.key):
    ...         ...
    ...         locks.release(run.key)
    """

    def __init__(self, study: Path) -> None:
        """Open the lock file. Raises `InputError` where that cannot be done."""
        self._path = lock_path(study)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from error

    def claim(self, key: str) -> bool:
        """Lock a run, by its key; False if another process holds it.

        Raises:
            InputError: the file system knows no locks.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
        except OSError as error:
            if error.errno in _HELD:
                return False
            raise self._unusable(error) from error
        return True

    def release(self, key: str) -> None:
        """Let other processes have the run."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def close(self) -> None:
        """Release everything."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _unusable(self, error: OSError) -> InputError:
        return InputError(
            f"lock file {self._path} cannot be used ({error.strerror}); put the study file in a "
            "folder that you may write, on a disk of this machine"
        )


def _byte(key: str) -> int:
    return int(key[:15], 16)  # 60 bits: within the range of a file's offsets
