"""Fields of a request: what a value may be, in one place for the command line, TOML and Python.

A request is a frozen dataclass. Each of its fields is an `option` or a `positional`, with the help
that the command line prints, or a group of them: another dataclass, whose fields stand on the
command line like its own.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import reduce
from operator import or_
from os import PathLike
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from nextify.errors import InputError, unknown
from nextify.words import in_short, native

Pixels = int | tuple[int, int]
MOST_PIXELS = 1 << 14  # a side; far beyond any image that a classifier sees
SEEDS = 2**63  # seeds are below this

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """What is to know of a field besides its name, type and default.

    Attributes:
        help, metavar: for `--help`.
        name: on the command line, where it is not the field's, with dashes.
        least, most: of a whole number; a float is above 0. such_as: of a float, what to give.
        positional: stands without `--name`. many: of a positional, how argparse says it.
        fields: of a positional: it takes FIELD=VALUE.
        local: says where or how something is done and not what: no page names it.
        former: what earlier versions called it, which still holds.
        needs: what it does nothing without: another option, or `option value`.
        again: name of the option of which this one, of several texts, holds what stands there
            again: `--data A --data B`.
    """

    help: str = ""
    metavar: str | None = None
    name: str = ""
    least: int = 0
    most: int = 1
    such_as: str = ""
    positional: bool = False
    many: Literal["", "?", "*", "+"] = ""
    fields: bool = False
    local: bool = False
    former: str = ""
    needs: str = ""
    again: str = ""


def option(default: Any = None, help: str = "", **more: Any) -> Any:
    """A field that is given as `--name VALUE`; of a bool, as `--name`."""
    return field(default=default, metadata={"option": Option(help=help, **more)})


def positional(default: Any = None, help: str = "", **more: Any) -> Any:
    """A field that is given by its place; without a default (`...`) it has to be."""
    about = {"option": Option(help=help, positional=True, **more)}
    return field(metadata=about) if default is ... else field(default=default, metadata=about)


@dataclass(frozen=True, slots=True)
class Entry:
    """A field of a request, or of a group in it.

    Attributes:
        field, hint, about: its name, type and option. default: None where it has to be given.
        group: name of the request's field that it belongs to; empty for the request's own.
    """

    field: str
    hint: Any
    about: Option
    default: Any
    group: str = ""

    @property
    def option(self) -> str:
        """As on the command line, such as `--image-size`."""
        return "--" + (self.about.name or self.field.replace("_", "-"))

    @property
    def key(self) -> str:
        """As in TOML and in Python: the option's name, with underscores."""
        return (self.about.name or self.field).replace("-", "_")

    def of(self, request: Any) -> Any:
        """Its value in a request."""
        holder = getattr(request, self.group) if self.group else request
        return getattr(holder, self.field)

    @property
    def inner(self) -> Any:
        """The type of the value, where there is one."""
        if get_origin(self.hint) not in (UnionType, Union):
            return self.hint
        return reduce(or_, (each for each in get_args(self.hint) if each is not type(None)))

    @property
    def may_be_none(self) -> bool:
        """Whether there may be no value."""
        return type(None) in get_args(self.hint)


def entries(kind: type) -> tuple[Entry, ...]:
    """All fields of a kind of request, those of its groups in their place.

    >>> from nextify.requests import Study
    >>> [entry.key for entry in entries(Study)][:4]
    ['path', 'changes', 'weights', 'recipe']
    """
    if kind not in _ENTRIES:  # reading annotations takes long
        _ENTRIES[kind] = tuple(_entries(kind))
    return _ENTRIES[kind]


_ENTRIES: dict[type, tuple[Entry, ...]] = {}


def _entries(kind: type, group: str = "") -> Iterator[Entry]:
    known = get_type_hints(kind)
    for each in fields(kind):
        if is_dataclass(known[each.name]):
            yield from _entries(known[each.name], each.name)
        elif "option" in each.metadata:
            yield Entry(each.name, known[each.name], each.metadata["option"], each.default, group)


def field_entry(kind: type) -> Entry | None:
    """What of a request takes FIELD=VALUE."""
    return next((entry for entry in entries(kind) if entry.about.fields), None)


def groups(kind: type) -> dict[str, type]:
    """The groups of a kind of request, by the name of their field."""
    known = get_type_hints(kind)
    return {each.name: known[each.name] for each in fields(kind) if is_dataclass(known[each.name])}


