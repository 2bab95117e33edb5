"""D-optimal cells against brute force over all sets of cells, where these can be enumerated."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.experiments.coding import all_cells, codes_of, effects, model_matrix
from nextify.experiments.fractions import SCREEN, fraction, full, regular
from nextify.experiments.optimal import augment
from nextify.experiments.precision import estimable

NOTHING = np.empty((0, 4), dtype=np.int8)


def d_efficiency(levels, order=2):
    """det(X'X)^(1/p) / cells: 1 for an orthogonal plan, 0 where an effect is not estimable."""
    x = model_matrix(levels, order)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return 0.0
    return np.exp(np.linalg.slogdet(x.T @ x)[1] / x.shape[1]) / len(x)


def _largest(x, known, free, count):
    """The largest determinant of all choices of `count` free rows."""
    sets = np.array(list(combinations(free, count)))
    return np.linalg.det(known.T @ known + np.swapaxes(x[sets], 1, 2) @ x[sets]).max()


CASES = [
    (regular(3, ["AB"]), 3, 2),
    (regular(4, ["ABC"]), 3, 2),
    (regular(4, ["ABC"]), 4, 2),
    (regular(5, ["AB", "AC"]), 3, 1),
    (all_cells(5)[[0, 1, 2]], 4, 1),
    (NOTHING, 5, 1),
    (NOTHING, 11, 2),
    (NOTHING, 12, 2),
]


@pytest.mark.parametrize(("earlier", "cells", "order"), CASES)
def test_as_good_as_the_best_of_all_sets(earlier, cells, order):
    x = model_matrix(all_cells(earlier.shape[1]), order)
    known = model_matrix(earlier, order)
    free = np.setdiff1d(np.arange(len(x)), codes_of(earlier))
    new = augment(earlier, cells, order)
    after = model_matrix(np.concatenate([earlier, new]), order)
    assert np.linalg.det(after.T @ after) == pytest.approx(_largest(x, known, free, cells))


@settings(max_examples=30)
@given(st.data())
def test_new_cells_make_everything_estimable_with_as_few_as_can_do(data):
    k = data.draw(st.integers(2, 6))
    codes = data.draw(st.sets(st.integers(0, 2**k - 1), max_size=2 ** (k - 1)))
    order = data.draw(st.sampled_from([1, 2]))
    earlier = all_cells(k)[sorted(codes)]
    known = model_matrix(earlier, order)
    rank = int(np.linalg.matrix_rank(known)) if codes else 0
    least = max(1, known.shape[1] - rank)
    if least > 2**k - len(codes):
        return
    new = augment(earlier, least, order)
    both = np.concatenate([earlier, new])
    assert len(set(codes_of(both).tolist())) == len(both) == len(codes) + least
    assert estimable(both, order) == effects(k, order)
    assert 0 < d_efficiency(both, order) <= 1 + 1e-12
    if least > 1:
        with pytest.raises(InputError, match=f"add at least {least}"):
            augment(earlier, least - 1, order)


def test_a_screen_of_eight_factors_becomes_able_to_tell_all_pairs_apart():
    screen = fraction(8, SCREEN)
    assert len(estimable(screen)) == 9 and d_efficiency(screen) == 0.0
    sizes = []
    for cells in (21, 32, 48):
        both = np.concatenate([screen, augment(screen, cells)])
        assert len(estimable(both)) == 37
        sizes.append(np.linalg.slogdet(model_matrix(both).T @ model_matrix(both))[1])
    assert sizes == sorted(sizes)
    assert d_efficiency(both) > 0.9


def test_64_cells_from_nothing_are_as_good_as_the_resolution_v_fraction():
    made = augment(np.empty((0, 8), dtype=np.int8), 64)
    assert d_efficiency(made) == pytest.approx(1.0)


def test_better_than_cells_at_random():
    earlier = fraction(6, SCREEN)
    free = np.setdiff1d(np.arange(64), codes_of(earlier))
    generator = np.random.default_rng(0)
    lots = [all_cells(6)[generator.choice(free, 12, replace=False)] for _ in range(200)]
    found = d_efficiency(np.concatenate([earlier, augment(earlier, 12)]))
    assert found > max(d_efficiency(np.concatenate([earlier, each])) for each in lots)


def test_the_same_arguments_give_the_same_cells():
    screen = fraction(7, SCREEN)
    assert (augment(screen, 20) == augment(screen, 20)).all()


def test_earlier_cells_run_twice_count_twice():
    """Repeats carry information and are no candidates."""
    earlier = np.concatenate([all_cells(3)[[0, 7]]] * 3)
    new = augment(earlier, 6)
    assert sorted(codes_of(new).tolist()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("earlier", [[], [15], [0, 1, 2, 3]])
def test_no_cell_comes_twice_however_many_are_asked_for(earlier):
    there = all_cells(4)[earlier]
    for cells in range(5, 17 - len(earlier)):
        codes = codes_of(augment(there, cells, 1)).tolist()
        assert len({*codes, *earlier}) == cells + len(earlier)


def test_thirteen_factors():
    screen = fraction(13, SCREEN)
    both = np.concatenate([screen, augment(screen, 70)])
    assert len(estimable(both)) == 92


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augment(fraction(8, SCREEN), 20), "20 .* 37 effects.*add at least 21"),
        (lambda: augment(fraction(4, SCREEN), 9), "only 8 are not yet"),
        (lambda: augment(full(3), 1), "only 0 are not yet"),
        (lambda: augment(full(3), 0), "add at least 1"),
        (lambda: augment(np.ones((1, 14), dtype=np.int8), 99), "factors: 14"),
    ],
)
def test_refused_at_the_door(call, message):
    with pytest.raises(InputError, match=message):
        call()
