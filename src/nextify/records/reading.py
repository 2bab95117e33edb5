"""From the rows of a study file to its plan and records."""

from pathlib import Path

from nextify.designs.values import from_values
from nextify.errors import InputError
from nextify.files import parse_json
from nextify.records.contents import Contents
from nextify.records.digests import PLAN
from nextify.records.history import History, Look, Registered
from nextify.records.measurement import Measurement
from nextify.records.measurement import from_row as measurement_from
from nextify.records.plan import Plan, plan_from_dict
from nextify.records.record import Record
from nextify.records.rows import from_row
from nextify.records.tables import COLUMNS


def plan_in(contents: Contents, path: Path) -> Plan:
    """The plan.

    Raises:
        InputError: there is none, or none that can be believed; it is another version's.
    """
    if contents.plan is None:
        if contents.is_broken or PLAN in contents.damaged:
            why = f" ({contents.fault})" if contents.fault else ""
            raise InputError(
                f"study file {path} is damaged: its plan cannot be read{why}; start the same study "
                f"with this file again, which writes the plan anew and keeps the "
                f"{len(contents.runs)} runs that can be read"
            )
        raise InputError(f"study file {path} holds no plan; start a study with it first")
    try:
        return plan_from_dict(parse_json(contents.plan.values[0]))
    except (ValueError, TypeError) as error:  # an InputError is a ValueError
        raise _other_version(path, "its plan", error) from None


def known_plan(contents: Contents, path: Path) -> Plan | None:
    """The plan; None where there is none that can be believed."""
    return plan_in(contents, path) if contents.plan else None


def records_in(contents: Contents, path: Path) -> list[Record]:
    """The records.

    Raises:
        InputError: one is another version's.
    """
    cells: dict[str, tuple[str, ...]] = {}
    for row in contents.cells:
        cell, _, key = row.values
        cells[key] = (*cells.get(key, ()), cell)
    found = []
    for row in contents.runs:
        told = dict(zip(COLUMNS, row.values, strict=True))
        key = str(told["key"])
        try:
            found.append(from_row(told, cells.get(key, ())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _other_version(path, f"run {key[:8]}", error) from None
    return found


def history_in(contents: Contents, path: Path) -> History:
    """What was settled before the first run and since, and the looks.

    Raises:
        InputError: a row is another version's.
    """
    registered, looks, last = list[Registered](), list[Look](), 0
    lost = [place.split(" ") for place in contents.damaged if place.startswith("history ")]
    rows = [row.values[:-1] for row in contents.history]
    rows += [(kind, int(number), "", "") for _, number, kind in lost if number.isdigit()]
    for kind, _, at, told in sorted(rows):
        if not told:
            last += kind == "look"
            continue
        try:
            values = {**parse_json(told), "at": at}
            match kind:
                case "plan":
                    registered.append(from_values(Registered, values, grows=(Registered,)))
                case "look":
                    looks.append(from_values(Look, values, grows=(Look,)))
                    last = looks[-1].number
        except (ValueError, TypeError) as error:
            raise _other_version(path, f"a row of its history ({kind})", error) from None
    return History(tuple(registered), tuple(looks), len(rows) - len(registered) - len(looks), last)


def measurements_in(contents: Contents, path: Path) -> dict[str, dict[str, Measurement]]:
    """What probes found, by the run's key and the probe's name.

    Raises:
        InputError: a row is another version's.
    """
    found: dict[str, dict[str, Measurement]] = {}
    for row in contents.probes:
        key, probe, *_ = row.values
        try:
            found.setdefault(key, {})[probe] = measurement_from(row.values[:-1])
        except (ValueError, TypeError) as error:
            raise _other_version(path, f"what {probe} found of a run", error) from None
    return found


def _other_version(path: Path, what: str, error: Exception) -> InputError:
    return InputError(
        f"study file {path}: {what} was written by another version of nextify, and this one cannot "
        f"read it ({error}); use that version, or name another file"
    )