def from_text(entry: Entry, text: str) -> Any:
    """The value that a text means, or `ValueError` with what would be accepted."""
    try:
        value = _READ.get(entry.inner, str)(text)
    except (ValueError, OverflowError):
        value = text
    if (wrong := refusal(entry, value)) is not None:
        raise ValueError(f"it is {text!r}; {wrong}" if text else wrong)
    return value


def refusal(entry: Entry, value: Any) -> str | None:
    """What would be accepted in place of a value; None if it is."""
    about = entry.about
    if value is None and entry.may_be_none:
        return None
    if get_origin(entry.inner) is Literal:
        known = ", ".join(map(str, get_args(entry.inner)))
        return None if value in get_args(entry.inner) else f"give one of {known}"
    if get_origin(entry.inner) is tuple:
        fine = isinstance(value, tuple) and all(isinstance(each, str) and each for each in value)
        return next(filter(None, map(_unspeakable, value)), None) if fine else "give texts"
    if entry.inner is int:
        limit = "2^63 - 1" if about.most == SEEDS - 1 else f"{about.most:,}"
        fine = type(value) is int and about.least <= value <= about.most
        return None if fine else f"give a whole number from {about.least} to {limit}"
    if entry.inner is float:
        fine = type(value) in (int, float) and 0 < value <= about.most
        return None if fine else f"give {about.such_as}"
    if entry.inner == Pixels:
        sides = value if isinstance(value, tuple) else (value,)
        fine = len(sides) in (1, 2) and all(type(n) is int and 1 <= n <= MOST_PIXELS for n in sides)
        return None if fine else f"give pixels, as 224 or 224x320, at most {MOST_PIXELS:,}"
    if entry.inner is str and not value:
        return f"it is empty; give a value{'' if about.positional else ' or leave the option out'}"
    noun = "true or false" if entry.inner is bool else "a text"
    if type(value) is not entry.inner:
        return f"give {noun}"
    return _unspeakable(value) if entry.inner is str else None


def _unspeakable(text: str) -> str | None:
    """Why no file can be named so, as by half of a character from a program; None if one can."""
    try:
        return "it holds a NUL; leave that out" if b"\0" in os.fsencode(text) else None
    except UnicodeEncodeError:
        return "it holds half of a character (a surrogate); leave that out"


def _pixels(text: str) -> int | tuple[int, ...]:
    sides = [int(part) for part in text.lower().replace("×", "x").split("x")]
    return sides[0] if len(sides) == 1 else tuple(sides)


_READ: Mapping[Any, Callable[[str], Any]] = {int: int, float: float, Pixels: _pixels}


def as_text(value: Any) -> str:
    """A value as the command line takes it.

    >>> as_text((224, 320)), as_text(0.5), as_text(12345678.0), as_text("12M")
    ('224x320', '0.5', '12345678', '12M')
    """
    match value:
        case tuple():
            return "x".join(map(str, value))
        case float():
            return str(value).removesuffix(".0")
        case _:
            return str(value)


def tidy(entry: Entry, value: Any) -> Any:
    """A value from TOML or Python in the one form that a request keeps.

    Numbers, lists of them and tables of fields stand for the text of the command line:
    `images=[500, 1000]` for `500,1000`, `image_size="224x320"` for two sides,
    `changes={"epochs": 20}` for `epochs=20`.
    """
    value = _in_python(value)
    if entry.inner is str and isinstance(value, Sequence) and not isinstance(value, str):
        is_list = str(entry.about.metavar).endswith("...") or len(value) == 1
        return ",".join(map(as_text, value)) if is_list else value
    if entry.inner == Pixels and isinstance(value, str):
        return _pixels(value)
    if entry.inner is str and isinstance(value, int | float) and not isinstance(value, bool):
        return as_text(value)
    if get_origin(entry.inner) is tuple and isinstance(value, Mapping):
        return tuple(f"{name}={_plain(given)}" for name, given in value.items())
    if get_origin(entry.inner) is tuple and isinstance(value, str):
        words = value.split()
        are_fields = entry.about.fields and all("=" in word for word in words)
        return tuple(words) if are_fields else (value,)  # a file's name may hold spaces
    return tuple(map(_in_python, value)) if isinstance(value, list | tuple | Iterator) else value


def _in_python(value: Any) -> Any:
    return str(value) if isinstance(value, PathLike) else native(value)


