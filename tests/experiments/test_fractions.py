"""Fractions against pyDOE3, against enumeration of the defining relation, and by their columns."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyDOE3 import ff2n, fracfact

from nextify.errors import InputError
from nextify.experiments.coding import all_cells, codes_of, model_matrix
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

from .words import generators, words

OFFERED = [(k, resolution) for k in range(2, 14) for resolution in (SCREEN, ATTRIBUTE)]
every_fraction = pytest.mark.parametrize(("k", "resolution"), OFFERED)

# cells and resolution, as in the table that the plans are chosen from
TABLE = {
    SCREEN: "4 8 8:IV 16:V 16:IV 16:IV 16:IV 32:IV 32:IV 32:IV 32:IV 32:IV",
    ATTRIBUTE: "4 8 16 16:V 32:VI 64:VII 64:V 128:VI 128:V 128:V 256:VI 256:V",
}
ROMAN = {"IV": 4, "V": 5, "VI": 6, "VII": 7}


def _rows(levels):
    return {tuple(int(each) for each in row) for row in levels}


def _constant_words(levels, longest):
    """Sets of columns whose product is +1 in all cells, by trying all up to a length."""
    k = levels.shape[1]
    for size in range(1, longest + 1):
        for word in combinations(range(k), size):
            if abs(int(np.prod(levels[:, word], axis=1).sum())) == len(levels):
                yield "".join(LETTERS[at] for at in word)


def _resolution(found):
    """Length of the shortest word; None where nothing is aliased."""
    return len(found[0]) if found else None


@every_fraction
def test_cells_and_resolution_are_those_of_the_table(k, resolution):
    cells, _, roman = TABLE[resolution].split()[k - 2].partition(":")
    found = _resolution(words(k, generators(k, resolution)))
    assert fraction(k, resolution).shape == (int(cells), k)
    assert found == (ROMAN[roman] if roman else None)
    assert found is None or found >= resolution


@every_fraction
def test_the_shortest_words_by_trying_all_products_of_columns(k, resolution):
    """Not from the generators, but from the cells: no product up to the resolution less one is
    constant, and those at the resolution are the shortest words, exactly."""
    known = words(k, generators(k, resolution))
    longest = _resolution(known) or k
    shortest = [word for word in known if len(word) == longest]
    assert list(_constant_words(fraction(k, resolution), longest)) == shortest


@every_fraction
def test_the_defining_relation_holds_in_every_cell_and_is_whole(k, resolution):
    made = fraction(k, resolution)
    known = words(k, generators(k, resolution))
    assert len(set(known)) == 2 ** (k - int(np.log2(len(made)))) - 1
    for word in known:
        assert (np.prod(made[:, [LETTERS.index(each) for each in word]], axis=1) == 1).all()


@every_fraction
def test_the_same_rows_as_pydoe(k, resolution):
    products = generators(k, resolution)
    terms = [*LETTERS[: k - len(products)], *products]
    assert _rows(fraction(k, resolution)) == _rows(fracfact(" ".join(terms).lower()))


@pytest.mark.parametrize("k", [2, 5, 8])
def test_full_is_pydoe_full(k):
    assert _rows(full(k)) == _rows(ff2n(k))


@every_fraction
def test_no_row_twice_and_every_factor_balanced(k, resolution):
    levels = fraction(k, resolution)
    assert len(_rows(levels)) == len(levels)
    assert levels.dtype == np.int8
    assert (levels.sum(axis=0, dtype=int) == 0).all()


@every_fraction
def test_columns_are_orthogonal_as_far_as_the_resolution_promises(k, resolution):
    levels = fraction(k, resolution)
    x = model_matrix(levels)
    products = x.T @ x
    if resolution == ATTRIBUTE:
        assert (products == len(levels) * np.eye(len(products))).all()
    else:  # the mean and main effects with each other and with all interactions
        assert (products[: k + 1] == len(levels) * np.eye(len(products))[: k + 1]).all()


@every_fraction
def test_both_ends_wherever_the_words_allow(k, resolution):
    made = fraction(k, resolution)
    even = all(len(word) % 2 == 0 for word in words(k, generators(k, resolution)))
    rows = _rows(made)
    assert (1,) * k in rows
    assert even == ((-1,) * k in rows)
    if resolution == SCREEN and k != 5:
        assert even
    ended = with_ends(made)
    assert {(1,) * k, (-1,) * k} <= _rows(ended)
    assert len(ended) == len(made) + (not even)
    assert (ended[: len(made)] == made).all()


def test_no_signs_hold_both_ends_of_an_odd_word():
    """Why the default plan adds a cell: all sixteen choices of signs of its two generators."""
    base = all_cells(6)
    for signs in [(a, b) for a in (-1, 1) for b in (-1, 1)]:
        g = signs[0] * base[:, [0, 1, 2, 3]].prod(axis=1)
        h = signs[1] * base[:, [0, 1, 4, 5]].prod(axis=1)
        rows = _rows(np.column_stack([base, g, h]))
        assert not {(1,) * 8, (-1,) * 8} <= rows


def test_with_ends_adds_both_to_a_plan_that_has_neither():
    assert with_ends(np.array([[1, -1, 1]], dtype=np.int8)).tolist()[1:] == [[-1] * 3, [1] * 3]
    assert len(with_ends(full(4))) == 16


@pytest.mark.parametrize("k", [9, 10, 11, 12, 13])
def test_screens_have_the_fewest_short_words_of_all_even_fractions(k):
    odd = ["".join(c) for size in (3, 5) for c in combinations("ABCDE", size)]

    def pattern(products):
        lengths = [len(word) for word in words(k, products)]
        return [lengths.count(size) for size in range(4, k + 1)]

    # for 12 and 13 factors only every seventh: enumerating all of them takes seconds
    chosen = list(combinations(odd, k - 5))[:: 1 if k < 11 else 7]
    assert pattern(generators(k, SCREEN)) <= min(map(pattern, chosen))


def test_fold_over_of_resolution_three_is_four():
    products = ["AB", "AC", "BC", "ABC"]
    assert _resolution(words(7, products)) == 3
    levels = regular(7, products)
    both = np.concatenate([levels, fold_over(levels)])
    assert len(both) == 16
    assert {len(word) for word in _constant_words(both, 4)} == {4}


def test_fold_over_of_one_factor_frees_its_interactions():
    screen = fraction(8, SCREEN)
    both = np.concatenate([screen, fold_over(screen, factor=2)])
    assert len(_rows(both)) == 32
    assert all("C" not in word for word in _constant_words(both, 4))


@given(st.data())
def test_fold_over_is_new_reversed_and_complete(data):
    k = data.draw(st.integers(2, 7))
    codes = data.draw(st.sets(st.integers(0, 2**k - 1), min_size=1))
    factor = data.draw(st.none() | st.integers(0, k - 1))
    levels = all_cells(k)[sorted(codes)]
    mask = 2**k - 1 if factor is None else 1 << factor
    new = codes_of(fold_over(levels, factor)).tolist()
    assert sorted(new) == sorted({code ^ mask for code in codes} - codes)


@given(st.data())
def test_any_regular_fraction_satisfies_its_words(data):
    k = data.draw(st.integers(2, 9))
    base = data.draw(st.integers(max(1, k - 4), k))
    nonempty = st.sets(st.sampled_from(LETTERS[:base]), min_size=1).map(sorted).map("".join)
    products = [data.draw(nonempty) for _ in range(base, k)]
    made = regular(k, products)
    assert len(made) == 2**base == len(_rows(made))
    assert set(_constant_words(made, k)) == set(words(k, products))


@given(st.integers(2, 10), st.integers(0, 2**32))
def test_a_cell_number_is_its_row(k, seed):
    some = np.random.default_rng(seed).integers(0, 2**k, 20)
    assert (codes_of(all_cells(k)[some]) == some).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fraction(1, SCREEN), "factors: 1; .*name at least 2"),
        (lambda: fraction(14, ATTRIBUTE), "factors: 14; .*group choices"),
        (lambda: full(14), "factors: 14"),
    ],
)
def test_refused_at_the_door(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_letters_skip_the_mean():
    assert "I" not in LETTERS
