"""Is a plan the study that a file already holds? One file holds one study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from nextify.designs.run import same_images, telling, what_ran
from nextify.records.plan import Cell, Plan
from nextify.records.record import Record
from nextify.words import listed


def first_difference(there: Plan, here: Plan) -> str | None:
    """The first difference between two plans that makes them different studies, in words.

    Seeds are not compared, nor what only describes: title, source, command, costs.

    >>> first_difference(there, here)  # doctest: +SKIP
    "recipe field 'epochs' of step 'ReLU to GELU' is 5 there and 10 here"
    """
    return next(_differences(there, here), None)


def are_of(plan: Plan, records: Sequence[Record]) -> bool:
    """Whether records can be those of a plan: some are, by what ran, and none of another run has
    the place of one of its cells."""
    if not records:
        return True
    known = {what_ran(plan.run(cell, seed).as_dict()) for cell, seed in plan.places()}
    names = {cell.name for cell in plan.cells}
    ours = [what_ran(record.run) in known for record in records]
    claimed = (
        not is_ours and record.seed in plan.all_seeds and names & set(record.cells)
        for is_ours, record in zip(ours, records, strict=True)
    )
    return any(ours) and not any(claimed)


def united(there: Plan, here: Plan) -> Plan:
    """One plan for the cells and seeds of both, which are otherwise the same study. The images keep
    the name that they had there, which is in the keys of the runs."""
    probes = tuple(dict.fromkeys((*there.probes, *here.probes)))
    here = replace(here, data=there.data, data_source=there.data_source, probes=probes)
    if _holds(here, there):
        return here
    if _holds(there, here):
        parts = {name: getattr(there, name) for name in ("cells", "seeds", "experiment", "orders")}
        return replace(here, **parts, **_asked(there))
    # Neither request alone makes the whole study any more; one after the other they do.
    return replace(here, **_joined(there, here), **_asked(there, here))


def _asked(*plans: Plan) -> dict[str, Any]:
    """What was asked for, by all plans in turn, each thing once."""
    requests = dict.fromkeys(each for plan in plans for each in plan.requests)
    lines = dict.fromkeys(line for plan in plans for line in plan.command.split(" && ") if line)
    return {"requests": tuple(requests), "command": " && ".join(lines)}


def _holds(large: Plan, small: Plan) -> bool:
    """Whether all runs of one plan are in the other, which is of the same kind."""
    cells = {cell.name: large.seeds_of(cell) for cell in large.cells}
    return large.experiment == small.experiment and all(
        set(small.seeds_of(cell)) <= set(cells.get(cell.name, ())) for cell in small.cells
    )


def _joined(there: Plan, here: Plan) -> dict[str, Any]:
    """The cells of two experiments on the same factors, those there and then the new ones, with
    the seeds of both."""
    cells = {cell.name: cell for cell in there.cells}
    for cell in here.cells:
        old = cells.get(cell.name)
        more = (*cell.more_seeds, *(old.more_seeds if old else ()))
        cells[cell.name] = replace(cell, more_seeds=tuple(sorted(set(more))))
    same = there.experiment == here.experiment
    return {
        "cells": tuple(cells.values()),
        "seeds": tuple(sorted({*there.seeds, *here.seeds})),
        "experiment": here.experiment if same else "augmented",
        "orders": tuple(dict.fromkeys((*there.orders, *here.orders))),
    }


def _differences(there: Plan, here: Plan) -> Iterator[str]:
    kinds = {there.experiment, here.experiment}
    if kinds & {"path", "comparison"}:  # experiments on the same factors may be joined
        yield from _one("the experiment", there.experiment, here.experiment)
    yield from _one("the path", there.name, here.name)
    yield from _one("--hold-out", *("no" if not p.held_out else "yes" for p in (there, here)))
    yield from _one("the precision", there.precision, here.precision)
    yield from _one("the number of networks in a stack (--copies)", there.copies, here.copies)
    yield from _fields("of the data", "", *_told(there.data, here.data))
    if "path" in kinds:
        yield from _steps(there, here)
    else:
        yield from _one("what is matched", there.matched or "nothing", here.matched or "nothing")
        yield from _one("the factors", *map(_factors, (there, here)))
        yield from _one("--cross", *map(_crossed, (there, here)))
        yield from _one("--tune-rate", *(listed([f"{r:g}" for r in p.tuned]) or "none"
                                         for p in (there, here)))  # fmt: skip
        yield from _common_cells(there, here)
        yield from _networks(there, here)


def _steps(there: Plan, here: Plan) -> Iterator[str]:
    for at, (cell, other) in enumerate(zip(there.cells, here.cells, strict=False), start=1):
        yield from _one(f"step {at}", cell.name, other.name)
        yield from _cells(cell, other)
    yield from _one("the number of steps", len(there.cells), len(here.cells))


def _common_cells(there: Plan, here: Plan) -> Iterator[str]:
    """Experiments on the same factors may be joined, cell by cell."""
    cells = {cell.name: cell for cell in there.cells}
    for cell in here.cells:
        if cell.name in cells:
            yield from _cells(cells[cell.name], cell)


def _networks(there: Plan, here: Plan) -> Iterator[str]:
    """Equal networks under two names would be taken for two, with equal runs."""
    names = {_what(cell): cell.network for cell in there.cells}
    for cell in here.cells:
        name = names.get(_what(cell), cell.network)
        yield from _one("the name of one network", name, cell.network)


def _what(cell: Cell) -> tuple[Any, ...]:
    """All that makes its runs other runs than those of another cell."""
    return cell.design, cell.recipe, cell.images, _weights(cell)


def _weights(cell: Cell) -> str:
    return "none" if cell.initial is None else cell.initial.fingerprint


def _factors(plan: Plan) -> str:
    return ", ".join(f"{f.name} = {' + '.join(f.choices)}" for f in plan.factors)


def _crossed(plan: Plan) -> str:
    return ",".join(map(str, plan.crossed)) or "none"


def _told(
    there: Mapping[str, Any], here: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What tells images apart: of the same ones not the name, which may change; the fingerprint
    last: whatever differs, it does too, and tells nothing."""
    are_same = same_images(there, here)
    told = ((telling(data) if are_same else data) for data in (there, here))
    first, second = (dict(sorted(d.items(), key=lambda f: f[0] == "fingerprint")) for d in told)
    return first, second


def _cells(there: Cell, here: Cell) -> Iterator[str]:
    where = f"of step {there.name!r}"
    yield from _fields(where, "design ", asdict(there.design), asdict(here.design))
    yield from _fields(where, "recipe ", asdict(there.recipe), asdict(here.recipe))
    yield from _one(f"the number of training images {where}", there.images, here.images)
    yield from _one(f"the seed of the draws of images {where}", there.draws, here.draws)
    what = f"the fingerprint of the weights to start from {where}"
    yield from _one(what, _weights(there), _weights(here))


def _fields(
    where: str, kind: str, there: Mapping[str, Any], here: Mapping[str, Any]
) -> Iterator[str]:
    for name in {**there, **here}:
        yield from _one(f"{kind}field {name!r} {where}", there.get(name), here.get(name))


def _one(what: str, there: Any, here: Any) -> Iterator[str]:
    if there != here:
        yield f"{what} is {there!r} there and {here!r} here"