def _plain(value: Any) -> str:
    """A field's value in `FIELD=VALUE`."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value).lower() if value in (True, False) else str(value)


def accepted(entry: Entry, value: Any) -> Any:
    """A value in the one form that a request keeps. Raises `InputError`: it is not accepted."""
    try:
        given = tidy(entry, value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        given = value
    if (wrong := refusal(entry, given)) is not None:
        raise InputError(f"{entry.key} is {in_short(value)}; {wrong}")
    return given


def made(kind: type[T], values: Mapping[str, Any]) -> T:
    """A request from values by their keys; what is not given has its default.

    >>> from nextify.requests import Study
    >>> made(Study, {"path": "small", "seeds": 3, "image_size": 64}).data.image_size
    64

    Raises:
        InputError: an unknown key, a value that is not accepted, or a positional that is missing.
    """
    known = {entry.key: entry for entry in entries(kind)}
    inner: dict[str, dict[str, Any]] = {name: {} for name in groups(kind)}
    own: dict[str, Any] = {}
    former = {entry.about.former: key for key, entry in known.items() if entry.about.former}
    values = {former.get(key, key): value for key, value in values.items()}
    for key, value in _placed(kind, _spread(kind, values)).items():
        if key not in known:
            fields = field_entry(kind)
            hint = f"; fields to change stand in {fields.key!r}" if fields else ""
            is_fields = fields and key == "changes"
            said = f"unknown option {key!r}" if is_fields else unknown("option", key, known)
            raise InputError(f"{said}{hint}")
        entry = known[key]
        (inner[entry.group] if entry.group else own)[entry.field] = accepted(entry, value)
    for key, entry in known.items():
        if entry.about.positional and entry.about.many in ("", "+") and not values.get(key):
            raise InputError(f"{key} is not given; {entry.about.help or 'give it'}")
    return kind(**own, **{name: groups(kind)[name](**given) for name, given in inner.items()})


def _spread(kind: type, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Several values of an option that may stand there again, each in its place."""
    for entry in (entry for entry in entries(kind) if entry.about.again):
        first, there = entry.about.again, values.get(entry.key, ())
        if isinstance(several := values.get(first), list | tuple) and len(several) > 1:
            values = {**values, first: several[0], entry.key: (*several[1:], *there)}
    return values


def _placed(kind: type, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a name is left out, the first FIELD=VALUE stands in its place: it is no name."""
    name = next((entry.key for entry in entries(kind) if entry.about.many == "?"), "")
    fields, word = field_entry(kind), values.get(name)
    if fields is None or not isinstance(word, str) or "=" not in word:
        return values
    others = tidy(fields, values.get(fields.key, ()))
    return {**values, name: None, fields.key: (word, *others)}


def changed(request: T, **values: Any) -> T:
    """The same request with some values, by their keys."""
    kind = type(request)
    there = {entry.key: entry.of(request) for entry in entries(kind)}
    return made(kind, {**there, **values})


def given(request: Any) -> dict[str, Any]:
    """The values of a request that are not their defaults, by key: what `made` makes it of."""
    found = {entry.key: (entry.of(request), entry.default) for entry in entries(type(request))}
    return {key: value for key, (value, default) in found.items() if value != default}


def beside(kind: type, values: Mapping[str, Any], others: Collection[str]) -> dict[str, Any]:
    """Values, beside others whose keys come before them: where these have an option that may stand
    there again, they have all of it.

    >>> from nextify.requests import Study
    >>> beside(Study, {"data": "a", "more_data": ("b",), "seeds": 3}, ["data"])
    {'data': 'a', 'seeds': 3}
    """
    gone = {entry.key for entry in entries(kind) if entry.about.again in others}
    return {key: value for key, value in values.items() if key not in gone}


def require_used(request: T) -> T:
    """The request, of which every value that is given does something.

    Raises:
        InputError: one needs another that is not given.
    """
    known = {entry.key: entry for entry in entries(type(request))}
    for entry in (known[key] for key in given(request) if known[key].about.needs):
        name, _, value = entry.about.needs.partition(" ")
        there = known[name].of(request)
        is_given = there == value if value else bool(there)
        if not is_given:
            raise InputError(
                f"{entry.option} does nothing without --{entry.about.needs}; add that, or leave "
                f"{entry.option} out"
            )
    return request


def without_local(request: T) -> T:
    """What is asked for, whatever the machine that does it and where its results go."""
    local = {entry.key for entry in entries(type(request)) if entry.about.local}
    return made(type(request), {k: v for k, v in given(request).items() if k not in local})
