"""Shapley values: exact from all subsets, by sampled orders, and from a fraction by an identity.

The Shapley value of choice j is what it adds, averaged over all orders in which the k choices
could be made (Shapley 1953). Three ways to it:

1. All 2^k subsets: phi_j = sum over S without j of |S|! (k - |S| - 1)!/k! (v(S and j) - v(S)).
2. Sampled orders: the mean of what j adds in each (Castro, Gomez and Tejada 2009).
3. A fraction in which two-factor interactions can be told. Write v with levels x of +1 and -1,
   v = sum over T of beta_T times the product of x_j, j in T. Where no product of three or more
   factors matters, j adds 2 beta_j + 2 sum_i beta_ij x_i. In a random order, i stands before j
   (x_i = 1) as often as after (x_i = -1), so the average is phi_j = 2 beta_j: the main effect.
   And since x_i x_j = 1 both at the start and at the end, sum phi_j = v(all) - v(none) there.
   A product of three factors adds 2/3 beta to the Shapley value of each of the three and nothing
   to the main effects: the end-cell gap shows their sum.

Every one of the three is a weighted sum of the cells' means.
"""

from collections.abc import Mapping, Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Floats


def shapley_weights(factors: int) -> Floats:
    """(k,) weight of what a factor adds to a set of s others, for s from 0 to k - 1.

    >>> shapley_weights(3).round(4).tolist()
    [0.3333, 0.1667, 0.3333]
    """
    return np.array([1 / (factors * comb(factors - 1, s)) for s in range(factors)])


def exact_shapley(values: Floats) -> Floats:
    """Shapley values of all k factors from the values of all 2^k subsets, in O(k 2^k).

    >>> exact_shapley(np.array([0.0, 1.0, 2.0, 5.0])).tolist()  # none, a, b, a and b
    [2.0, 3.0]

    Args:
        values: (2^k,) or (2^k, m) for m games at once; bit j of the index says whether factor j
            is made. Any cost will do: parameters, MACs, activation memory.

    Returns:
        (k,) or (k, m); the sum over k is `values[-1] - values[0]`.

    Raises:
        InputError: the number of values is no power of two from 2 on.
    """
    values = np.asarray(values, dtype=np.float64)
    factors = len(values).bit_length() - 1
    if len(values) != 1 << factors or factors < 1:
        raise InputError(f"there are {len(values)} values; give one per subset: 2, 4, 8, ...")
    sizes = np.bitwise_count(np.arange(len(values) // 2))
    weights = shapley_weights(factors)[sizes]
    found = []
    for factor in range(factors):
        # (sets of later factors, without and with this one, sets of earlier factors, games)
        parts = values.reshape(-1, 2, 1 << factor, *values.shape[1:])
        added = (parts[:, 1] - parts[:, 0]).reshape(len(weights), *values.shape[1:])
        found.append(np.tensordot(weights, added, axes=1))
    return np.array(found)


def exact_weights(levels: NDArray[np.int8]) -> Floats:
    """(k, 2^k) weights of the cells whose weighted sums are the Shapley values.

    Args:
        levels: (2^k, k), every combination of +1 and -1 once, in any order.
    """
    factors = levels.shape[1]
    made = levels.T > 0
    size = made.sum(axis=0)
    weights = shapley_weights(factors)
    gain = weights[np.maximum(size - 1, 0)]
    loss = weights[np.minimum(size, factors - 1)]
    return np.asarray(np.where(made, gain, -loss))


def stops(order: Sequence[int]) -> list[frozenset[int]]:
    """The sets of factors that an order passes through, from none to all.

    >>> [sorted(each) for each in stops([1, 0])]
    [[], [1], [0, 1]]
    """
    return [frozenset(order[:n]) for n in range(len(order) + 1)]


def marginal_weights(
    orders: Sequence[Sequence[int]], cells: Mapping[frozenset[int], int], count: int
) -> Floats:
    """(orders, k, c) what each factor adds in each order, as weights of cells.

    Args:
        orders: each names all k factors once.
        cells: the index of the cell of a set of factors. count: c, how many cells there are.
    """
    tables = np.zeros((len(orders), len(orders[0]), count))
    for table, order in zip(tables, orders, strict=True):
        at = [cells[stop] for stop in stops(order)]
        table[order, at[:-1]] -= 1.0
        table[order, at[1:]] += 1.0
    return tables


def pairs_of(orders: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Orders grouped with their reverse: what the two say of a factor is not independent.

    >>> pairs_of([(0, 1, 2), (2, 1, 0), (1, 0, 2)])
    ((0, 1), (2,))
    """
    waiting: dict[tuple[int, ...], list[int]] = {}
    groups: list[list[int]] = []
    for at, order in enumerate(orders):
        same = waiting.get(tuple(order)[::-1])
        if same:
            groups[same.pop()].append(at)
            continue
        waiting.setdefault(tuple(order), []).append(len(groups))
        groups.append([at])
    return tuple(tuple(group) for group in groups)


def order_variance(
    tables: Floats, groups: Sequence[Sequence[int]], means: Floats, noise: Floats
) -> Floats | None:
    """(k,) variance of sampled Shapley values that comes from sampling orders; None for one group.

    By the method of moments: the variance between groups of orders, less what the runs' noise
    contributes to it. Never below zero.

    Args:
        tables: (orders, k, c) of `marginal_weights`. groups: of orders, independent of each other.
        means: (c,) of the cells. noise: (c,) variances of those means over new seeds.
    """
    if len(groups) < 2:
        return None
    grouped = np.array([tables[list(group)].mean(axis=0) for group in groups])
    size = np.array([len(group) for group in groups], dtype=np.float64)
    share = size / size.sum()
    centred = grouped - np.einsum("g,gkc->kc", share, grouped)
    # Groups of one order (no reverse sampled) weigh half as much as pairs.
    scale = share**2 / (1 - share)
    between = np.einsum("g,gk->k", scale, np.square(centred @ means))
    by_noise = np.einsum("g,gkc,c->k", scale, np.square(centred), noise)
    return np.asarray(np.maximum(0.0, between - by_noise))
