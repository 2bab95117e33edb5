"""What a choice adds at each setting of what is crossed with the choices: simple effects.

With levels of +1 and -1 for the second and the first setting, x_i, choice j adds

    2 beta_j + 2 beta_ij x_i

and the difference between the two settings is 4 beta_ij, an interaction. A factor that is crossed
has a main effect of its own, which is nobody's contribution.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from nextify.designs import Nuisance
from nextify.experiments.coding import Floats, Levels
from nextify.experiments.intervals import Interval
from nextify.findings.answers import Crossed, Estimate, SimpleEffect
from nextify.findings.measure import Contrasts
from nextify.findings.model import Model, aliases


def crossed(
    nuisances: Sequence[Nuisance],
    factors: Sequence[str],
    pairs: Model,
    levels: Levels,
    measured: Callable[[Floats], Contrasts],
    together: Callable[[Contrasts], Sequence[Interval | None]],
) -> tuple[Crossed, ...]:
    """Each thing that is crossed, with the factors' simple effects.

    Args:
        factors: names, in the order of the model's first columns; the nuisances' are the next.
        pairs: the two-factor model. levels: of its cells. measured: of weights (q, c) of the
            cells' means.
        together: intervals of all differences between settings that hold at once.
    """
    count, last = len(factors), range(len(factors), len(factors) + len(nuisances))
    mains = 2 * pairs.unit([(j,) for j in range(count)] * len(nuisances))
    changes = 4 * pairs.unit([(j, at) for at in last for j in range(count)])
    own = 2 * pairs.unit([(at,) for at in last])
    first, second, change, effect = (
        _estimates(pairs, measured, rows)
        for rows in (mains - changes / 2, mains + changes / 2, changes, own)
    )
    known = pairs.estimable(changes)
    mixed = iter(_aliased(pairs, levels, factors, changes[known]))
    within = iter(together(measured(pairs.weights(changes[known]))) if known.any() else ())
    rows = [
        SimpleEffect(name, low, high, by, *((next(within), next(mixed)) if on else (None, ())))
        for name, low, high, by, on in zip(
            [*factors] * len(nuisances), first, second, change, known, strict=True
        )
    ]
    return tuple(
        Crossed(each.name, each.settings, effect[at], tuple(rows[at * count : (at + 1) * count]))
        for at, each in enumerate(nuisances)
    )


def _aliased(
    pairs: Model, levels: Levels, factors: Sequence[str], changes: Floats
) -> Iterator[tuple[tuple[str, ...], ...]]:
    """For each of the changes, the interactions of three factors that enter it by half or more."""
    triples = list(combinations(range(len(factors)), 3))
    if not triples:
        yield from [()] * len(changes)
        return
    shares = np.abs(changes @ aliases(pairs, levels, triples)) >= np.abs(changes).max() / 2
    for row in shares:
        yield tuple(tuple(factors[j] for j in triples[at]) for at in np.flatnonzero(row))


def _estimates(
    pairs: Model, measured: Callable[[Floats], Contrasts], rows: Floats
) -> tuple[Estimate, ...]:
    """One for each of the (q, p) combinations of coefficients."""
    known = pairs.estimable(rows)
    return measured(pairs.weights(rows[known])).estimates(known)
