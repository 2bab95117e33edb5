"""Two-factor interactions that a set of cells can tell, alone or as a sum of aliased ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from nextify.experiments.coding import Effect, Floats
from nextify.findings.answers import DECIDED, Contribution, Interaction
from nextify.findings.measure import Contrasts
from nextify.findings.model import Model

FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """Pairs of factors whose interactions enter every cell alike, so that only their sum shows.

    Attributes:
        first: the pair that names the group. others: (pair, sign) of the rest.
        combination: (p,) of the model's coefficients: 4 times the signed sum.
    """

    first: Effect
    others: tuple[tuple[Effect, int], ...]
    combination: Floats


def groups_of_pairs(pairs: Model, choices: int) -> tuple[tuple[Group, ...], int]:
    """The groups that the cells can tell, and the number of pairs of which they say nothing; of
    pairs of choices, which are the first columns, alone or in a sum with others."""
    which = [term for term in pairs.terms if len(term) == 2]
    of_choices = sum(max(term) < choices for term in which)
    if not len(pairs.matrix):
        return (), of_choices
    fitted = pairs.inverse.any(axis=0)  # ends beside a fraction would tell aliases apart
    table = pairs.matrix[fitted][:, [pairs.terms.index(term) for term in which]]
    alike = np.round(table.T @ table / len(table), 9)
    groups, seen = [], set[int]()
    for at, term in enumerate(which):
        if at in seen:
            continue
        same = [other for other in range(at, len(which)) if abs(alike[at, other]) == 1.0]
        seen.update(same)
        signs = [int(alike[at, other]) for other in same]
        units = 4 * pairs.unit([which[other] for other in same])
        combination = np.asarray(signs, dtype=np.float64) @ units
        held = any(max(which[other]) < choices for other in same)
        if held and pairs.estimable(combination[None])[0]:
            others = tuple((which[o], s) for o, s in zip(same[1:], signs[1:], strict=True))
            groups.append(Group(term, others, combination))
    told = [pair for group in groups for pair in (group.first, *(one for one, _ in group.others))]
    return tuple(groups), of_choices - sum(max(pair) < choices for pair in told)


def interactions(
    groups: Sequence[Group],
    measured: Contrasts,
    factors: Sequence[Contribution],
    with_triples: Sequence[bool],
    crossed: Sequence[str] = (),
) -> tuple[Interaction, ...]:
    """The groups as answers, with false discoveries controlled over all of them; `crossed`: what
    the columns after the factors' are."""
    names = [*(each.name for each in factors), *crossed]
    resolved = [*(each.answer in DECIDED for each in factors), *(False for _ in crossed)]
    found = tuple(
        Interaction(
            first=names[group.first[0]],
            second=names[group.first[1]],
            estimate=measured.estimate(at),
            aliased=tuple((names[a], names[b], sign) for (a, b), sign in group.others),
            heredity=sum(resolved[at] for at in group.first),
            with_triples=bool(with_triples[at]),
        )
        for at, group in enumerate(groups)
    )
    p = [each.estimate.p for each in found]
    if not found or any(value is None for value in p):
        return found
    adjusted = scipy.stats.false_discovery_control(np.array(p, dtype=np.float64))
    return tuple(
        replace(each, q=float(q), found=bool(q < FALSE_DISCOVERIES))
        for each, q in zip(found, adjusted, strict=True)
    )
