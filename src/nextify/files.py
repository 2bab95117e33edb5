"""Files and folders: written whole or not at all, read as objects, made where they are missing."""

import errno
import fcntl
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from nextify.errors import InputError

Content = bytes | str | Callable[[BinaryIO], object]
"""What a file is to hold, or what writes it into an open one."""


def write_whole(path: Path, content: Content, *, what: str, remedy: str) -> None:
    """Write a file, whole or not at all: see `replace_file`.

    Args:
        what: is written, as "network". remedy: what to do where it cannot be.

    Raises:
        InputError: it cannot be written.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write {what} {path}: {reason}; {remedy}") from error


def replace_file(path: Path, content: Content) -> None:
    """Put a file in its place, in a folder that is made if it is not there.

    It is written beside its place, brought to the disk and moved there. So whoever reads it sees
    the old file or the new one, whatever happens, and so does who looks after a power cut. A write
    that fails leaves nothing behind; what one that was killed leaves, the next one writes over.
    Several processes may write it at the same time.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _partial(path) as file:
        partial = Path(file.name)
        try:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def _partial(path: Path) -> BinaryIO:
    """An empty file beside a place: always the same one, which also tells what a kill has left, but
    of a name of its own while another process writes that (or where there are no locks)."""
    usual = path.with_name(f".{path.name}.partial")
    with suppress(OSError):
        usual.touch()
        file = usual.open("r+b")
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), usual.stat()):  # not moved since
                file.truncate()
                return file
        file.close()
    return path.with_name(f".{path.name}.{token_hex(4)}.partial").open("wb")


def require_ordinary(path: Path) -> None:
    """Check that a file is one with an end: a pipe, a socket or a device may have none.

    Raises:
        OSError: it is not, or not there.
    """
    if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise OSError(errno.EINVAL, "it is no ordinary file", str(path))


def read_ordinary(path: Path) -> bytes:
    """What an ordinary file holds.

    Raises:
        OSError: it is none, or cannot be read.
    """
    require_ordinary(path)
    return path.read_bytes()


def forget_drafts(path: Path) -> None:
    """Remove what kills have left of a file that nobody writes now, as far as that can be done."""
    for draft in path.parent.glob(f".{escape(path.name)}.*partial"):
        with suppress(OSError):
            draft.unlink()


_LOCKS: set[int] = set()  # open files, which a forked child must not keep open


def _forget_locks() -> None:
    while _LOCKS:
        os.close(_LOCKS.pop())


os.register_at_fork(after_in_child=_forget_locks)


@contextmanager
def alone(place: Path, remedy: str, *, wait: bool = False) -> Iterator[None]:
    """The only one that writes a file, or into a folder that there is: two would lose what one of
    them did. The system frees the place when a process ends, however it ends.

    It is a lock on a hidden file, which is removed at the end; one that a kill has left locks
    nothing. Where the file system knows no locks, nothing is locked.

    Args:
        remedy: what to do where another one writes there. wait: until it has ended.

    Raises:
        InputError: another process, or thread, writes there; the lock cannot be made.
    """
    lock = place / ".lock" if place.is_dir() else place.with_name(f".{place.name}.lock")
    try:
        file = _locked(lock, wait)
    except BlockingIOError as error:
        who = lock.read_bytes().decode(errors="replace")
        raise InputError(
            f"{place} is being written by another process{f' ({who})' * who.isdecimal()}; let it "
            f"end, or {remedy}"
        ) from error
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}); {remedy}") from error
    _LOCKS.add(file)
    try:
        yield
    finally:
        if file in _LOCKS:  # and not in a child, which does not hold it
            _LOCKS.discard(file)
            with suppress(OSError):
                lock.unlink()
            os.close(file)


def _locked(lock: Path, wait: bool) -> int:
    """The lock file, locked and open. Raises `BlockingIOError` where it is another's."""
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(file, wait)
            if os.path.samestat(os.fstat(file), lock.stat()):  # not removed since it was opened
                os.pwrite(file, str(os.getpid()).encode(), 0)
                os.truncate(file, len(str(os.getpid())))
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write an object as JSON, whole or not at all, for a command that can be repeated.

    Raises:
        InputError: it cannot be written.
    """
    remedy = "free space there and repeat the command, which goes on from here"
    write_whole(path, json.dumps(values, indent=2), what="record", remedy=remedy)


def finite(values: Any) -> Any:
    """The same where JSON has a word for it: what is infinite or no number is none there.

    >>> finite({"curve": (1.0, float("inf"))})
    {'curve': [1.0, None]}
    """
    match values:
        case Mapping():
            return {name: finite(value) for name, value in values.items()}
        case list() | tuple():
            return [finite(value) for value in values]
        case float() if not math.isfinite(values):
            return None
    return values


def parse_json(text: bytes | str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: it is none, names a field twice, or is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"field {name[:60]!r} is there twice")
    return found


def read_json(
    path: Path, what: str = "record", remedy: str = "name another folder with --output"
) -> dict[str, Any] | None:
    """The object that a file of JSON holds; None if there is no such file.

    Args:
        what: it should be. remedy: what to do where it is not.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        values = parse_json(read_ordinary(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"file {path} cannot be read ({error.strerror}); {remedy}") from error
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InputError(f"file {path} is no {what}; {remedy}")
    return values


def from_home(path: str | Path, remedy: str) -> Path:
    """A path in which "~" may stand for a home folder.

    Raises:
        InputError: there is no such home, as for a user whom a container's system does not know.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(path)!r}: there is no such home folder; {remedy}") from error


@contextmanager
def as_text(path: Path) -> Iterator[Path]:
    """A name of a file that is text, for libraries that read no other: the names that files have
    may be any bytes.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            yield Path(f"/dev/fd/{file.fileno()}")
    else:
        yield path


def is_there(path: Path) -> bool:
    """Whether there is such a file. Of a name that none can have, or in a folder that may not be
    entered, there is none: what is wrong with it is said by whoever opens it."""
    try:
        return path.exists()
    except OSError:
        return False


def make_folder(folder: Path, option: str = "--output") -> None:
    """Make a folder if it is not there. `option` names another one.

    Raises:
        InputError: with the reason and the remedy.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a file is in its place" if in_the_way else error.strerror
        raise InputError(
            f"folder {folder} cannot be made ({reason}); name another with {option}"
        ) from error


def require_name(path: Path, option: str) -> None:
    """Check that a file of this name can be there, and its draft beside it.

    Raises:
        InputError: with the reason and the remedy.
    """
    try:
        for place in (path, path.with_name(f".{path.name}.partial")):
            place.exists()
    except OSError as error:
        raise InputError(
            f"file {path} cannot be made ({error.strerror}); name another with {option}"
        ) from error


def require_place(folder: Path, option: str) -> None:
    """Make a folder if it is not there and check that a file can be written into it: before the
    work, not after it.

    Raises:
        InputError: with the reason and the remedy.
    """
    make_folder(folder, option)
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"folder {folder} cannot be written ({error.strerror}); name another with {option}"
        ) from error


def require_writable(folder: Path, option: str) -> None:
    """As `require_place`, but nothing is left behind: among images, an empty folder would be taken
    for a class by who loads them next."""
    missing = [each for each in (folder, *folder.parents) if not is_there(each)]
    require_place(folder, option)
    with suppress(OSError):  # another process has put something there
        for each in missing:
            each.rmdir()
