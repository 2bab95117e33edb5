"""Results in a file beside what determined them, so that a command that was stopped goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nextify.errors import InputError

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
    content = contents(path, kind)
    found = _read(path, kind, content, read)
    if content["made_with"] != json.loads(json.dumps(dict(made_with))):
        said = _difference(content["made_with"], made_with)
        raise InputError(f"file {path} was made with other settings ({said}); {_REMEDY}")
    return found


def contents(path: Path, kind: Kind) -> dict[str, Any]:
    """A file as it is: what it was `made_with` and its results, each an object of JSON.

    Raises:
        InputError: it cannot be read, or is of something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content["made_with"], dict) or not isinstance(content[kind.items], list):
            raise TypeError
    except OSError as error:
        raise InputError(f"file {path} cannot be read ({error.strerror}); {_REMEDY}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _strange(path, kind) from error
    whole: dict[str, Any] = content
    return whole


def save(
    path: Path, kind: Kind, made_with: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> None:
    """Write all results, at once: a reader never sees half a file. Each has a line of its own.

    Raises:
        InputError: it cannot be written.
    """
    lines = ",\n".join(json.dumps(dict(each), separators=(",", ":")) for each in results)
    head = json.dumps(dict(made_with))
    beside = path.with_name(f".{path.name}.new")
    try:
        text = f'{{"made_with": {head},\n"{kind.items}": [\n{lines}\n]}}\n'
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise InputError(f"file {path} cannot be written ({error.strerror}); {_REMEDY}") from error


def _read(
    path: Path, kind: Kind, content: dict[str, Any], read: Callable[[dict[str, Any]], T]
) -> tuple[T, ...]:
    try:
        return tuple(read(values) for values in content[kind.items])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _strange(path, kind) from error


def _strange(path: Path, kind: Kind) -> InputError:
    return InputError(f"file {path} holds no {kind.items} of `{kind.command}`; {_REMEDY}")


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first setting that differs, in words.

    >>> _difference({"threads": 1, "rounds": 5}, {"threads": 2, "rounds": 3})
    'threads: 1 there, 2 now'
    """
    plain = json.loads(json.dumps(dict(here)))
    name = next(name for name in {**plain, **there} if there.get(name) != plain.get(name))
    return f"{name}: {_shown(there, name)} there, {_shown(plain, name)} now"


def _shown(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if name in values else "none"
