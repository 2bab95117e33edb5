"""The names of classes, in the order of a network's outputs: from a file, as people have them."""

import codecs
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import category

from nextify.errors import InputError
from nextify.files import read_ordinary

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_FIELDS = ("id2label", "label_names", "label2id", "class_to_idx", "classes", "names")


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names in a text file, one a line, or in JSON: a list, or an object from numbers to names
    (`id2label`) or from names to numbers (`class_to_idx`), by itself or within a configuration.

    Raises:
        InputError: it cannot be read, or the names are not one for each class.
    """
    text = _text(Path(path))
    try:
        if text.lstrip()[:1] in ("{", "["):
            return names_of(json.loads(text))
        return _checked(line.strip() for line in _lines(text))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"class names {path} cannot be used: {reason}; give a text file with one "
                         "name a line, in the order of the outputs") from None  # fmt: skip


def names_of(values: Any) -> tuple[str, ...]:
    """The names of classes in what JSON holds.

    >>> names_of({"1": "dog", "0": "cat"}), names_of({"dog": 1, "cat": 0})
    (('cat', 'dog'), ('cat', 'dog'))
    >>> names_of({"0": ["n01440764", "tench"]})
    ('n01440764',)

    Raises:
        InputError: there are none, or not one for each number from 0.
    """
    if isinstance(values, Mapping):
        inside = next((values[field] for field in _FIELDS if field in values), None)
        if isinstance(inside, Mapping | list):
            return names_of(inside)
        values = _in_order(values)
    if not isinstance(values, Sequence):
        raise InputError(f"a {type(values).__name__} holds no names")
    # Of ImageNet's class_index.json the identifiers, which are unique and name its folders.
    return _checked(one[0] if isinstance(one, list) and one else one for one in values)


def _in_order(values: Mapping[str, Any]) -> list[Any]:
    """The names of an object, by their numbers."""
    if all(type(value) is int for value in values.values()):
        numbered = {value: name for name, value in values.items()}
    else:
        numbered = {int(key): name for key, name in values.items() if key.isdecimal()}
    if len(numbered) != len(values) or sorted(numbered) != list(range(len(values))):
        raise InputError(f"its {len(values)} classes are not numbered from 0 on, each once")
    return [numbered[at] for at in range(len(numbered))]


def _checked(given: Iterable[Any]) -> tuple[str, ...]:
    names = tuple(given)
    first: dict[str, int] = {}
    for at, name in enumerate(names, 1):
        if not isinstance(name, str) or not name:
            raise InputError(f"class {at} has {'no name' if name == '' else f'{name!r} for name'}")
        if any(category(letter) == "Cc" for letter in name):
            raise InputError(f"class {at} is {name!r}, with a control character")
        if name in first:
            raise InputError(f"classes {first[name]} and {at} have one name, {name!r}")
        first[name] = at
    if not names:
        raise InputError("it holds no names")
    return names


def _lines(text: str) -> list[str]:
    """Lines as editors know them; empty ones at the end are none."""
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n") if text else []


def _text(path: Path) -> str:
    try:
        content = read_ordinary(path)
        mark = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
        return content.decode(mark)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"class names {path} are not in UTF-8 (line {line}); save the file "
                         "as UTF-8") from None  # fmt: skip
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"class names {path} cannot be read ({reason}); give a text file with "
                         "one name a line") from None  # fmt: skip
