"""The model of all orders: closed forms against a slow one, limits, nuisances, coverage."""

from itertools import permutations

import numpy as np
import pytest

from nextify.experiments.coding import all_cells, codes_of, columns, effects
from nextify.experiments.fractions import ATTRIBUTE, SCREEN, fraction, with_ends
from nextify.findings.basis import basis
from nextify.findings.cells import gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.measure import noise_of, together
from nextify.findings.shapley import exact_shapley, exact_weights
from nextify.findings.surface import all_orders
from nextify.findings.ways import changes
from nextify.findings.whole import whole

from .factorial import names


def learn(levels, values, players=None, seeds=2, rate=None):
    """From runs, (cells, seeds)."""
    levels = np.asarray(levels, dtype=np.int8)
    cell, k = np.repeat(np.arange(len(levels)), seeds), levels.shape[1]
    rate = np.ones(len(levels)) if rate is None else rate
    runs = FactorRuns(
        factors=tuple(names(k)),
        score="nll",
        levels=levels[cell],
        cell=cell,
        seed=np.arange(len(cell)),
        values=np.asarray(values).ravel(),
        rate=rate[cell],
        became=("finished",) * len(cell),
    )
    cells = gather(runs)
    read = basis(cells.levels, cells.rate)
    players = np.ones(k, bool) if players is None else np.asarray(players)
    return whole(runs, noise_of(cells, read.pairs), read.pairs.fixed, players), cells


def noisy(truth, seed=0, sd=0.01, seeds=2):
    return truth[:, None] + sd * np.random.default_rng(seed).normal(size=(len(truth), seeds))


def test_sums_over_subsets_are_the_mixture_of_gaussians():
    """Means, variances and covariances of functionals against many draws of all subsets."""
    rng = np.random.default_rng(0)
    levels = fraction(5, SCREEN)
    found = all_orders(levels, rng.normal(size=len(levels)), np.full(len(levels), 2.0), 0.3)
    weights = exact_weights(all_cells(5))
    sums = found.posterior(weights)
    draws = found.draws(20_000, rng) @ weights.T
    size = np.sqrt(np.diag(sums.covariance))
    assert np.abs(draws.mean(axis=0) - sums.values).max() < 5 * size.max() / np.sqrt(20_000)
    close = np.cov(draws.T) / np.outer(size, size)
    assert close == pytest.approx(sums.covariance / np.outer(size, size), abs=0.05)
    single = found.posterior(np.eye(32))  # the same as subset by subset
    assert single.values == pytest.approx(found.means)
    assert np.sqrt(np.diag(single.covariance)) == pytest.approx(found.sds)


def test_where_all_subsets_were_trained_sharply_they_are_what_was_measured():
    truth = np.random.default_rng(1).normal(size=16)
    learned, cells = learn(all_cells(4), noisy(truth, sd=1e-5))
    found = learned.contrasts(learned.shapley())
    assert found.values == pytest.approx(exact_shapley(truth), abs=1e-3)
    assert found.errors.max() < 1e-3
    assert found.weights @ cells.means == pytest.approx(found.values, abs=1e-9)


def test_shapley_values_add_up_and_hold_a_three_factor_interaction():
    """Two thirds of its beta belong to each of the three, which main effects do not see."""
    levels = with_ends(fraction(8, ATTRIBUTE))
    truth = 0.1 * levels[:, 0] + 0.05 * levels[:, 1] * levels[:, 2] * levels[:, 4]
    learned, _ = learn(levels, noisy(truth))
    found = learned.contrasts(learned.shapley())
    ends = learned.contrasts(learned.change(np.zeros(8, bool), np.ones(8, bool))[None])
    assert found.values.sum() == pytest.approx(ends.values[0])
    want = np.zeros(8)
    want[0], want[[1, 2, 4]] = 0.2, 2 / 3 * 0.05
    together_ = together(found)
    held = [
        each.low <= true <= each.high for each, true in zip(together_.narrow, want, strict=True)
    ]
    assert all(held)
    noise_alone = 2 * 0.01 / np.sqrt(len(levels) * 2)
    assert found.errors.min() > 3 * noise_alone  # the interaction's place is not known


