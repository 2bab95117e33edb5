"""Orders in which the choices can be made, and the cells that they pass through.

The mean over all orders of what a choice adds to those before it is its Shapley value; a sample of
orders estimates it (Castro, Gomez and Tejada 2009, Computers & Operations Research 36). The
paper's path is one order; leave-one-out and add-one-in are the two ends of all of them.
"""

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Levels

Orders = NDArray[np.int64]


def sampled_orders(k: int, n: int, seed: int) -> Orders:
    """`n` orders of k factors, in pairs: an order drawn uniformly, then its reverse.

    Reversing pairs what a choice adds early with what it adds late, so that without interactions
    of three factors and more each pair by itself gives the exact Shapley values (antithetic
    sampling: Mitchell, Cooper, Frank and Holmes 2022, arXiv 2104.12199). Pairs are drawn
    independently, with replacement.

    Returns:
        (n, k): in each row the factors 0 to k - 1, the first made first.

    >>> sampled_orders(3, 2, seed=0).tolist()
    [[2, 0, 1], [1, 0, 2]]
    """
    _check(k)
    if n < 2 or n % 2:
        raise InputError(f"orders: {n}; they come in pairs, give {max(2, n + 1)}")
    generator = np.random.default_rng(seed)
    drawn = generator.permuted(np.tile(np.arange(k), (n // 2, 1)), axis=1)
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(n, k)


def cells_of_orders(orders: Orders) -> tuple[Levels, NDArray[np.int64]]:
    """The distinct cells that the orders pass through, and where each order finds its own.

    Returns:
        levels: (cells, k), no row twice, nothing made first and all made last.
        at: (n, k + 1): the row of `levels` after the first 0, 1, ..., k choices of each order.

    >>> levels, at = cells_of_orders(np.array([[0, 1], [1, 0]]))
    >>> levels.tolist(), at.tolist()
    ([[-1, -1], [1, -1], [-1, 1], [1, 1]], [[0, 1, 3], [0, 2, 3]])
    """
    rows = np.asarray(orders)
    if rows.ndim != 2 or rows.size == 0 or (np.sort(rows) != np.arange(rows.shape[1])).any():
        raise InputError("orders: each row has to hold the factors 0 to k - 1, each once")
    n, k = rows.shape
    place = np.argsort(rows, axis=1)
    # after `step` choices, those with an earlier place are made
    made = place[:, None, :] < np.arange(k + 1)[:, None]
    flat = np.where(made, 1, -1).astype(np.int8).reshape(-1, k)
    # compared from the last factor, the cells come out in the order of `all_cells`
    distinct, at = np.unique(flat[:, ::-1], axis=0, return_inverse=True)
    return np.ascontiguousarray(distinct[:, ::-1]), at.reshape(n, k + 1)


def path_cells(k: int) -> Levels:
    """(k + 1, k): the cells of the path that makes the choices in the given order.

    >>> path_cells(2).tolist()
    [[-1, -1], [1, -1], [1, 1]]
    """
    _check(k)
    return np.where(np.tri(k + 1, k, -1, dtype=np.bool_), 1, -1).astype(np.int8)


def leave_one_out(k: int) -> Levels:
    """(k + 1, k): all choices made, then all but the first, all but the second, and so on.

    >>> leave_one_out(2).tolist()
    [[1, 1], [-1, 1], [1, -1]]
    """
    _check(k)
    return np.concatenate([np.ones((1, k)), 1 - 2 * np.eye(k)]).astype(np.int8)


def add_one_in(k: int) -> Levels:
    """(k + 1, k): no choice made, then the first alone, the second alone, and so on.

    >>> add_one_in(2).tolist()
    [[-1, -1], [1, -1], [-1, 1]]
    """
    return -leave_one_out(k)


def _check(k: int) -> None:
    if k < 1:
        raise InputError(f"factors: {k}; give at least 1")
