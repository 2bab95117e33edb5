"""Orders and their cells: every prefix is in the table, and pairs are exact without third order."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.experiments.coding import model_matrix
from nextify.experiments.permutations import (
    add_one_in,
    cells_of_orders,
    leave_one_out,
    sampled_orders,
)

counts = st.integers(1, 10)
pairs = st.integers(1, 12).map(lambda half: 2 * half)
seeds = st.integers(0, 2**32)


@given(counts, pairs, seeds)
def test_orders_are_permutations_in_reversed_pairs(k, n, seed):
    orders = sampled_orders(k, n, seed)
    assert orders.shape == (n, k)
    assert (np.sort(orders, axis=1) == np.arange(k)).all()
    assert (orders[1::2] == orders[::2, ::-1]).all()
    assert (orders == sampled_orders(k, n, seed)).all()


def test_all_orders_are_equally_likely():
    orders = sampled_orders(3, 12_000, seed=0)[::2]
    counted = [int((orders == order).all(axis=1).sum()) for order in permutations(range(3))]
    # each Binomial(6000, 1/6), standard deviation 29
    assert max(abs(each - 1000) for each in counted) < 4 * 29


@given(counts, pairs, seeds)
def test_every_prefix_of_every_order_is_its_cell(k, n, seed):
    orders = sampled_orders(k, n, seed)
    levels = cells_of_orders(orders)
    found = [frozenset(np.flatnonzero(row > 0).tolist()) for row in levels]
    stops = {frozenset(order[:step]) for order in orders.tolist() for step in range(k + 1)}
    assert len(found) == len(stops) and set(found) == stops
    assert (levels[0] == -1).all() and (levels[-1] == 1).all()


@given(st.integers(2, 8), seeds)
def test_one_pair_gives_exact_shapley_values_without_third_order_interactions(k, seed):
    generator = np.random.default_rng(seed)
    orders = sampled_orders(k, 2, seed)
    levels = cells_of_orders(orders)
    coefficients = generator.normal(size=model_matrix(levels).shape[1])
    values = dict(zip(map(tuple, levels), model_matrix(levels) @ coefficients, strict=True))
    phi = np.zeros(k)
    for order in orders:
        stops = np.where(np.argsort(order) < np.arange(k + 1)[:, None], 1, -1)
        phi[order] += np.diff([values[tuple(row)] for row in stops]) / 2
    # with +1/-1 coding: twice the main effect's coefficient, interactions cancel
    np.testing.assert_allclose(phi, 2 * coefficients[1 : k + 1], atol=1e-12)


def test_28_orders_of_eight_factors_pass_at_most_198_cells():
    levels = cells_of_orders(sampled_orders(8, 28, seed=0))
    assert 28 * 2 < len(levels) <= 28 * 7 + 2


@given(counts)
def test_path_and_ends(k):
    path = cells_of_orders(np.arange(k)[None])
    assert (path == np.where(np.tri(k + 1, k, -1), 1, -1)).all()
    assert (leave_one_out(k) == 1).sum(axis=1).tolist() == [k] + [k - 1] * k
    assert (leave_one_out(k)[1:].argmin(axis=1) == np.arange(k)).all()
    assert (add_one_in(k) == -leave_one_out(k)).all()
    assert {each.dtype.name for each in (path, leave_one_out(k), add_one_in(k))} == {"int8"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sampled_orders(8, 27, 0), "orders: 27; .*give 28"),
        (lambda: sampled_orders(8, 0, 0), "orders: 0; .*give 2"),
    ],
)
def test_refused_at_the_door(call, message):
    with pytest.raises(InputError, match=message):
        call()
