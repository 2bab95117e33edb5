"""From the rows of a study file to its plan and records."""

from pathlib import Path

from nextify.errors import InputError
from nextify.files import parse_json
from nextify.records.contents import STORED, Contents
from nextify.records.digests import PLAN, run_place
from nextify.records.plan import Plan, plan_from_dict
from nextify.records.record import Record
from nextify.records.rows import from_row


class NoPlan(InputError):
    """A file without a plan, or with one that cannot be believed."""


def plan_in(contents: Contents, path: Path) -> Plan:
    """The plan.

    Raises:
        NoPlan: there is none, or none that can be believed. InputError: it is another version's.
    """
    if contents.plan is None:
        if contents.is_broken or PLAN in contents.damaged:
            raise _without(contents, path, "its plan cannot be read")
        raise NoPlan(f"study file {path} holds no plan; start a study with it first")
    try:
        return plan_from_dict(parse_json(contents.plan.values[0]))
    except (ValueError, TypeError) as error:  # an InputError is a ValueError
        if PLAN in contents.unsealed:
            raise _without(contents, path, f"its plan is none: {error}") from None
        raise _other_version(path, "its plan", error) from None


def known_plan(contents: Contents, path: Path) -> Plan | None:
    """The plan; None where there is none that can be believed."""
    try:
        return plan_in(contents, path)
    except NoPlan:
        return None


def records_in(contents: Contents, path: Path) -> tuple[list[Record], list[str]]:
    """The records, and the places of rows without digests that make no sense.

    Raises:
        InputError: one is another version's.
    """
    cells: dict[str, tuple[str, ...]] = {}
    for row in contents.cells:
        cell, _, key = row.values
        cells[key] = (*cells.get(key, ()), cell)
    found, senseless = [], []
    for row in contents.runs:
        key = str(row.values[0])
        is_sealed = run_place(key) not in contents.unsealed
        told = dict(zip(STORED, row.values, strict=True))
        try:
            found.append(from_row(told, cells.get(key, ()), is_sealed=is_sealed))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if is_sealed:
                raise _other_version(path, f"run {key[:8]}", error) from None
            senseless.append(run_place(key))
    return found, senseless


def _without(contents: Contents, path: Path, why: str) -> NoPlan:
    return NoPlan(
        f"study file {path} is damaged: {why}; start the same study with this file again, which "
        f"writes the plan anew and keeps the {len(contents.runs)} runs that can be read"
    )


def _other_version(path: Path, what: str, error: Exception) -> InputError:
    return InputError(
        f"study file {path}: {what} was written by another version of nextify, and this one cannot "
        f"read it ({error}); use that version, or name another file"
    )
