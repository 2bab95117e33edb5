"""A `Record` as a row of the study file's table `runs`, and back, bit for bit.

Numbers are written as JSON with the shortest text that reads back as the same float64. A diverged
run's curve may hold NaN and infinities: they are written as Python's `json` does.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nextify.files import parse_json
from nextify.records.record import EpochPoint, Measured, Record, Result, record_from_dict

_AS_JSON = ("run", "result", "curve", "measured", "environment")
COLUMNS = ("key", "outcome", *_AS_JSON, "correct", "message")


def to_row(record: Record) -> dict[str, str | bytes | None]:
    """The values of `COLUMNS` for a record."""
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


def from_row(row: Mapping[str, Any], cells: tuple[str, ...] = (), *, is_sealed: bool) -> Record:
    """The record that `to_row` described.

    Args:
        cells: that it belongs to. is_sealed: whether a digest vouches for the row; without one its
            values are looked at closely.

    Raises:
        ValueError, KeyError, TypeError: the row is not one that `to_row` made.
    """
    parse = json.loads if is_sealed else parse_json
    values = {name: parse(row[name] or "null") for name in _AS_JSON}
    told = {name: row[name] for name in ("key", "outcome", "message")}
    values = {**told, **values, "run": _with_tuples(values["run"]), "cells": cells}
    if is_sealed:
        return _record({**values, "correct": row["correct"]})
    if row["correct"] is not None:
        values["result"]["correct"] = row["correct"].hex()
    return record_from_dict(values)


def _record(values: dict[str, Any]) -> Record:
    """A record of values that are known to be those of one."""
    result, measured, correct = values["result"], values["measured"], values.pop("correct")
    if result is not None:
        result = Result(**{**result, "correct": correct, "curve": _curve(result["curve"])})
    made = None if measured is None else Measured(**measured)
    curve = _curve(values["curve"])
    return Record(**{**values, "result": result, "curve": curve, "measured": made})


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
