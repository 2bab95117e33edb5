"""Is a plan the study that a file already holds? One file holds one study."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from nextify.records.plan import Cell, Plan


def first_difference(there: Plan, here: Plan) -> str | None:
    """The first difference between two plans that makes them different studies, in words.

    Seeds are not compared, nor what only describes: title, source, command, costs.

    >>> first_difference(there, here)  # doctest: +SKIP
    "recipe field 'epochs' of step 'ReLU to GELU' is 5 there and 10 here"
    """
    return next(_differences(there, here), None)


def united(there: Plan, here: Plan) -> Plan:
    """One plan for the seeds of both, which are otherwise the same study."""
    if set(there.seeds) <= set(here.seeds):
        return here
    if set(here.seeds) <= set(there.seeds):
        return replace(here, seeds=there.seeds, command=there.command)
    # Neither command alone makes the whole study any more; one after the other they do.
    known = there.command.split(" && ")
    command = " && ".join([*known, *([] if here.command in known else [here.command])])
    return replace(here, seeds=tuple(sorted({*there.seeds, *here.seeds})), command=command)


def _differences(there: Plan, here: Plan) -> Iterator[str]:
    yield from _one("the path", there.name, here.name)
    yield from _one("the precision", there.precision, here.precision)
    yield from _fields("of the data", "", *map(_telling_first, (there.data, here.data)))
    for at, (cell, other) in enumerate(zip(there.cells, here.cells, strict=False), start=1):
        yield from _one(f"step {at}", cell.name, other.name)
        yield from _cells(cell, other)
    yield from _one("the number of steps", len(there.cells), len(here.cells))


def _telling_first(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fingerprint last: whatever differs, it does too, and tells nothing."""
    return dict(sorted(data.items(), key=lambda field: field[0] == "fingerprint"))


def _cells(there: Cell, here: Cell) -> Iterator[str]:
    where = f"of step {there.name!r}"
    yield from _fields(where, "design ", asdict(there.design), asdict(here.design))
    yield from _fields(where, "recipe ", asdict(there.recipe), asdict(here.recipe))


def _fields(
    where: str, kind: str, there: Mapping[str, Any], here: Mapping[str, Any]
) -> Iterator[str]:
    for name in {**there, **here}:
        yield from _one(f"{kind}field {name!r} {where}", there.get(name), here.get(name))


def _one(what: str, there: Any, here: Any) -> Iterator[str]:
    if there != here:
        yield f"{what} is {there!r} there and {here!r} here"
