"""A `Record` as a row of the study file's table `runs`, and back, bit for bit.

Numbers are written as JSON with the shortest text that reads back as the same float64. A diverged
run's curve may hold NaN and infinities: they are written as Python's `json` does.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nextify.records.record import EpochPoint, Measured, Record, Result

COLUMNS = (
    "key",
    "outcome",
    "run",
    "result",
    "correct",
    "curve",
    "measured",
    "environment",
    "message",
)


def to_row(record: Record) -> dict[str, str | bytes | None]:
    """The values of `COLUMNS` for a record."""
    result, correct = record.result, None
    if result is not None:
        correct = result.correct
    return {
        "key": record.key,
        "outcome": record.outcome,
        "run": text(record.run),
        "result": None if result is None else text({**asdict(result), "correct": None}),
        "correct": correct,
        "curve": text([asdict(point) for point in record.curve]),
        "measured": None if record.measured is None else text(asdict(record.measured)),
        "environment": text(record.environment),
        # File names that are not Unicode reach messages as lone surrogates, which SQLite refuses.
        "message": record.message.encode(errors="backslashreplace").decode(),
    }


def from_row(row: Mapping[str, Any]) -> Record:
    """The record that `to_row` described.

    Raises:
        ValueError, KeyError, TypeError: the row is not one that `to_row` made.
    """
    measured = None if row["measured"] is None else Measured(**json.loads(row["measured"]))
    return Record(
        key=row["key"],
        run=_with_tuples(json.loads(row["run"])),
        outcome=row["outcome"],
        result=None if row["result"] is None else _result(row["result"], row["correct"]),
        curve=_curve(json.loads(row["curve"])),
        measured=measured,
        environment=json.loads(row["environment"]),
        message=row["message"],
    )


def text(value: Any) -> str:
    """Compact JSON; floats in the shortest form that reads back to the same bits."""
    return json.dumps(value, separators=(",", ":"))


def _result(values: str, correct: bytes) -> Result:
    fields = json.loads(values)
    return Result(**{**fields, "correct": correct, "curve": _curve(fields["curve"])})


def _curve(points: list[dict[str, Any]]) -> tuple[EpochPoint, ...]:
    return tuple(EpochPoint(**point) for point in points)


def _with_tuples(value: Any) -> Any:
    """JSON knows no tuples, `Run.as_dict` no lists: a record read is equal to the one written."""
    match value:
        case list():
            return tuple(_with_tuples(item) for item in value)
        case dict():
            return {name: _with_tuples(item) for name, item in value.items()}
        case _:
            return value
