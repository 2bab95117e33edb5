"""A request from a TOML file: keys as the options are named, with underscores."""

import tomllib
from pathlib import Path

from nextify.errors import InputError
from nextify.files import read_ordinary
from nextify.requests.options import T, made


def read_toml(kind: type[T], file: Path) -> T:
    """The request that a file describes: an option a line, `changes` a table of fields.

        path = "small"
        data = "photos"
        seeds = 3
        changes = {epochs = 20}

    Raises:
        InputError: the file cannot be read or is no TOML; a key or a value that is none.
    """
    try:
        values = tomllib.loads(read_ordinary(file).decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); name another file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no TOML: {' '.join(str(error).split())}") from None
    try:
        return made(kind, values)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
