"""Which weighted sums of the cells' means are the contributions: chosen by what the cells allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Effect, Floats, Levels
from nextify.findings.model import Model, aliases, model
from nextify.findings.shapley import exact_weights, marginal_weights, pairs_of, stops

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
        weights: (k, c) of the k choices. known: (k,) whether a contribution can be told.
        pairs: the two-factor model of the same cells, for interactions and predictions.
        lost_orders: how many sampled orders pass through a cell without a score.
        confounded: factors that vary, but that the cells cannot tell from other factors.
        mixed: factors, each with the interactions that it cannot be told from.
        tables, groups: what each factor adds in each order, and the independent groups of orders.
    """

    method: Method
    weights: Floats
    known: NDArray[np.bool_]
    pairs: Model
    lost_orders: int = 0
    confounded: tuple[int, ...] = ()
    mixed: tuple[tuple[int, tuple[Effect, ...]], ...] = ()
    tables: Floats | None = None
    groups: tuple[tuple[int, ...], ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether the contributions' sum is v(all) - v(none) by construction."""
        return self.method in ("all subsets", "sampled orders")


def basis(
    levels: Levels, rate: Floats, orders: Sequence[Sequence[int]] = (), crossed: int = 0
) -> Basis:
    """The best reading that the cells allow.

    Args:
        levels: (c, k + crossed) of the cells with a score. rate: (c,).
        orders: sampled ones, as indices of factors, where the plan is made of them.
        crossed: how many of the last columns are no choices: what a choice adds is averaged over
            their levels.
    """
    count, k = len(levels), levels.shape[1] - crossed
    pairs = model(levels, rate, 2, crossed)
    none = Basis("none", np.zeros((k, count)), np.zeros(k, bool), pairs)
    if not count:
        return none
    settings = np.column_stack([rate, levels[:, k:]])
    by_rate = [
        np.flatnonzero((settings == each).all(axis=1)) for each in np.unique(settings, axis=0)
    ]
    return (
        _all_subsets(none, levels[:, :k], by_rate)
        or _sampled(none, levels[:, :k], by_rate, orders)
        or _two_factor(none)
        or _main_effects(none, levels, rate)
    )


def _all_subsets(none: Basis, levels: Levels, by_rate: Sequence[NDArray[np.int64]]) -> Basis | None:
    """Exact at each learning rate, averaged over the rates."""
    varied = none.pairs.fixed[: levels.shape[1]] == 0
    if not varied.any() or any(len(cells) != 1 << varied.sum() for cells in by_rate):
        return None
    weights = np.zeros_like(none.weights)
    for cells in by_rate:
        weights[np.ix_(varied, cells)] = exact_weights(levels[cells][:, varied]) / len(by_rate)
    return replace(none, method="all subsets", weights=weights, known=varied)


def _sampled(
    none: Basis,
    levels: Levels,
    by_rate: Sequence[NDArray[np.int64]],
    orders: Sequence[Sequence[int]],
) -> Basis | None:
    made = [frozenset(np.flatnonzero(row > 0).tolist()) for row in levels]
    places = [{made[at]: at for at in cells.tolist()} for cells in by_rate]
    kept = [o for o in orders if all(stop in place for place in places for stop in stops(o))]
    if not kept:
        return None
    tables = np.mean([marginal_weights(kept, place, len(levels)) for place in places], axis=0)
    return replace(
        none,
        method="sampled orders",
        weights=tables.mean(axis=0),
        known=~none.known,
        lost_orders=len(orders) - len(kept),
        tables=tables,
        groups=pairs_of(kept),
    )


def _two_factor(none: Basis) -> Basis | None:
    pairs, varied = none.pairs, none.pairs.fixed[: len(none.known)] == 0
    wanted = 2 * pairs.unit([(factor,) for factor in range(len(varied))])
    if not varied.any() or not pairs.estimable(wanted[varied]).all():
        return None
    weights = np.where(varied[:, None], pairs.weights(wanted), 0.0)
    return replace(none, method="two-factor model", weights=weights, known=varied)


def _main_effects(none: Basis, levels: Levels, rate: Floats) -> Basis:
    """Main effects alone: of those factors that these cells can tell."""
    main = model(levels, rate, 1, levels.shape[1] - len(none.known))
    count = len(none.known)
    wanted = 2 * main.unit([(factor,) for factor in range(count)])
    known = main.estimable(wanted)
    confounded = tuple(np.flatnonzero(~known & (main.fixed[:count] == 0)).tolist())
    if not known.any():
        return replace(none, confounded=confounded)
    two = [term for term in none.pairs.terms if len(term) == 2]
    told = np.flatnonzero(known).tolist()
    shares = np.abs(wanted[told] @ aliases(main, levels, two)) > _ALIASED
    each = (
        (j, tuple(two[at] for at in np.flatnonzero(row)))
        for j, row in zip(told, shares, strict=True)
    )
    return replace(
        none,
        method="main effects",
        weights=np.where(known[:, None], main.weights(wanted), 0.0),
        known=known,
        confounded=confounded,
        mixed=tuple((j, pairs) for j, pairs in each if pairs),
    )
