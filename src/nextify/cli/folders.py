"""Making the folders that a command writes to."""

import os
from pathlib import Path

from nextify.errors import InputError


def make_folder(folder: Path, option: str) -> None:
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
    """Check that a folder is there or can be made, without making it.

    Raises:
        InputError: with the reason and the remedy.
    """
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:
        raise InputError(
            f"folder {folder} cannot be made ({error.strerror}); name another with {option}"
        ) from error
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        reason = "cannot be written" if there.is_dir() else "is a file"
        raise InputError(
            f"folder {folder} cannot be made ({there} {reason}); name another with {option}"
        )
