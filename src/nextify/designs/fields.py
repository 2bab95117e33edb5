"""Typed fields: checking a value against its annotation, and reading it from text.

Designs and recipes are frozen dataclasses whose fields have one of six kinds of type: `int`,
`float`, `float | None`, `bool`, `tuple` of numbers, or `Literal` of strings. That is little
enough to check at the door and to read from a command line without a framework.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from nextify.errors import InputError, unknown
from nextify.words import LARGEST, native

T = TypeVar("T")


_HINTS: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The fields of a dataclass with their types, and bounds where these have some.

    >>> from nextify.designs.design import Design
    >>> hints(Design)["kernel_size"]
    <class 'int'>
    """
    if kind not in _HINTS:  # reading annotations takes longer than checking a design
        known = get_type_hints(kind, include_extras=True)
        _HINTS[kind] = {field.name: known[field.name] for field in fields(kind)}
    return _HINTS[kind]


def describe(hint: Any) -> str:
    """A type in a user's words: `"one of dense, depthwise"`."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(hint))
    if get_origin(hint) is tuple:
        return "numbers separated by commas"
    if get_origin(hint) is UnionType:
        return "a number or none"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[hint]


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a field's type; a finite one if it is a number.

    >>> fits((3, 4), tuple[int, ...]), fits(3.5, int), fits(3, float), fits(True, int)
    (True, False, True, False)
    """
    return _test(hint, -math.inf, math.inf)(value)


def read(text: str, hint: Any) -> Any:
    """A value from text, or `ValueError`.

    >>> read("2,2,6,2", tuple[int, ...]), read("none", float | None), read("4", Literal[4, 2])
    ((2, 2, 6, 2), None, 4)
    """
    if get_origin(hint) is Literal:
        return {str(value): value for value in get_args(hint)}[text]
    if get_origin(hint) is tuple:
        return tuple(read(part.strip(), get_args(hint)[0]) for part in text.strip("()").split(","))
    if get_origin(hint) is UnionType:
        return None if text.lower() == "none" else read(text, get_args(hint)[0])
    if hint is bool:
        return {"true": True, "false": False}[text.lower()]
    return hint(text)


def written(value: Any) -> str:
    """A value as `read` takes it.

    >>> written((2, 2, 6, 2)), written(None), written(0.5)
    ('2,2,6,2', 'none', '0.5')
    """
    if isinstance(value, tuple):
        return ",".join(map(written, value))
    return "none" if value is None else str(value)


Test = Callable[[Any], bool]


@cache
def _test(hint: Any, above: float, below: float) -> Test:
    """Whether a value is of a type and, where it is a number, within bounds."""
    inside = get_args(hint)
    if get_origin(hint) is Literal:
        return lambda value: value in inside and type(value) is not bool
    if get_origin(hint) is tuple:
        item, may_be_empty = _test(inside[0], above, below), above < 0
        return lambda value: (
            type(value) is tuple and (may_be_empty or len(value) > 0) and all(map(item, value))
        )
    if get_origin(hint) is UnionType:
        kinds = [_test(kind, above, below) for kind in inside]
        return lambda value: any(test(value) for test in kinds)
    if hint is float:
        return lambda value: (
            isinstance(value, int | float) and type(value) is not bool and above < value < below
        )
    return lambda value: type(value) is hint and (hint is not int or above < value < below)


@cache
def _tests(
    kind: Any, positive: tuple[str, ...], not_negative: tuple[str, ...]
) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Test, ...]]:
    """A test for each field, and what reads their values: almost all designs are good ones, and
    `check` looks closely at the others."""
    known = hints(kind)
    above = {**dict.fromkeys(not_negative, -5e-324), **dict.fromkeys(positive, 0.0)}
    tests = (_test(hint, above.get(name, -math.inf), LARGEST + 1) for name, hint in known.items())
    return attrgetter(*known), tuple(tests)


def check(instance: Any, positive: Iterable[str] = (), not_negative: Iterable[str] = ()) -> None:
    """Check every field of a dataclass instance against its type, and the signs of some.

    Raises:
        InputError: with the field, its value and what would be accepted.
    """
    known: Any = type(instance)
    values, tests = _tests(known, tuple(positive), tuple(not_negative))
    if all(test(value) for test, value in zip(tests, values(instance), strict=True)):
        return
    kind = type(instance).__name__.lower()
    for name, hint in hints(type(instance)).items():
        value = _native(getattr(instance, name))
        object.__setattr__(instance, name, value)
        numbers = value if isinstance(value, tuple) else (value,)
        if not fits(value, hint):
            fault = f"is {value!r}; it must be {describe(hint)}"
        elif any(type(number) is int and number > LARGEST for number in numbers):
            fault = f"is larger than {LARGEST:.0e}; give less"
        elif name in positive and (not value or min(numbers) <= 0):
            fault = f"is {value!r}; it must be greater than 0"
        elif name in not_negative and value is not None and value < 0:
            fault = f"is {value!r}; it must not be negative"
        else:
            continue
        raise InputError(f"{kind} field {name!r} {fault}")


def _native(value: Any) -> Any:
    return tuple(map(native, value)) if isinstance(value, tuple) else native(value)


def with_fields(instance: T, changes: Mapping[str, Any]) -> T:
    """A copy with some fields changed; an unknown field is an `InputError` with the nearest name.

    Lists become tuples, so that values read from JSON fit, and whole numbers become floats where
    the field is one.
    """
    known = hints(type(instance))
    for name in changes:
        if name not in known:
            raise unknown(f"{type(instance).__name__.lower()} field", name, known)
    tidy = {name: _tidy(value, known[name]) for name, value in changes.items()}
    return replace(instance, **tidy)  # type: ignore[type-var]


def _tidy(value: Any, hint: Any) -> Any:
    """The one form of equal values, so that equal designs and recipes make equal runs."""
    value = _native(tuple(value) if isinstance(value, list) else value)
    takes_float = hint is float or (get_origin(hint) is UnionType and float in get_args(hint))
    return float(value) if takes_float and type(value) is int else value


def read_fields(texts: Iterable[str], *kinds: type) -> list[dict[str, Any]]:
    """Read `FIELD=VALUE` texts into one dictionary for each dataclass, in the order of `kinds`.

    >>> from nextify.designs.design import Design
    >>> read_fields(["stem_stride=2", "widths=16,32,64,128"], Design)
    [{'stem_stride': 2, 'widths': (16, 32, 64, 128)}]
    """
    found: list[dict[str, Any]] = [{} for _ in kinds]
    every = {
        name: (at, hint) for at, kind in enumerate(kinds) for name, hint in hints(kind).items()
    }
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is not of the form FIELD=VALUE (as in stem_stride=2)")
        if name not in every:
            raise unknown("field", name, every)
        at, hint = every[name]
        if name in found[at]:
            raise InputError(f"field {name!r} is given twice; give it once")
        try:
            found[at][name] = read(value, hint)
        except (ValueError, KeyError):
            raise InputError(f"field {name!r} is {value!r}; it must be {describe(hint)}") from None
    return found