def test_nuisances_are_averaged_over():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=16)
    learned, _ = learn(all_cells(4), noisy(truth, sd=1e-5), players=[True, False, True, True])
    cells = all_cells(4)
    averaged = [truth[(cells[:, [0, 2, 3]] == row).all(axis=1)].mean() for row in all_cells(3)]
    assert learned.contrasts(learned.shapley()).values == pytest.approx(
        exact_shapley(np.array(averaged)), abs=1e-3
    )
    change = learned.change(np.array([False, True, False]), np.array([True, True, False]))
    want = averaged[3] - averaged[2]
    assert learned.contrasts(change[None]).values[0] == pytest.approx(want, abs=1e-3)


def test_trained_increments_average_over_nuisances_and_rates():
    cells = np.concatenate([all_cells(3)] * 2)
    rate = np.repeat([0.5, 2.0], 8)
    values = np.arange(16.0)
    _, found = learn(cells, noisy(values, sd=1e-5), rate=rate)
    first, second = changes(found, np.array([True, True, False]))
    start = [at for at in range(16) if (found.levels[at, :2] < 0).all()]
    made = [at for at in range(16) if found.levels[at, :2].tolist() == [1, -1]]
    assert len(start) == len(made) == 4
    want = found.means[made].mean() - found.means[start].mean()
    assert first[0].weights @ found.means == pytest.approx(want)
    assert second[2].before.tolist() == [True, False]
    _, fewer = learn(cells[1:], noisy(values[1:], sd=1e-5), rate=rate[1:])
    assert changes(fewer, np.array([True, True, False]))[0][0].weights is None


def test_a_factor_that_never_varied_is_left_out():
    levels = np.column_stack([all_cells(3), -np.ones(8)])
    learned, _ = learn(levels, noisy(np.arange(8.0)))
    assert len(learned.shapley()) == 3
    start, last = np.zeros(4, bool), np.array([False, False, False, True])
    assert learned.change(start, last) is None
    assert learned.change(start, np.array([True, False, False, False])) is not None


def test_one_large_contrast_leaves_few_degrees_of_freedom():
    levels = with_ends(fraction(8, ATTRIBUTE))
    rng = np.random.default_rng(5)
    table = columns(levels, effects(8, 4)[37:])
    many, _ = learn(levels, noisy(table @ rng.normal(size=table.shape[1])))
    one, _ = learn(levels, noisy(np.prod(levels[:, [1, 2, 4]], axis=1) * 1.0))
    assert one.df == 5 and 10 < many.df <= 27


def test_no_noise_no_intervals():
    learned, _ = learn(fraction(4, SCREEN), np.zeros((8, 1)), seeds=1)
    found = learned.contrasts(learned.shapley())
    assert found.estimate(0).interval is None and found.estimate(0).value == pytest.approx(0)


def test_intervals_hold_where_interactions_of_all_orders_are_there():
    """30 small studies: simultaneous intervals of Shapley values and of what was not trained."""
    rng = np.random.default_rng(6)
    levels, everything = with_ends(fraction(6, ATTRIBUTE)), all_cells(6)
    terms = effects(6, 6)
    sizes = np.array([0.0, 2.0, 0.7, *[1.75 / np.sqrt(42)] * 4])[[len(term) for term in terms]]
    held = []
    for _ in range(30):
        truth = columns(everything, terms) @ (sizes * rng.normal(size=64))
        learned, _ = learn(levels, noisy(truth[codes_of(levels)], rng.integers(1 << 30), 1.0))
        found = learned.contrasts(learned.shapley())
        away = np.abs(found.values - exact_shapley(truth)) / found.errors
        held.append(away.max() <= together(found).critical)
        main = np.abs(
            2 * (levels[:32].T @ truth[codes_of(levels[:32])]) / 32 - exact_shapley(truth)
        )
        held[-1] += 1j * (main.max() <= 3 * 2 / np.sqrt(128))  # by noise alone
    assert np.real(held).mean() > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 30)
    assert np.imag(held).mean() < 0.6


def test_orders_average_to_the_shapley_values():
    """What each factor adds along all orders, by the model's increments."""
    truth = np.random.default_rng(7).normal(size=8)
    learned, _ = learn(all_cells(3)[:-1], noisy(truth[:-1]))
    found = np.zeros((3, 8))
    for order in permutations(range(3)):
        made = np.zeros(3, bool)
        for j in order:
            after = made | (np.arange(3) == j)
            found[j] += learned.change(made, after) / 6
            made = after
    assert learned.shapley() == pytest.approx(found)
