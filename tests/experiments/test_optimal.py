"""D-optimal cells against brute force over all sets of cells, where these can be enumerated."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.experiments.aliases import alias_sets, estimable
from nextify.experiments.coding import all_cells, codes_of, effects, model_matrix, order_of
from nextify.experiments.fractions import SCREEN, fraction, full, regular
from nextify.experiments.optimal import (
    augment,
    contrasts,
    d_efficiency,
    matrix_efficiency,
    multi_level,
    multi_level_matrix,
)

NOTHING = np.empty((0, 4), dtype=np.int8)


def _largest(x, known, free, count):
    """The largest determinant of all choices of `count` free rows."""
    sets = np.array(list(combinations(free, count)))
    return np.linalg.det(known.T @ known + np.swapaxes(x[sets], 1, 2) @ x[sets]).max()


CASES = [
    (regular(3, ["C=AB"]).levels, 3, "interactions"),
    (regular(4, ["D=ABC"]).levels, 3, "interactions"),
    (regular(4, ["D=ABC"]).levels, 4, "interactions"),
    (regular(5, ["D=AB", "E=AC"]).levels, 3, "main"),
    (all_cells(5)[[0, 1, 2]], 4, "main"),
    (NOTHING, 5, "main"),
    (NOTHING, 11, "interactions"),
    (NOTHING, 12, "interactions"),
]


@pytest.mark.parametrize(("earlier", "cells", "model"), CASES)
def test_as_good_as_the_best_of_all_sets(earlier, cells, model):
    x = model_matrix(all_cells(earlier.shape[1]), model)
    known = model_matrix(earlier, model)
    free = np.setdiff1d(np.arange(len(x)), codes_of(earlier))
    new = augment(earlier, cells, model)
    after = model_matrix(np.concatenate([earlier, new]), model)
    assert np.linalg.det(after.T @ after) == pytest.approx(_largest(x, known, free, cells))


@settings(max_examples=30)
@given(st.data())
def test_new_cells_make_everything_estimable_with_as_few_as_can_do(data):
    k = data.draw(st.integers(2, 6))
    codes = data.draw(st.sets(st.integers(0, 2**k - 1), max_size=2 ** (k - 1)))
    model = data.draw(st.sampled_from(["main", "interactions"]))
    earlier = all_cells(k)[sorted(codes)]
    known = model_matrix(earlier, model)
    rank = int(np.linalg.matrix_rank(known)) if codes else 0
    least = max(1, known.shape[1] - rank)
    if least > 2**k - len(codes):
        return
    new = augment(earlier, least, model)
    both = np.concatenate([earlier, new])
    assert len(set(codes_of(both).tolist())) == len(both) == len(codes) + least
    assert estimable(both, model) == effects(k, order_of(model))
    assert 0 < d_efficiency(both, model) <= 1 + 1e-12
    if least > 1:
        with pytest.raises(InputError, match=f"add at least {least}"):
            augment(earlier, least - 1, model)


def test_a_screen_of_eight_factors_becomes_able_to_tell_all_pairs_apart():
    screen = fraction(8, SCREEN).levels
    assert alias_sets(screen) and d_efficiency(screen) == 0.0
    sizes = []
    for cells in (21, 32, 48):
        both = np.concatenate([screen, augment(screen, cells)])
        assert alias_sets(both) == () and len(estimable(both)) == 37
        sizes.append(np.linalg.slogdet(model_matrix(both).T @ model_matrix(both))[1])
    assert sizes == sorted(sizes)
    assert d_efficiency(both) > 0.9


def test_64_cells_from_nothing_are_as_good_as_the_resolution_v_fraction():
    made = augment(np.empty((0, 8), dtype=np.int8), 64)
    assert d_efficiency(made) == pytest.approx(1.0)


def test_better_than_cells_at_random():
    earlier = fraction(6, SCREEN).levels
    free = np.setdiff1d(np.arange(64), codes_of(earlier))
    generator = np.random.default_rng(0)
    lots = [all_cells(6)[generator.choice(free, 12, replace=False)] for _ in range(200)]
    found = d_efficiency(np.concatenate([earlier, augment(earlier, 12)]))
    assert found > max(d_efficiency(np.concatenate([earlier, each])) for each in lots)


def test_the_same_arguments_give_the_same_cells():
    screen = fraction(7, SCREEN).levels
    assert (augment(screen, 20) == augment(screen, 20)).all()
    assert (augment(screen, 20, seed=1) == augment(screen, 20, seed=1)).all()


def test_earlier_cells_run_twice_count_twice():
    """Repeats carry information and are no candidates."""
    earlier = np.concatenate([all_cells(3)[[0, 7]]] * 3)
    new = augment(earlier, 6)
    assert sorted(codes_of(new).tolist()) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("earlier", [[], [15], [0, 1, 2, 3]])
def test_no_cell_comes_twice_however_many_are_asked_for(earlier):
    there = all_cells(4)[earlier]
    for cells in range(5, 17 - len(earlier)):
        codes = codes_of(augment(there, cells, "main")).tolist()
        assert len({*codes, *earlier}) == cells + len(earlier)


def test_thirteen_factors():
    screen = fraction(13, SCREEN).levels
    both = np.concatenate([screen, augment(screen, 70, starts=1)])
    assert len(estimable(both)) == 92


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 9, 16])
def test_contrasts_are_orthonormal_polynomials(levels):
    found = np.column_stack([np.ones(levels), contrasts(levels)])
    np.testing.assert_allclose(found.T @ found, levels * np.eye(levels), atol=1e-9)
    for degree, column in enumerate(found.T):
        at = np.arange(levels)
        fitted = np.polynomial.Chebyshev.fit(at, column, degree)(at)
        np.testing.assert_allclose(fitted, column, atol=1e-9)


@pytest.mark.parametrize(("sizes", "cells"), [((3, 2), 4), ((3, 2, 2), 6), ((4, 3), 7)])
def test_multi_level_is_as_good_as_the_best_of_all_sets(sizes, cells):
    every = np.array(list(product(*map(range, sizes))), dtype=np.int8)
    x = multi_level_matrix(every, sizes)
    want = _largest(x, np.zeros((0, x.shape[1])), range(len(every)), cells)
    made = multi_level_matrix(multi_level(sizes, cells), sizes)
    assert np.linalg.det(made.T @ made) == pytest.approx(want)


def test_kernel_sizes_with_seven_factors_of_two_levels():
    sizes = [4] + [2] * 7
    plan = multi_level(sizes, 16)
    assert len({tuple(row) for row in plan.tolist()}) == 16
    assert np.bincount(plan[:, 0]).tolist() == [4, 4, 4, 4]
    # an orthogonal array of 16 runs with one factor of 4 and 12 of 2 levels exists
    assert matrix_efficiency(multi_level_matrix(plan, sizes)) > 0.95


def test_multi_level_with_two_levels_is_the_two_level_model():
    plan = full(3).levels
    indices = (plan > 0).astype(np.int8)
    assert (multi_level_matrix(indices, [2, 2, 2], "interactions") == model_matrix(plan)).all()
    assert len(multi_level([3, 2], 6, "interactions")) == 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augment(fraction(8, SCREEN).levels, 20), "20 .* 37 effects.*add at least 21"),
        (lambda: augment(fraction(4, SCREEN).levels, 9), "only 8 are not yet"),
        (lambda: augment(full(3).levels, 1), "only 0 are not yet"),
        (lambda: augment(full(3).levels, 0), "add at least 1"),
        (lambda: augment(np.ones((1, 14), dtype=np.int8), 99), "factors: 14"),
        (lambda: augment(NOTHING, 11, starts=0), "starts: 0"),
        (lambda: augment(NOTHING, 8, "mian"), "unknown model 'mian'"),
        (lambda: multi_level([4, 1], 4), "levels_per_factor: .*2 to 16"),
        (lambda: multi_level([], 4), "levels_per_factor"),
        (lambda: multi_level([4] * 8, 40), "more than 16384"),
        (lambda: multi_level([4, 2], 4), "cells: 4 new ones are too few"),
        (lambda: multi_level([4, 2], 9), "only 8"),
    ],
)
def test_refused_at_the_door(call, message):
    with pytest.raises(InputError, match=message):
        call()
