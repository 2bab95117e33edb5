"""What cannot be told apart: from the defining relation, and from ranks."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.errors import InputError
from nextify.experiments.aliases import alias_sets, estimable, partial_aliases
from nextify.experiments.coding import LETTERS, all_cells, effect_name, effects, model_matrix
from nextify.experiments.fractions import SCREEN, fold_over, fraction, full, regular


def _by_words(words, k):
    """The alias sets of a regular fraction: effects whose product is a word."""
    names = [frozenset(effect_name(each)) - {"I"} for each in effects(k)]
    whole = {frozenset(word) for word in words} | {frozenset()}
    sets = {frozenset(other for other in names if each ^ other in whole) for each in names}
    return {each for each in sets if len(each) > 1}


def _found(levels):
    return {
        frozenset(frozenset(effect_name(each)) - {"I"} for each in group.effects)
        for group in alias_sets(levels)
    }


@pytest.mark.parametrize("k", range(2, 14))
def test_screens_have_the_aliases_of_their_defining_relation(k):
    plan = fraction(k, SCREEN)
    assert _found(plan.levels) == _by_words(plan.words, k)
    assert partial_aliases(plan.levels) == ()


@pytest.mark.parametrize("generators", [["D=AB", "E=AC"], ["D=AB", "E=ABC"]])
def test_main_effects_aliased_with_interactions(generators):
    plan = regular(5, generators)
    assert _found(plan.levels) == _by_words(plan.words, 5)


def test_fold_over_of_one_factor_leaves_aliases_among_the_others_only():
    screen = fraction(8, SCREEN).levels
    both = np.concatenate([screen, fold_over(screen, factor=0)])
    left = [each for group in alias_sets(both) for each in group.effects]
    assert left and all(0 not in each and len(each) == 2 for each in left)


def test_a_reversed_half_has_negative_signs():
    half = regular(3, ["C=AB"]).levels
    other = fold_over(half)
    assert alias_sets(half)[0].text == "A = BC"
    assert alias_sets(other)[0].text == "A = -BC"


def test_a_factor_that_is_never_made_is_an_alias_of_the_mean():
    never = full(3).levels[:4]
    assert "I = -C" in [each.text for each in alias_sets(never)]
    assert (2,) not in estimable(never, "main")


def test_partial_aliases_are_the_correlations():
    levels = all_cells(4)[[0, 1, 3, 6, 8, 9, 13, 14, 15]]
    x = model_matrix(levels)
    want = x.T @ x / len(x)
    found = {(one, two): value for one, two, value in partial_aliases(levels)}
    terms = effects(4)
    for (at, one), (also, two) in combinations(enumerate(terms), 2):
        value = want[at, also]
        is_partial = 1e-12 < abs(value) < 1 - 1e-12
        assert ((one, two) in found) == is_partial
        assert not is_partial or found[one, two] == pytest.approx(value)


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


def test_letters_skip_the_mean():
    assert "I" not in LETTERS


def test_no_cells_are_refused():
    for call in (alias_sets, partial_aliases, estimable):
        with pytest.raises(InputError, match="no cells"):
            call(np.empty((0, 3), dtype=np.int8))
    with pytest.raises(InputError, match="unknown model 'mains'; did you mean 'main'"):
        estimable(full(2).levels, "mains")
