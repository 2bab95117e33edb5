"""The folders that a command writes to, and the small files in them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nextify.errors import InputError


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


def read_json(file: Path) -> dict[str, Any] | None:
    """The object that a file holds; None if there is no such file.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    try:
        values = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        values = None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error}); move it away, or name another folder "
                         "with --output") from None  # fmt: skip
    if not isinstance(values, dict):
        raise InputError(f"{file} is no record; name another folder with --output")
    return values


def write_json(file: Path, values: Mapping[str, Any]) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        partial.write_text(json.dumps(values, indent=2))
        partial.replace(file)
    except OSError as error:
        with suppress(OSError):  # where the parent is no folder, there is nothing to remove
            partial.unlink()
        raise InputError(
            f"cannot write {file}: {error.strerror}; free space there and repeat the command, "
            "which goes on from here"
        ) from error
