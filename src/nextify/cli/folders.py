"""Making the folders that a command writes to."""

from pathlib import Path
from tempfile import TemporaryFile

from nextify.errors import InputError


def is_there(path: Path) -> bool:
    """Whether there is such a file. Of a name that none can have, or in a folder that may not be
    entered, there is none: what is wrong with it is said by whoever opens it."""
    try:
        return path.exists()
    except OSError:
        return False


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
