"""Two-level cells, and the columns of a linear model on them.

A plan's cells are `levels`: an int8 array (cells, k), a row per cell and a column per factor, +1
where the choice is made and -1 where it is not. With this coding a factor's coefficient is half of
its effect, mean(+1) - mean(-1), and the columns of an orthogonal plan are orthogonal.
"""

from collections.abc import Container, Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError

Floats = NDArray[np.float64]
Levels = NDArray[np.int8]
Effect = tuple[int, ...]  # the factors in it, ascending, from 0; () is the mean

LEAST, MOST = 2, 13  # factors of a plan: 2^13 = 8192 cells


def check_factors(k: int) -> None:
    """Refuse a number of factors for which there is no two-level plan.

    >>> check_factors(14)
    Traceback (most recent call last):
    nextify.errors.InputError: factors: 14; plans are for 2 to 13: group choices into fewer factors
    """
    if not LEAST <= k <= MOST:
        remedy = "name at least 2" if k < LEAST else "group choices into fewer factors"
        raise InputError(f"factors: {k}; plans are for {LEAST} to {MOST}: {remedy}")


def effects(k: int, order: int = 2) -> tuple[Effect, ...]:
    """All effects of up to `order` of k factors: the mean, main effects, interactions.

    >>> effects(3)
    ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    >>> len(effects(8)), len(effects(8, 1))
    (37, 9)
    """
    return tuple(each for size in range(order + 1) for each in combinations(range(k), size))


def columns(levels: Levels, which: Sequence[Effect]) -> Floats:
    """(cells, effects) of +1 and -1: the products of each effect's factors.

    >>> columns(np.array([[1, -1]], dtype=np.int8), effects(2))
    array([[ 1.,  1., -1., -1.]])
    """
    exact = levels.astype(np.float64)
    return np.stack([np.prod(exact[:, list(each)], axis=1) for each in which], axis=1)


def model_matrix(levels: Levels, order: int = 2) -> Floats:
    """The `columns` of all `effects` of up to `order` factors.

    >>> model_matrix(np.array([[1, -1], [-1, -1]], dtype=np.int8)).tolist()
    [[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
    """
    return columns(levels, effects(levels.shape[1], order))


def all_cells(k: int) -> Levels:
    """All 2^k cells, the first factor changing fastest; nothing made first, all made last.

    >>> all_cells(2).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    codes = np.arange(1 << k)[:, None]
    return np.where(codes >> np.arange(k) & 1, 1, -1).astype(np.int8)


def levels_of(names: Sequence[str], made: Iterable[Container[str]]) -> Levels:
    """Cells by the names of the factors that are made in each.

    >>> levels_of(["a", "b"], [("b",), ()]).tolist()
    [[-1, 1], [-1, -1]]
    """
    return np.array([[1 if n in each else -1 for n in names] for each in made], dtype=np.int8)


def codes_of(levels: Levels) -> NDArray[np.int64]:
    """A number per cell, its row in `all_cells`.

    >>> codes_of(all_cells(2)).tolist()
    [0, 1, 2, 3]
    """
    return np.asarray((levels > 0) @ (1 << np.arange(levels.shape[1], dtype=np.int64)))
