"""Standard errors by formula, against simulation and run by run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nextify.experiments.coding import all_cells, effects, model_matrix
from nextify.experiments.fractions import (
    ATTRIBUTE,
    LETTERS,
    SCREEN,
    fold_over,
    fraction,
    full,
    regular,
    with_ends,
)
from nextify.experiments.optimal import augment
from nextify.experiments.permutations import leave_one_out
from nextify.experiments.precision import estimable, half_width, standard_error

from .words import generators, words

DRAWS = 4000


def _close_to(want, draws=DRAWS):
    """Four standard errors of a standard deviation from so many draws."""
    return pytest.approx(want, rel=4 / np.sqrt(2 * draws))


def _clear(k, products):
    """The effects of a regular fraction whose product with no other effect is a word."""
    every = {each: frozenset(LETTERS[at] for at in each) for each in effects(k)}
    known = set(map(frozenset, words(k, products)))
    return tuple(e for e, one in every.items() if not any(one ^ o in known for o in every.values()))


@pytest.mark.parametrize("k", range(2, 14))
def test_screens_have_the_aliases_of_their_defining_relation(k):
    assert estimable(fraction(k, SCREEN)) == _clear(k, generators(k, SCREEN))


@pytest.mark.parametrize("products", [["AB", "AC"], ["AB", "ABC"]])
def test_main_effects_aliased_with_interactions(products):
    assert estimable(regular(5, products)) == _clear(5, products)


def test_fold_over_of_one_factor_leaves_aliases_among_the_others_only():
    screen = fraction(8, SCREEN)
    both = np.concatenate([screen, fold_over(screen, factor=0)])
    left = set(effects(8)) - set(estimable(both))
    assert left and all(0 not in each and len(each) == 2 for each in left)


@settings(max_examples=40)
@given(st.integers(2, 5), st.data())
def test_estimable_is_what_raises_the_rank(k, data):
    """An effect is estimable exactly where leaving its column out lowers the rank."""
    codes = data.draw(st.sets(st.integers(0, 2**k - 1), min_size=1))
    levels = all_cells(k)[sorted(codes)]
    x = model_matrix(levels)
    rank = np.linalg.matrix_rank(x)
    without = [np.linalg.matrix_rank(np.delete(x, at, axis=1)) for at in range(x.shape[1])]
    want = tuple(each for each, left in zip(effects(k), without, strict=True) if left < rank)
    assert estimable(levels) == want


def test_the_default_plan():
    """64 cells x 2 seeds: the error of 128 runs, and Sidak's intervals for all eight factors."""
    levels = fraction(8, ATTRIBUTE)
    np.testing.assert_allclose(standard_error(levels, 2), 2 / np.sqrt(128))
    reach = stats.norm.ppf((1 + 0.95 ** (1 / 8)) / 2)
    assert half_width(levels, [2] * 64) == pytest.approx(reach * 2 / np.sqrt(128))


def test_the_same_by_simulation():
    generator = np.random.default_rng(0)
    levels = fraction(8, ATTRIBUTE)
    truth = generator.normal(size=37)
    x = model_matrix(np.repeat(levels, 2, axis=0))
    scores = x @ truth + generator.normal(size=(DRAWS, 128))
    fitted = 2 * np.linalg.lstsq(x, scores.T, rcond=None)[0][1:9]
    assert fitted.std(axis=1) == _close_to(standard_error(levels, 2))
    assert fitted.mean(axis=1) == pytest.approx(2 * truth[1:9], abs=4 * 0.177 / np.sqrt(DRAWS))


@pytest.mark.parametrize("order", [1, 2])
def test_unbalanced_plans_run_by_run(order):
    """Each run a row, by QR; in `standard_error` each cell is one, with its number of runs."""
    levels = np.concatenate([fraction(6, SCREEN), augment(fraction(6, SCREEN), 9)])
    runs = np.random.default_rng(2).integers(1, 4, len(levels))
    r = np.linalg.qr(model_matrix(np.repeat(levels, runs, axis=0), order), mode="r")
    want = 2 * np.linalg.norm(np.linalg.inv(r), axis=1)[1:7]
    np.testing.assert_allclose(standard_error(levels, runs.tolist(), order), want)


def test_extra_runs_of_the_ends_help_and_a_missing_cell_hurts():
    levels = with_ends(fraction(8, ATTRIBUTE))
    ends = np.abs(levels.sum(axis=1, dtype=int)) == 8
    plain = standard_error(levels, 2)
    assert (standard_error(levels, np.where(ends, 6, 2).tolist()) < plain).all()
    assert (standard_error(levels[1:], 2) > plain).any()


def test_a_screen_tells_main_effects_though_interactions_are_aliased():
    screen = fraction(8, SCREEN)
    for order in (1, 2):
        np.testing.assert_allclose(standard_error(screen, 2, order), 2 / np.sqrt(32))


def test_cells_that_do_not_tell_the_main_effects():
    levels = leave_one_out(8)
    assert standard_error(levels) is None
    # with no room for interactions they do
    assert half_width(levels, [1] * 9) == pytest.approx(
        stats.norm.ppf((1 + 0.95 ** (1 / 8)) / 2) * standard_error(levels, 1, 1).max()
    )
    assert standard_error(full(3)[:4], 1, 1) is None  # the third factor is never made
    assert half_width(full(3)[:4], [1] * 4) is None
