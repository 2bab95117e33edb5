"""Three-factor interactions: the sums of them that a set of cells shows, and what they hide in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Effect, Floats, columns
from nextify.findings.answers import DECIDED, Contribution, Interaction, Triple
from nextify.findings.cells import Cells
from nextify.findings.measure import Contrasts
from nextify.findings.model import Model, aliases
from nextify.findings.pairs import FALSE_DISCOVERIES

_SAME = 1e-7


@dataclass(frozen=True, eq=False, slots=True)
class Sum:
    """Three-factor terms whose part outside the two-factor model is the same.

    Attributes:
        terms: each with the sign at which it enters. weights: (c,) of the cells: 2 beta.
    """

    terms: tuple[tuple[Effect, int], ...]
    weights: Floats


def sums_of_triples(cells: Cells, pairs: Model) -> tuple[Sum, ...]:
    """Those that the cells show: contrasts orthogonal to the two-factor model."""
    which = _triples(pairs)
    if not which:
        return ()
    kept = np.asarray((pairs.inverse != 0).any(axis=0))  # which the model is fitted to
    table = np.where(kept[:, None], columns(cells.levels, which), 0.0)
    left = table - np.where(kept[:, None], pairs.matrix @ (pairs.inverse @ table), 0.0)
    size = np.sqrt(np.sum(left**2, axis=0))
    shown = np.flatnonzero(size > _SAME * np.sqrt(len(left)))
    alike = left[:, shown].T @ left[:, shown] / np.outer(size[shown], size[shown])
    found, seen = [], set[int]()
    for row, at in enumerate(shown.tolist()):
        if row in seen:
            continue
        same = np.flatnonzero(np.abs(alike[row]) > 1 - _SAME).tolist()
        seen.update(same)
        terms = tuple((which[shown[one]], 1 if alike[row, one] > 0 else -1) for one in same)
        found.append(Sum(terms, 2 * left[:, at] / size[at] ** 2))
    return tuple(found)


def triples(
    sums: Sequence[Sum],
    measured: Contrasts,
    factors: Sequence[Contribution],
    pairs: Sequence[Interaction],
    crossed: Sequence[str] = (),
) -> tuple[Triple, ...]:
    """The sums as answers, the largest first, with false discoveries controlled over all of them;
    `crossed`: what the columns after the factors' are.

    The first of a sum's terms is the one with the most of its factors and of its pairs of factors
    resolved (heredity: Chipman, Hamada and Wu 1997), then with the largest contributions.
    """
    names = [*(each.name for each in factors), *crossed]
    acting = {frozenset((one.name,)) for one in factors if one.answer in DECIDED}
    acting |= {frozenset((one.first, one.second)) for one in pairs if one.found}
    size = dict.fromkeys(names, 0.0)
    size |= {each.name: abs(each.estimate.value or 0.0) for each in factors}

    def plausible(term: tuple[Effect, int]) -> tuple[int, float]:
        three = [names[j] for j in term[0]]
        parents = (frozenset(each) for n in (1, 2) for each in combinations(three, n))
        return sum(each in acting for each in parents), sum(size[name] for name in three)

    found = []
    for at, each in enumerate(sums):
        (first, sign), *others = sorted(each.terms, key=plausible, reverse=True)
        turned = replace(measured, values=sign * measured.values)
        found.append(
            Triple(
                factors=tuple(names[j] for j in first),
                estimate=turned.estimate(at),
                aliased=tuple((tuple(names[j] for j in t), sign * s) for t, s in others),
            )
        )
    p = np.array([np.nan if one.estimate.p is None else one.estimate.p for one in found])
    if found and not np.isnan(p).any():
        q = scipy.stats.false_discovery_control(p).tolist()
        found = [
            replace(one, q=v, found=v < FALSE_DISCOVERIES) for one, v in zip(found, q, strict=True)
        ]
    return tuple(sorted(found, key=lambda one: -abs(one.estimate.value or 0.0)))


def hidden_triples(cells: Cells, pairs: Model, wanted: Floats) -> NDArray[np.bool_]:
    """(q,) whether combinations (q, p) of the two-factor model's coefficients hold three-factor
    ones that cannot be told from them."""
    which = _triples(pairs)
    if not which or not len(wanted):
        return np.zeros(len(wanted), dtype=np.bool_)
    return np.asarray(np.abs(wanted @ aliases(pairs, cells.levels, which)).max(axis=1) > _SAME)


def _triples(pairs: Model) -> list[Effect]:
    varied = np.flatnonzero(pairs.fixed == 0).tolist() if len(pairs.matrix) else []
    return list(combinations(varied, 3))
