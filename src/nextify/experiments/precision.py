"""How precise a plan's answer will be, before it is run: standard errors in units of sigma.

sigma is the standard deviation between runs of the same cell with other seeds.
"""

from collections.abc import Sequence

import numpy as np

from nextify.errors import InputError
from nextify.experiments.aliases import estimable
from nextify.experiments.coding import (
    Floats,
    Levels,
    Model,
    as_levels,
    effect_name,
    effects,
    model_matrix,
)


def standard_error(
    levels: Levels, replicates: int | Sequence[int] = 1, model: Model = "interactions"
) -> Floats:
    """Standard errors of the factors' effects, mean(+1) - mean(-1), by ordinary least squares.

    An effect is twice its coefficient, so it is 2 sqrt((X'X)^-1), and 2 / sqrt(runs) in an
    orthogonal plan.

    Args:
        levels: (cells, k).
        replicates: runs of every cell, or of each.
        model: what else is in the fit: "main" trusts that there are no interactions.

    Returns:
        (k,), in units of sigma.

    Raises:
        InputError: where the cells do not tell a main effect from other effects of the model.

    >>> from nextify.experiments.fractions import fraction, ATTRIBUTE
    >>> standard_error(fraction(8, ATTRIBUTE).levels, replicates=2).round(3).tolist()[:2]
    [0.177, 0.177]
    """
    cells = as_levels(levels)
    runs = np.atleast_1d(replicates)
    if runs.shape not in ((1,), (len(cells),)):
        raise InputError(f"replicates: {len(runs)} numbers for {len(cells)} cells; give one each")
    runs = np.broadcast_to(runs, len(cells))
    if runs.min(initial=0) < 0 or runs.sum() == 0:
        raise InputError(f"replicates: {replicates}; give at least one run, and none below zero")
    cells, runs = cells[runs > 0], runs[runs > 0]
    _check_estimable(cells, model)
    x = model_matrix(cells, model)
    # Where interactions are aliased with each other, the generalised inverse still gives the
    # variance of the main effects, which are estimable.
    inverse = np.linalg.pinv(x.T @ (x * runs[:, None]), rcond=1e-10, hermitian=True)
    return np.asarray(2 * np.sqrt(np.diag(inverse)[1 : cells.shape[1] + 1]))


def _check_estimable(cells: Levels, model: Model) -> None:
    main = set(effects(cells.shape[1], 1)[1:])
    lost = sorted(main - set(estimable(cells, model)))
    if lost:
        names = ", ".join(effect_name(each) for each in lost)
        remedy = "augment the plan" + (" or trust the model 'main'" if model != "main" else "")
        raise InputError(
            f"levels: {len(cells)} cells do not tell the main effects of {names} "
            f"from other effects; {remedy}"
        )


def one_at_a_time_error(k: int, runs: int, best: bool = False) -> float:
    """The same for one factor at a time: k + 1 cells, an effect being a difference of two.

    Args:
        k: factors. runs: all together.
        best: with sqrt(k) times as many runs of the cell that all others are compared with, as
            is best (Dunnett 1955, JASA 50); not for a path, whose steps share no such cell. By
            default every cell has the same number, sqrt(2 (k + 1) / runs).

    Returns:
        In units of sigma; runs are divided as fractions.

    >>> one_at_a_time_error(8, 128), round(one_at_a_time_error(8, 128, best=True), 3)
    (0.375, 0.338)
    """
    if k < 1 or runs < k + 1:
        raise InputError(f"runs: {runs} for {k} factors; give at least {max(k, 1) + 1}")
    if best:
        return float((1 + np.sqrt(k)) / np.sqrt(runs))
    return float(np.sqrt(2 * (k + 1) / runs))
