"""Results in a file beside what determined them, so that a command that was stopped goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nextify.errors import InputError
from nextify.files import read_json, write_whole

T = TypeVar("T")
_REMEDY = "name another with --save"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds.

    Attributes:
        command: that writes it, as `nextify scale sequence`.
        items: what it calls its results, as "outcomes".
    """

    command: str
    items: str


def load(
    path: Path, kind: Kind, made_with: Mapping[str, Any], read: Callable[[dict[str, Any]], T]
) -> tuple[T, ...]:
    """The results in a file; none if there is no such file.

    Args:
        made_with: all that determines them, as JSON has it (settings, versions, machine).
        read: from an object of JSON to a result.

    Raises:
        InputError: it cannot be read, is of something else, or was made with other settings.
    """
    if not path.exists():
        return ()
    made, found = contents(path, kind, read)
    if made != _plain(made_with):
        said = _difference(made, _plain(made_with))
        raise InputError(f"file {path} was made with other settings ({said}); {_REMEDY}")
    return found


def contents(
    path: Path, kind: Kind, read: Callable[[dict[str, Any]], T], option: str = "--save"
) -> tuple[dict[str, Any], tuple[T, ...]]:
    """What a file was made with, and its results. `option` names another file.

    Raises:
        InputError: it cannot be read, or is of something else.
    """
    remedy = f"name another with {option}"
    content = read_json(path, f"result of `{kind.command}`", remedy)
    if content is None:
        raise InputError(f"file {path} does not exist; {remedy}")
    try:
        return dict(content["made_with"]), tuple(read(values) for values in content[kind.items])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"file {path} holds no {kind.items} of `{kind.command}`; {remedy}"
        ) from error


def save(
    path: Path, kind: Kind, made_with: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> None:
    """Write all results, at once: a reader never sees half a file. Each has a line of its own.

    Raises:
        InputError: it cannot be written.
    """
    lines = ",\n".join(json.dumps(dict(each), separators=(",", ":")) for each in results)
    head = json.dumps(dict(made_with))
    text = f'{{"made_with": {head},\n"{kind.items}": [\n{lines}\n]}}\n'
    write_whole(path, text, what="file", remedy=_REMEDY)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they are when JSON has had them: tuples are lists."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return plain


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first setting that differs, in words.

    >>> _difference({"threads": 1, "rounds": 5}, {"threads": 2, "rounds": 3})
    'threads: 1 there, 2 now'
    """
    name = next(name for name in {**here, **there} if there.get(name) != here.get(name))
    return f"{name}: {there.get(name)} there, {here.get(name)} now"
