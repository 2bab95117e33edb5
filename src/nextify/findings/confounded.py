"""What a screening of resolution IV cannot tell apart, because it enters every cell alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nextify.experiments.coding import Effect, Levels, columns, levels_of
from nextify.records.plan import Plan


@dataclass(frozen=True, slots=True)
class Confounded:
    """Effects of a screening that look alike, by the factors' names.

    Attributes:
        sums: groups of pairs whose interactions show only as a sum.
        hidden: factors, each with the threes whose interaction looks like its own effect.
    """

    sums: tuple[tuple[tuple[str, ...], ...], ...]
    hidden: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]


def confounded(plan: Plan) -> Confounded | None:
    """What a screening cannot tell apart; None of other experiments, and where it can tell all main
    effects and all two-factor interactions apart."""
    if plan.experiment != "resolution-4":
        return None
    names = [factor.name for factor in plan.factors]
    levels = levels_of(names, [cell.made or () for cell in plan.cells])
    at_all = range(len(names))
    pairs, triples = (list(combinations(at_all, size)) for size in (2, 3))

    def named(which: Sequence[Effect]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(names[factor] for factor in each) for each in which)

    groups = {tuple(_alike(levels, pair, pairs)) for pair in pairs}
    sums = tuple(named(group) for group in sorted(groups) if len(group) > 1)
    hidden = tuple(
        (names[at], named(same)) for at in at_all if (same := _alike(levels, (at,), triples))
    )
    return Confounded(sums, hidden) if sums or hidden else None


def _alike(levels: Levels, one: Effect, others: Sequence[Effect]) -> list[Effect]:
    """Those of the others that enter all cells as one does, or with the opposite sign."""
    if not others:
        return []
    overlap = np.abs(columns(levels, [one]).T @ columns(levels, others))[0]
    return [other for other, same in zip(others, overlap == len(levels), strict=True) if same]
