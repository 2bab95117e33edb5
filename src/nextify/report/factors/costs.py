"""What each factor adds to parameters, MACs and memory: exact, over all subsets, by arithmetic."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import geometric_mean

import numpy as np

from nextify.costs import Totals, totals
from nextify.designs import AnyDesign, Design, Path, path, require_convolutional
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.findings import exact_shapley
from nextify.fitting import match_cost
from nextify.records import Cell, Plan

_MOST_MATCHED = 1024  # subsets; rescaling widths takes milliseconds for each


@dataclass(frozen=True, slots=True)
class FactorCosts:
    """Shapley values of what a network costs for one image.

    Attributes:
        params, macs, training_bytes: (k,) what each factor adds, averaged over all orders;
            `training_bytes` is of the float32 activations that training keeps. Their sums are the
            end's costs less the start's.
        start, end: costs with no factor and with all factors made.
        subsets: how many designs were counted, 2^k.
    """

    params: tuple[float, ...]
    macs: tuple[float, ...]
    training_bytes: tuple[float, ...]
    start: Totals
    end: Totals
    subsets: int


def factor_costs(plan: Plan) -> FactorCosts | None:
    """Exact contributions to the costs, from the designs of all subsets of a plan's factors.

    The subsets that the plan has not are rebuilt from its start and the choices of its path; of a
    matched plan they are rescaled like its cells.

    Returns:
        None where the plan's own designs cannot be rebuilt so (another version's path, say), or
        where a subset cannot be rescaled.
    """
    designs = _subsets(plan)
    if designs is None:
        return None
    size, classes = int(plan.data["image_size"]), int(plan.data["classes"])
    counted = [totals(design, size, classes) for design in designs]
    each = exact_shapley(np.array(counted, dtype=np.float64)).T.tolist()
    params, macs, memory = map(tuple, each)
    return FactorCosts(params, macs, memory, counted[0], counted[-1], len(counted))


def _subsets(plan: Plan) -> list[Design] | None:
    """The designs of all subsets; bit j of the index says whether factor j is made."""
    cells = {frozenset(cell.made or ()): cell for cell in plan.cells}
    start = cells.get(frozenset())
    if start is None:
        return None
    try:
        along = _from_start(plan, start)
    except InputError:  # a path that this version does not know
        return None
    names = [factor.name for factor in plan.factors]
    sets = [
        frozenset(name for j, name in enumerate(names) if at >> j & 1)
        for at in range(1 << len(names))
    ]
    plain = [_made(plan, along, made) for made in sets]
    if not all(
        _alike(cells[made].design, design, plan)
        for made, design in zip(sets, plain, strict=True)
        if made in cells
    ):
        return None
    return _matched(plan, cells, sets, plain) if plan.matched else plain


def _from_start(plan: Plan, start: Cell) -> Path:
    """The path from the study's own start, its widths as they are before they are rescaled."""
    known = path(plan.name)
    design = require_convolutional(start.design, "a path")
    if plan.matched:
        design = with_fields(design, {"widths": known.start.widths})
    return replace(known, start=design)


def _made(plan: Plan, along: Path, made: Iterable[str]) -> Design:
    wanted = set(made)
    names = {c for factor in plan.factors if factor.name in wanted for c in factor.choices}
    return along.subset(at for at, choice in enumerate(along.choices) if choice.name in names)


def _alike(recorded: AnyDesign, rebuilt: Design, plan: Plan) -> bool:
    """Equal; in all but widths where the plan rescales them."""
    if plan.matched:
        recorded = require_convolutional(recorded, "a path")
        rebuilt = with_fields(rebuilt, {"widths": recorded.widths})
    return recorded == rebuilt


def _matched(
    plan: Plan,
    cells: dict[frozenset[str], Cell],
    sets: list[frozenset[str]],
    plain: list[Design],
) -> list[Design] | None:
    if len(sets) > _MOST_MATCHED or not plan.matched:
        return None
    goal = geometric_mean(
        cell.macs if plan.matched == "macs" else cell.params for cell in plan.cells
    )
    size, classes = int(plan.data["image_size"]), int(plan.data["classes"])
    try:
        return [
            require_convolutional(cells[made].design, "a path")
            if made in cells
            else match_cost([design], plan.matched, goal, image_size=size, classes=classes)[0]
            for made, design in zip(sets, plain, strict=True)
        ]
    except InputError:
        return None
