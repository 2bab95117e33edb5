"""A `Record` as a row of the study file's table `runs`, and back, bit for bit.

Numbers are written as JSON with the shortest text that reads back as the same float64. A diverged
run's curve may hold NaN and infinities: they are written as Python's `json` does.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from nextify.files import parse_json
from nextify.records.record import (
    ClassCounts,
    EpochPoint,
    Measured,
    Record,
    Result,
    record_from_dict,
)

_AS_TOLD = ("key", "outcome", "message")
_AS_JSON = ("run", "result", "curve", "measured", "environment")
_RESULT = {field.name for field in fields(Result)}


def to_row(record: Record) -> dict[str, str | bytes | None]:
    """The values of the columns for a record, all but the time."""
    values = record.as_dict()
    if record.result is not None:
        values["result"]["correct"] = None  # its bits have a column
    return {
        "key": record.key,
        "outcome": record.outcome,
        **{name: None if values[name] is None else text(values[name]) for name in _AS_JSON},
        "correct": None if record.result is None else record.result.correct,
        # File names that are not Unicode reach messages as lone surrogates, which SQLite refuses.
        "message": record.message.encode(errors="backslashreplace").decode(),
    }


def from_row(row: Mapping[str, Any], cells: tuple[str, ...] = ()) -> Record:
    """The record that `to_row` described, of a row that can be believed.

    Args:
        cells: that it belongs to.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the row is another version's.
    """
    values = {name: json.loads(row[name] or "null") for name in _AS_JSON}
    result, measured = values["result"], values["measured"]
    if result is not None:
        known = {name: result[name] for name in _RESULT & set(result)}  # not a newer version's
        made = {"correct": row["correct"], "curve": _curve(result.get("curve", ()))}
        if "per_class" in known:
            made["per_class"] = ClassCounts(**_with_tuples(known["per_class"]))
        values["result"] = Result(**{**known, **made})
    if measured is not None:
        values["measured"] = Measured(**measured)
    told = {name: row[name] for name in _AS_TOLD}
    whole = {"run": _with_tuples(values["run"]), "curve": _curve(values["curve"]), "cells": cells}
    return Record(**{**told, **values, **whole})


def is_record(row: Mapping[str, Any]) -> bool:
    """Whether a row for which no digest vouches is one that `to_row` made, as far as can be seen
    where its values are looked at closely."""
    try:
        values = {name: parse_json(row[name] or "null") for name in _AS_JSON}
        if row["correct"] is not None:
            values["result"]["correct"] = row["correct"].hex()
        record_from_dict({**{name: row[name] for name in _AS_TOLD}, **values})
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _curve(points: Iterable[Mapping[str, Any]]) -> tuple[EpochPoint, ...]:
    return tuple(EpochPoint(**point) for point in points)


def text(value: Any) -> str:
    """Compact JSON; floats in the shortest form that reads back to the same bits."""
    return json.dumps(value, separators=(",", ":"))


def _with_tuples(value: Any) -> Any:
    """JSON knows no tuples, `Run.as_dict` no lists: a record read is equal to the one written."""
    match value:
        case list():
            return tuple(_with_tuples(item) for item in value)
        case dict():
            return {name: _with_tuples(item) for name, item in value.items()}
        case _:
            return value
