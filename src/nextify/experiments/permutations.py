"""Orders in which the choices can be made, and the cells that they pass through.

The mean over all orders of what a choice adds to those before it is its Shapley value; a sample of
orders estimates it (Castro, Gomez and Tejada 2009, Computers & Operations Research 36). The
paper's path is one order; leave-one-out and add-one-in are the two ends of all of them.
"""

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Levels, codes_of

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
    if n < 2 or n % 2:
        raise InputError(f"orders: {n}; they come in pairs, give {max(2, n + 1)}")
    generator = np.random.default_rng(seed)
    drawn = generator.permuted(np.tile(np.arange(k), (n // 2, 1)), axis=1)
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(n, k)


def cells_of_orders(orders: Orders) -> Levels:
    """(cells, k): the distinct cells that orders (n, k) pass through, nothing made first and all
    made last.

    >>> cells_of_orders(np.array([[0, 1], [1, 0]])).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    k = orders.shape[1]
    place = np.argsort(orders, axis=1)
    # after `step` choices, those with an earlier place are made
    made = place[:, None, :] < np.arange(k + 1)[:, None]
    cells = np.where(made, 1, -1).astype(np.int8).reshape(-1, k)
    # by their numbers, the cells come out in the order of `all_cells`
    _, first = np.unique(codes_of(cells), return_index=True)
    return cells[first]


def leave_one_out(k: int) -> Levels:
    """(k + 1, k): all choices made, then all but the first, all but the second, and so on.

    >>> leave_one_out(2).tolist()
    [[1, 1], [-1, 1], [1, -1]]
    """
    return np.concatenate([np.ones((1, k)), 1 - 2 * np.eye(k)]).astype(np.int8)


def add_one_in(k: int) -> Levels:
    """(k + 1, k): no choice made, then the first alone, the second alone, and so on.

    >>> add_one_in(2).tolist()
    [[-1, -1], [1, -1], [-1, 1]]
    """
    return -leave_one_out(k)
