"""Results in a file beside what determined them, so that a command that was stopped goes on."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from nextify.designs.values import read_value
from nextify.errors import InputError
from nextify.files import alone, read_json, write_whole

T = TypeVar("T")
_REMEDY = "name another with --save"


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a file holds.

    Attributes:
        command: that writes it, as `nextify scale sequence`.
        items: what it calls its results, as "outcomes".
        result: a dataclass. values: of a result, as JSON has them; `read` is the way back.
        version: to be raised with any change to what a result is.
    """

    command: str
    items: str
    result: type[T]
    values: Callable[[Any], dict[str, Any]] = asdict
    version: int = 1


class Kept(Generic[T]):
    """Results, those in a file first; the file is written anew with each that is added, at once: a
    reader never sees half of it. Each has a line of its own.

    Args:
        path: of the file; None: there is none.
        made_with: all that determines the results, as JSON has it (settings, versions, machine).

    Raises:
        InputError: it cannot be read, is of something else, or was made with other settings.
    """

    def __init__(self, kind: Kind[T], path: Path | None, made_with: Mapping[str, Any]) -> None:
        self.kind, self.path = kind, path
        self.made_with = json.loads(json.dumps({"version": kind.version, **made_with}))
        self.results: list[T] = []
        if path is not None and path.exists():
            made, found = contents(path, kind)
            if made != self.made_with:
                said = _difference(made, self.made_with)
                raise InputError(f"file {path} was made with other settings ({said}); {_REMEDY}")
            self.results += found

    def add(self, *results: T) -> None:
        """Keep more.

        Raises:
            InputError: the file cannot be written.
        """
        self.results += results
        if self.path is None:
            return
        values = (self.kind.values(each) for each in self.results)
        lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in values)
        made, items = json.dumps(self.made_with), self.kind.items
        text = f'{{"made_with": {made},\n"{items}": [\n{lines}\n]}}\n'
        write_whole(self.path, text, what="file", remedy=_REMEDY)


def keeping(path: Path | None) -> AbstractContextManager[None]:
    """Around all that is kept in a file: of two commands at once each would lose the other's
    results.

    Raises:
        InputError: another command keeps results there.
    """
    return nullcontext() if path is None else alone(path, _REMEDY)


def contents(
    path: Path, kind: Kind[T], option: str = "--save"
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
        made = read_value(Mapping[str, Any], content.get("made_with"), "made_with")
        found = read_value(tuple[kind.result, ...], content.get(kind.items), kind.items)  # type: ignore[name-defined]
        return dict(made), found
    except InputError as error:
        raise InputError(
            f"file {path} holds no {kind.items} of `{kind.command}` ({error}); {remedy}"
        ) from error


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first setting that differs, in words.

    >>> _difference({"threads": 1, "rounds": 5}, {"threads": 2, "rounds": 3})
    'threads: 1 there, 2 now'
    """
    name = next(name for name in {**here, **there} if there.get(name) != here.get(name))
    return f"{name}: {there.get(name)} there, {here.get(name)} now"
