"""Results in a file beside what determined them, so that a command that was stopped goes on."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

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
        results = tuple(read(kind.result, values) for values in content[kind.items])
        return dict(content["made_with"]), results
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"file {path} holds no {kind.items} of `{kind.command}`; {remedy}"
        ) from error


def read(hint: Any, value: Any) -> Any:
    """A value of JSON as its type: dataclasses in dataclasses, tuples, and what may be missing.

    Where it may be one of several dataclasses, its "kind" has the name.

    >>> read(tuple[int, ...] | None, None), read(tuple[int, ...], [1, 2])
    (None, (1, 2))

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no such value.
    """
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return hint(**{name: read(hints[name], each) for name, each in value.items()})  # type: ignore[operator]
    if get_origin(hint) is tuple:
        return tuple(read(get_args(hint)[0], each) for each in value)
    if isinstance(hint, UnionType) and isinstance(value, Mapping):
        own, kinds = dict(value), {kind.__name__: kind for kind in get_args(hint)}
        return read(kinds[own.pop("kind", next(iter(kinds)))], own)
    return value


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first setting that differs, in words.

    >>> _difference({"threads": 1, "rounds": 5}, {"threads": 2, "rounds": 3})
    'threads: 1 there, 2 now'
    """
    name = next(name for name in {**here, **there} if there.get(name) != here.get(name))
    return f"{name}: {there.get(name)} there, {here.get(name)} now"
