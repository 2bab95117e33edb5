"""What each factor adds to parameters, MACs and memory: exact, over all subsets, by arithmetic."""

from dataclasses import dataclass, replace
from statistics import geometric_mean

import numpy as np

from nextify.costs import Totals, totals
from nextify.designs import Design, path, require_convolutional
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.findings import exact_shapley
from nextify.fitting import match_cost
from nextify.records import Plan

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
    size, classes = int(plan.data["image_size"]), int(plan.data["classes"])
    try:
        designs = _subsets(plan, size, classes)
    except InputError:  # a path that this version does not know, widths that cannot be rescaled
        return None
    if not designs:
        return None
    counted = [totals(design, size, classes) for design in designs]
    each = exact_shapley(np.array(counted, dtype=np.float64)).T.tolist()
    params, macs, memory = map(tuple, each)
    return FactorCosts(params, macs, memory, counted[0], counted[-1], len(counted))


def _subsets(plan: Plan, size: int, classes: int) -> list[Design]:
    """The designs of all subsets; bit j of the index says whether factor j is made. None where the
    plan's own designs are others, or too many would have to be rescaled."""
    sets = (frozenset(cell.made or ()) for cell in plan.cells)
    designs = (require_convolutional(cell.design, "a path") for cell in plan.cells)
    cells = dict(zip(sets, designs, strict=True))
    if (start := cells.get(frozenset())) is None:
        return []
    plain = _rebuilt(plan, start)
    alike = all(_alike(cells[made], one, plan) for made, one in plain.items() if made in cells)
    if not alike or (plan.matched and len(plain) > _MOST_MATCHED):
        return []
    if not plan.matched:
        return list(plain.values())
    goal = geometric_mean(getattr(cell, plan.matched) for cell in plan.cells)
    return [
        cells[made]
        if made in cells
        else match_cost([design], plan.matched, goal, image_size=size, classes=classes)[0]
        for made, design in plain.items()
    ]


def _rebuilt(plan: Plan, start: Design) -> dict[frozenset[str], Design]:
    """All subsets along the path from the study's own start, its widths before they are rescaled,
    by the factors made."""
    known = path(plan.name)
    if plan.matched:
        start = with_fields(start, {"widths": known.start.widths})
    along = replace(known, start=start)
    places = {choice.name: at for at, choice in enumerate(along.choices)}
    found = {}
    for number in range(1 << len(plan.factors)):
        made = [factor for j, factor in enumerate(plan.factors) if number >> j & 1]
        chosen = (places[c] for factor in made for c in factor.choices if c in places)
        found[frozenset(factor.name for factor in made)] = along.subset(chosen)
    return found


def _alike(recorded: Design, rebuilt: Design, plan: Plan) -> bool:
    """Equal; in all but widths where the plan rescales them."""
    if plan.matched:
        rebuilt = with_fields(rebuilt, {"widths": recorded.widths})
    return recorded == rebuilt
