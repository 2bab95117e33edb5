"""How precise a plan's answer will be, before it is run: standard errors in units of sigma.

sigma is the standard deviation between runs of the same cell with other seeds.
"""

from collections.abc import Sequence

import numpy as np
import scipy

from nextify.experiments.coding import Effect, Floats, Levels, effects, model_matrix
from nextify.experiments.intervals import upper

_RANK = 1e-9  # singular values below this part of the largest are rounding


def estimable(levels: Levels, order: int = 2) -> tuple[Effect, ...]:
    """The effects of up to `order` factors that these cells can estimate, all others unknown.

    >>> from nextify.experiments.fractions import fraction, SCREEN
    >>> len(estimable(fraction(8, SCREEN)))  # the mean and the main effects
    9
    >>> estimable(fraction(3, SCREEN)[:4])  # the third factor never made
    ((0, 1),)
    >>> estimable(fraction(3, SCREEN)[:4], 1)
    ((0,), (1,))
    """
    _, sizes, rows = np.linalg.svd(model_matrix(levels, order), full_matrices=False)
    known = np.sum(np.square(rows[sizes > _RANK * sizes[0]]), axis=0)
    terms = effects(levels.shape[1], order)
    return tuple(each for each, part in zip(terms, known, strict=True) if part > 1 - 1e-8)


def standard_error(levels: Levels, runs: int | Sequence[int] = 1, order: int = 2) -> Floats | None:
    """Standard errors of the factors' effects, mean(+1) - mean(-1), by ordinary least squares.

    An effect is twice its coefficient, so it is 2 sqrt((X'X)^-1), and 2 / sqrt(runs) in an
    orthogonal plan.

    Args:
        levels: (cells, k).
        runs: of every cell, or of each.
        order: of the effects in the fit: 1 trusts that there are no interactions.

    Returns:
        (k,), in units of sigma; None where the cells do not tell a main effect from other effects.

    >>> from nextify.experiments.fractions import fraction, ATTRIBUTE
    >>> standard_error(fraction(8, ATTRIBUTE), runs=2).round(3).tolist()[:2]
    [0.177, 0.177]
    """
    k = levels.shape[1]
    if set(effects(k, 1)[1:]) - set(estimable(levels, order)):
        return None
    x = model_matrix(levels, order)
    weighted = x * np.broadcast_to(runs, len(levels))[:, None]
    # Where interactions are aliased with each other, the generalised inverse still gives the
    # variance of the main effects, which are estimable.
    inverse = np.linalg.pinv(x.T @ weighted, rcond=1e-10, hermitian=True)
    return np.asarray(2 * np.sqrt(np.diag(inverse)[1 : k + 1]))


def half_width(levels: Levels, runs: Sequence[int], crossed: int = 0) -> float | None:
    """Half of a simultaneous 95 % interval of a contribution, of the widest of all factors but the
    last ones, which are crossed with them.

    The contributions are taken as independent, which orthogonal cells make them.

    Returns:
        In units of sigma; None where the cells do not tell all contributions apart.
    """
    for order in (2, 1):
        errors = standard_error(levels, runs, order)
        if errors is not None:
            count = levels.shape[1] - crossed
            return float(scipy.stats.norm.ppf(upper(count)) * errors[:count].max())
    return None
