"""Shapley values against shapiq, their axioms, and the identity with main effects."""

from itertools import permutations

import numpy as np
import pytest
import shapiq
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.experiments.coding import columns, effects
from nextify.experiments.fractions import ATTRIBUTE, fraction, full
from nextify.experiments.permutations import cells_of_orders, sampled_orders
from nextify.findings import exact_shapley
from nextify.findings.basis import basis
from nextify.findings.shapley import exact_weights, marginal_weights, order_variance, pairs_of

from .factorial import game

finite = st.floats(-100, 100)
games = st.integers(1, 5).flatmap(
    lambda k: st.lists(finite, min_size=1 << k, max_size=1 << k).map(np.array)
)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_equal_to_shapiq(k):
    values = np.random.default_rng(k).normal(size=1 << k)
    theirs = shapiq.ExactComputer(n_players=k, game=game(values))("SV")
    np.testing.assert_allclose(exact_shapley(values), [theirs[(j,)] for j in range(k)], atol=1e-12)


def test_equal_to_the_definition():
    values = np.random.default_rng(0).normal(size=16)
    found = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        made = 0
        for j in order:
            found[j] += (values[made | 1 << j] - values[made]) / len(orders)
            made |= 1 << j
    np.testing.assert_allclose(exact_shapley(values), found, atol=1e-12)


@given(games)
def test_efficiency(values):
    assert exact_shapley(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


@given(games, st.data())
def test_null_player_and_symmetry(values, data):
    k = len(values).bit_length() - 1
    j = data.draw(st.integers(0, k - 1))
    index = np.arange(len(values))
    assert exact_shapley(values[index & ~(1 << j)])[j] == pytest.approx(0, abs=1e-9)
    i = data.draw(st.integers(0, k - 1))
    swapped = (index & ~(1 << i | 1 << j)) | ((index >> i & 1) << j) | ((index >> j & 1) << i)
    found = exact_shapley(values + values[swapped])
    assert found[i] == pytest.approx(found[j], abs=1e-9)


@given(games, finite, finite)
def test_linearity_and_many_games_at_once(values, a, b):
    other = values[::-1] ** 2 / 100
    both = exact_shapley(np.column_stack([values, other]))
    want = a * exact_shapley(values) + b * exact_shapley(other)
    np.testing.assert_allclose(exact_shapley(a * values + b * other), want, atol=1e-7)
    np.testing.assert_allclose(both @ [a, b], want, atol=1e-7)


def test_thirteen_factors_and_wrong_numbers_of_values():
    values = np.random.default_rng(0).random(1 << 13)
    assert exact_shapley(values).sum() == pytest.approx(values[-1] - values[0])
    with pytest.raises(InputError, match="there are 6 values"):
        exact_shapley(np.zeros(6))


def test_as_weights_of_cells():
    levels = full(4)
    values = np.random.default_rng(1).normal(size=16)
    bits = (levels > 0) @ (1 << np.arange(4))
    ordered = values[np.argsort(bits)]
    np.testing.assert_allclose(exact_weights(levels) @ values, exact_shapley(ordered), atol=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_fraction_gives_the_shapley_values_of_two_factor_games(seed):
    """The identity: without products of three factors, Shapley values are main effects."""
    beta = np.random.default_rng(seed).normal(size=1 + 6 + 15)
    cells = fraction(6, ATTRIBUTE)
    read = basis(cells, np.ones(len(cells)))
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    everything = columns((2 * bits - 1).astype(np.int8), effects(6, 2)) @ beta
    found = read.weights @ columns(cells, effects(6, 2)) @ beta
    assert read.method == "two-factor model"
    np.testing.assert_allclose(found, exact_shapley(everything), atol=1e-9)


def test_a_three_factor_product_adds_two_thirds_beta_to_shapley_and_nothing_to_main_effects():
    levels = full(4)
    values = columns(levels, [(0, 1, 2)])[:, 0]
    np.testing.assert_allclose(exact_weights(levels) @ values, [2 / 3] * 3 + [0], atol=1e-12)
    np.testing.assert_allclose(levels.T @ values, 0, atol=1e-12)


def test_all_orders_are_exact_and_a_pair_of_orders_is_exact_for_two_factor_games():
    cells = full(3)
    place = {frozenset(np.flatnonzero(row > 0).tolist()): at for at, row in enumerate(cells)}
    tables = marginal_weights(list(permutations(range(3))), place, 8)
    np.testing.assert_allclose(tables.mean(axis=0), exact_weights(cells), atol=1e-12)
    pair = marginal_weights([(2, 0, 1), (1, 0, 2)], place, 8)
    beta = np.random.default_rng(0).normal(size=7)
    values = columns(cells, effects(3, 2)) @ beta
    np.testing.assert_allclose(pair.mean(axis=0) @ values, 2 * beta[1:4], atol=1e-12)


def test_variance_from_sampling_orders():
    """Unbiased against the spread over many samples, with the runs' noise taken out."""
    rng = np.random.default_rng(0)
    beta = rng.normal(size=len(effects(5, 3)))
    shift, found, values = 0.5, [], []
    for seed in range(200):
        orders = sampled_orders(5, 12, seed)
        cells = cells_of_orders(orders)
        read = basis(cells, np.ones(len(cells)), orders.tolist())
        if read.tables is None:  # these orders pass through all 32 subsets
            continue
        truth = columns(cells, effects(5, 3)) @ beta
        means = truth + shift * rng.normal(size=len(cells))
        noise = np.full(len(cells), shift**2)
        found.append(order_variance(read.tables, read.groups, means, noise))
        values.append(read.weights @ truth)
    want = np.var(values, axis=0, ddof=1)
    assert np.mean(found, axis=0) == pytest.approx(want, rel=0.35)
    assert order_variance(read.tables, pairs_of(orders[:2].tolist()), means, noise) is None
