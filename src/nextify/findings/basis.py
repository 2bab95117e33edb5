"""Which weighted sums of the cells' means are the contributions: chosen by what the cells allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Effect, Floats
from nextify.findings.model import Model, aliases, model
from nextify.findings.shapley import exact_weights, marginal_weights, pairs_of

Method = Literal["all subsets", "sampled orders", "two-factor model", "main effects", "none"]

_ALIASED = 1e-7


@dataclass(frozen=True, eq=False, slots=True)
class Basis:
    """How contributions are read off c cells.

    Attributes:
        method: `"all subsets"`: exact Shapley values; `"sampled orders"`: their estimate from
            permutations; `"two-factor model"`: main effects, which are the Shapley values where
            no interaction of three or more factors matters; `"main effects"`: of a plan that
            cannot tell them from interactions; `"none"`.
        weights: (k, c). known: (k,) whether a factor's contribution can be told.
        pairs: the two-factor model of the same cells, for interactions and predictions.
        notes: what cannot be said, in sentences.
        tables, groups: what each factor adds in each order, and the independent groups of orders.
    """

    method: Method
    weights: Floats
    known: NDArray[np.bool_]
    pairs: Model
    notes: tuple[str, ...] = ()
    tables: Floats | None = None
    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether the contributions' sum is v(all) - v(none) by construction."""
        return self.method in ("all subsets", "sampled orders")


def basis(
    names: Sequence[str],
    levels: NDArray[np.int8],
    rate: Floats,
    orders: Sequence[Sequence[int]] = (),
) -> Basis:
    """The best reading that the cells allow.

    Args:
        names: of the k factors. levels: (c, k) of the cells with a score. rate: (c,).
        orders: sampled ones, as indices of factors, where the plan is made of them.
    """
    pairs = model(levels, rate, 2)
    none = Basis("none", np.zeros((len(names), len(levels))), np.zeros(len(names), bool), pairs)
    if not len(levels):
        return none
    none = replace(none, notes=_never_varied(names, none.pairs.fixed))
    return (
        _all_subsets(none, levels, rate)
        or _sampled(none, levels, rate, orders)
        or _two_factor(none)
        or _main_effects(none, names, levels, rate)
    )


def _per_rate(levels: NDArray[np.int8], rate: Floats) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(rate == value) for value in np.unique(rate)]


def _all_subsets(none: Basis, levels: NDArray[np.int8], rate: Floats) -> Basis | None:
    """Exact at each learning rate, averaged over the rates."""
    groups = _per_rate(levels, rate)
    varied = none.pairs.fixed == 0
    if not varied.any() or any(len(group) != 1 << varied.sum() for group in groups):
        return None
    weights = np.zeros_like(none.weights)
    for group in groups:
        weights[np.ix_(varied, group)] = exact_weights(levels[group][:, varied]) / len(groups)
    return replace(none, method="all subsets", weights=weights, known=varied)


def _sampled(
    none: Basis, levels: NDArray[np.int8], rate: Floats, orders: Sequence[Sequence[int]]
) -> Basis | None:
    if not orders:
        return None
    used: set[int] = set(range(len(orders)))
    groups = _per_rate(levels, rate)
    places = [{_made(levels[at]): int(at) for at in g} for g in groups]
    for place in places:
        used &= set(marginal_weights(orders, place, len(levels))[1])
    kept = [orders[at] for at in sorted(used)]
    if not kept:
        return None
    tables = np.mean([marginal_weights(kept, place, len(levels))[0] for place in places], axis=0)
    lost = len(orders) - len(kept)
    note = f"{lost} of {len(orders)} sampled orders were left out: a run on them has no score"
    return replace(
        none,
        method="sampled orders",
        weights=tables.mean(axis=0),
        known=~none.known,
        notes=(*none.notes, note) if lost else none.notes,
        tables=tables,
        groups=pairs_of(kept),
    )


def _made(levels: NDArray[np.int8]) -> frozenset[int]:
    return frozenset(np.flatnonzero(levels > 0).tolist())


def _two_factor(none: Basis) -> Basis | None:
    pairs, count = none.pairs, len(none.known)
    wanted = 2 * pairs.unit([(j,) for j in range(count)])
    varied = pairs.fixed == 0
    if not varied.any() or not pairs.estimable(wanted[varied]).all():
        return None
    weights = np.where(varied[:, None], pairs.weights(wanted), 0.0)
    return replace(none, method="two-factor model", weights=weights, known=varied)


def _main_effects(
    none: Basis, names: Sequence[str], levels: NDArray[np.int8], rate: Floats
) -> Basis:
    """Main effects alone: of those factors that these cells can tell."""
    count = len(names)
    main = model(levels, rate, 1)
    wanted = 2 * main.unit([(j,) for j in range(count)])
    known = main.estimable(wanted)
    lost = (~known & (main.fixed == 0)).nonzero()[0].tolist()
    notes = [
        *none.notes,
        *(f"{names[j]}: these cells cannot tell it from the other factors" for j in lost),
    ]
    if not known.any():
        return replace(none, notes=tuple(notes))
    two = [term for term in none.pairs.terms if len(term) == 2]
    told = known.nonzero()[0].tolist()
    mixed = np.abs(wanted[told] @ aliases(main, levels, two)) > _ALIASED
    notes += _mixed(names, told, two, mixed)
    weights = np.where(known[:, None], main.weights(wanted), 0.0)
    return replace(none, method="main effects", weights=weights, known=known, notes=tuple(notes))


def _mixed(
    names: Sequence[str], told: Sequence[int], two: Sequence[Effect], mixed: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Which interactions a contribution cannot be told from; one sentence if most are the same."""
    if mixed.any(axis=1).sum() > 3:
        return (
            "contributions cannot be told from interactions in these cells: each is what the "
            "choices add to these designs, not an average over what else is made",
        )
    found = []
    for j, row in zip(told, mixed, strict=True):
        which = [f"{names[a]} x {names[b]}" for (a, b), on in zip(two, row, strict=True) if on]
        more = f" and {len(which) - 3} more" if len(which) > 3 else ""
        if which:
            found.append(
                f"{names[j]}: its contribution cannot be told from interactions "
                f"({', '.join(which[:3])}{more}) in these cells"
            )
    return tuple(found)


def _never_varied(names: Sequence[str], fixed: NDArray[np.int8]) -> tuple[str, ...]:
    return tuple(
        f"{names[j]}: {'always' if fixed[j] > 0 else 'never'} made in the runs that have a score, "
        "so nothing can be said of its contribution, and the others' are of designs "
        f"{'with' if fixed[j] > 0 else 'without'} it"
        for j in fixed.nonzero()[0].tolist()
    )
