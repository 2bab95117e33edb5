"""Values of JSON as the types that the fields of a dataclass say: plans, records, cards, results.

>>> from nextify.designs.recipe import Recipe
>>> from_values(Recipe, {"epochs": 3, "warmup_epochs": 1, "betas": [0.9, 0.95]}).betas
(0.9, 0.95)
>>> from_values(Recipe, {"betas": [0.9, "x"]})
Traceback (most recent call last):
...
nextify.errors.InputError: field 'betas[1]' is 'x'; it must be a number

A type may carry bounds: `Annotated[float, Within(0, 1)]`.
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from nextify.designs.fields import hints
from nextify.errors import InputError, unknown
from nextify.words import in_short

T = TypeVar("T")
_WHOLE = 2**63  # whole numbers are below it


@dataclass(frozen=True, slots=True)
class Within:
    """Bounds of a number. is_finite: whether it may be neither infinite nor NaN."""

    least: float = -math.inf
    most: float = math.inf
    is_finite: bool = True

    def fault(self, value: float) -> str | None:
        """What it must be in place of a value; None if it is."""
        if not math.isfinite(value):
            return "be a finite number" if self.is_finite else None
        if self.least <= value <= self.most:
            return None
        if self.most == math.inf:
            return f"be at least {self.least:g}"
        return f"be from {self.least:g} to {self.most:g}"


Count = Annotated[int, Within(0)]
Positive = Annotated[int, Within(1)]
Seed = Annotated[int, Within(0)]
Share = Annotated[float, Within(0, 1)]
Amount = Annotated[float, Within(0)]
Float = Annotated[float, Within(is_finite=False)]  # also infinite, or NaN


def from_values(
    kind: type[T],
    values: Any,
    where: str = "",
    *,
    made: Mapping[str, Any] | None = None,
    grows: tuple[type, ...] = (),
) -> T:
    """A dataclass from its fields' values; a field that is not given has its default.

    Args:
        where: the values stand, for messages: as "cells[2].recipe".
        made: fields that are read already.
        grows: dataclasses of which fields that are not known are those of newer versions.

    Raises:
        InputError: the first field that is unknown, missing, of another type or out of bounds.
    """
    if not isinstance(values, Mapping):
        raise _refused(where, values, "be a table of fields")
    known, ready = hints(kind), dict(made or {})
    for name, value in values.items():
        if name in ready:
            continue
        if name in known:
            ready[name] = read_value(known[name], value, _under(where, name), grows)
        elif kind not in grows:
            what = f"field of {where}:" if where else "field"
            raise unknown(what, str(name), known)
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name not in ready and each.default is each.default_factory is MISSING:
            raise InputError(f"field {_under(where, each.name)!r} is missing")
    try:
        return kind(**ready)
    except InputError as error:
        raise InputError(f"{where}: {error}" if where else str(error)) from None


def read_value(hint: Any, value: Any, where: str, grows: tuple[type, ...] = ()) -> Any:
    """A value of JSON as a type: numbers, texts, bytes as hexadecimal text, lists as tuples,
    dataclasses. Where it may be one of several dataclasses, its "kind" has the name.

    >>> read_value(tuple[int, ...] | None, None, "sizes"), read_value(float, 3, "rate")
    (None, 3.0)

    Raises:
        InputError: it is of another type, or out of bounds.
    """
    match get_origin(hint):
        case origin if origin is Annotated:
            return _bounded(hint.__origin__, value, where, hint.__metadata__[0])
        case origin if origin in (UnionType, Union):
            return _one_of(get_args(hint), value, where, grows)
        case origin if origin is Literal:
            if any(type(value) is type(each) and value == each for each in get_args(hint)):
                return value
            raise _refused(where, value, f"be one of {', '.join(map(str, get_args(hint)))}")
        case origin if origin is tuple:
            return _items(hint, value, where, grows)
        case origin if isinstance(origin, type) and issubclass(origin, Mapping):
            if isinstance(value, Mapping) and all(type(name) is str for name in value):
                return value
            raise _refused(where, value, "be a table of fields")
    if isinstance(hint, type) and is_dataclass(hint):
        return from_values(hint, value, where, grows=grows)
    if hint is float:
        return _bounded(hint, value, where, Within())
    return _single(hint, value, where)


def _bounded(hint: Any, value: Any, where: str, bounds: Within) -> Any:
    found = _single(hint, value, where)
    if wrong := bounds.fault(found):
        raise _refused(where, value, wrong)
    return found


def _single(hint: Any, value: Any, where: str) -> Any:
    is_large = type(value) is int and abs(value) >= _WHOLE
    if hint is Any or (hint in (bool, str, int, float) and type(value) is hint and not is_large):
        return value
    if hint is float and type(value) is int and not is_large:
        return float(value)
    if hint is bytes and type(value) is str:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text",
             bytes: "hexadecimal text"}  # fmt: skip
    raise _refused(where, value, f"be {names[hint]}")


def _items(hint: Any, value: Any, where: str, grows: tuple[type, ...]) -> tuple[Any, ...]:
    kinds = get_args(hint)
    if not isinstance(value, list | tuple):
        raise _refused(where, value, "be a list")
    if kinds[-1] is ...:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise _refused(where, value, f"be a list of {len(kinds)}")
    named = (f"{where}[{at}]" for at in range(len(value)))
    return tuple(map(read_value, kinds, value, named, [grows] * len(value)))


def _one_of(kinds: tuple[Any, ...], value: Any, where: str, grows: tuple[type, ...]) -> Any:
    if value is None and NoneType in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    if len(kinds) > 1 and all(map(is_dataclass, kinds)) and isinstance(value, Mapping):
        named = {_name(kind): kind for kind in kinds}
        chosen = value.get("kind", next(iter(named)))
        if chosen not in tuple(named):
            told = chosen if isinstance(chosen, str) else in_short(chosen)
            raise unknown(f"kind of {where}:" if where else "kind", told, named)
        kind = named[chosen]
        own = value if "kind" in hints(kind) else {n: v for n, v in value.items() if n != "kind"}
        return from_values(kind, own, where, grows=grows)
    for kind in kinds[:-1]:
        try:
            return read_value(kind, value, where, grows)
        except InputError:
            continue
    return read_value(kinds[-1], value, where, grows)


def _name(kind: Any) -> str:
    """How values tell one of several dataclasses: a field that can have one value only, or its
    name."""
    told = get_args(hints(kind).get("kind"))
    return str(told[0]) if told else str(kind.__name__)


def _under(where: str, name: str) -> str:
    return f"{where}.{name}".strip(".")


def _refused(where: str, value: Any, wanted: str) -> InputError:
    return InputError(f"field {where!r} is {in_short(value)}; it must {wanted}" if where else
                      f"it is {in_short(value)}; it must {wanted}")  # fmt: skip
