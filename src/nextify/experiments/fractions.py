"""Regular two-level fractions 2^(k-p): which of the 2^k cells to run, and what that confounds.

The first k - p factors, the base, take all their combinations; every further factor is the product
of some of them, its generator: "G=ABCD". Then ABCDG is constant, a *word*; the words and their
products are the defining relation, and the shortest word's length is the resolution. At IV no main
effect is aliased with a two-factor interaction; at V no two of the two-factor interactions either.
(Box, Hunter and Hunter 2005, Statistics for Experimenters, chapters 5 and 6.)

All generators have a plus sign: then the cell with all choices made is in every fraction. The cell
with none is in it exactly if all words are even, for an odd word is -1 there; no signs hold both
ends of an odd word. The screens for 9 and 10 factors are therefore the best *even* ones: they have
more aliased pairs of interactions than the least possible (9 words of length four for 6, 15 for
10), but hold both ends. Where an end is missing, `with_ends` adds it as an extra cell.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np

from nextify.experiments.coding import Levels, all_cells, check_factors, codes_of

LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # the factors' names in words: I is the mean
SCREEN, ATTRIBUTE = 4, 5  # the resolutions that plans ask for

# Generators of the factors after the base, in their order; the fewest cells for the resolution. 4:
# of the even ones that with the fewest words of length four, then six, ..., by enumeration (k = 5:
# resolution V in as many cells). 5: k = 8 to 11 as in the common tables (such as Chen, Sun and Wu
# 1993, International Statistical Review 61); 12 and 13 found by search, their words being codes of
# distance 6 and 5. Where k is not named, only the full factorial does it.
GENERATORS: dict[int, dict[int, str]] = {
    SCREEN: {
        4: "ABC",
        5: "ABCD",
        6: "ABC ABD",
        7: "ABC ABD ACD",
        8: "ABC ABD ACD BCD",
        9: "ABC ABD ACE ADE",
        10: "ABC ABD ACE ADE ABCDE",
        11: "ABC ABD ACD ABE ACE ADE",
        12: "ABC ABD ACD BCD ABE ACE ADE",
        13: "ABC ABD ACD BCD ABE ACE BCE ADE",
    },
    ATTRIBUTE: {
        5: "ABCD",
        6: "ABCDE",
        7: "ABCDEF",
        8: "ABCD ABEF",
        9: "ACDFG BCEFG",
        10: "ABCG BCDE ACDF",
        11: "ABCG BCDE ACDF ABCDEFG",
        12: "ABCDE ABCFG ABDFH ACEGH",
        13: "ABCD ABEF ACEG BCEH DFGH",
    },
}


def full(k: int) -> Levels:
    """All 2^k cells, for k from 2 to 13.

    >>> len(full(8))
    256
    """
    check_factors(k)
    return all_cells(k)


def fraction(k: int, resolution: int) -> Levels:
    """The cells of the smallest fraction that has at least this resolution: no row twice, the first
    factor changing fastest.

    Cells for k = 2 to 13: SCREEN, IV: 4, 8, 8, 16, 16, 16, 16, 32, 32, 32, 32, 32; ATTRIBUTE, V:
    4, 8, 16, 16, 32, 64, 64, 128, 128, 128, 256, 256.

    Args:
        k: factors, 2 to 13.
        resolution: 4 (SCREEN) or 5 (ATTRIBUTE); what is returned can have more.

    >>> len(fraction(8, SCREEN)), len(fraction(3, SCREEN))
    (16, 8)
    """
    check_factors(k)
    return regular(k, GENERATORS[resolution].get(k, "").split())


def regular(k: int, generators: Sequence[str]) -> Levels:
    """The cells of the fraction in which each of the last factors is a product of base factors.

    >>> regular(3, ["AB"]).tolist()
    [[-1, -1, 1], [1, -1, -1], [-1, 1, -1], [1, 1, 1]]
    """
    base = all_cells(k - len(generators))
    made = [
        np.prod(base[:, [LETTERS.index(letter) for letter in product]], axis=1)
        for product in generators
    ]
    return np.column_stack([base, *made]).astype(np.int8)


def words(k: int, resolution: int) -> list[frozenset[int]]:
    """The defining relation of `fraction`: sets of columns whose product is constant.

    >>> [sorted(word) for word in words(5, ATTRIBUTE)]
    [[0, 1, 2, 3, 4]]
    """
    made = GENERATORS[resolution].get(k, "").split()
    first = [
        frozenset((k - len(made) + at, *map(LETTERS.index, product)))
        for at, product in enumerate(made)
    ]
    found = []
    for size in range(1, len(first) + 1):
        for chosen in combinations(first, size):
            count = Counter(column for word in chosen for column in word)
            found.append(frozenset(column for column, times in count.items() if times % 2))
    return found


def crossing(k: int, crossed: int, resolution: int) -> Levels:
    """A `fraction` of k choices and, in its last columns, of factors that are crossed with them.

    Of all ways to give the columns of the fraction to the crossed factors, the one in which the
    fewest of the shortest words are of choices alone, then of choices and one crossed factor, at
    best the last. With eight choices and two crossed factors no interaction of two choices is then
    aliased with one of three choices (the words of length five, ABCGH, BCDEJ and ACDFK, share the
    crossed C), nor is one of a choice with the first crossed factor, D; of those with the second
    four are.

    >>> crossing(8, 2, ATTRIBUTE).shape
    (128, 10)
    """
    levels = fraction(k + crossed, resolution)
    defining = words(k + crossed, resolution)

    def confounding(last: tuple[int, ...]) -> list[float]:
        held = [(len(word), [column in word for column in last]) for word in defining]
        counts = [
            sum(length == size and sum(which) == inside for length, which in held)
            for size in range(SCREEN, ATTRIBUTE + 2)
            for inside in (0, 1)
        ]
        alone = [sum(which[:1] == [True] and sum(which) == 1 for size, which in held
                     if size <= ATTRIBUTE)]  # fmt: skip
        return [*counts, *alone]

    last = min(permutations(range(k + crossed), crossed), key=confounding)
    return levels[:, [*(at for at in range(k + crossed) if at not in last), *last]]


def with_ends(levels: Levels, crossed: int = 0) -> Levels:
    """The cells, and after them the cell with no choice made and that with all, where missing; at
    all settings of so many crossed factors, which are the last columns.

    >>> with_ends(fraction(5, ATTRIBUTE))[16:].tolist()
    [[-1, -1, -1, -1, -1]]
    >>> len(with_ends(crossing(8, 2, ATTRIBUTE), crossed=2))
    134
    """
    choices = levels.shape[1] - crossed
    settings = all_cells(crossed)
    ends = [
        np.column_stack([np.full((len(settings), choices), level), settings]) for level in (-1, 1)
    ]
    return np.concatenate([levels, _new(np.concatenate(ends).astype(np.int8), levels)])


def fold_over(levels: Levels, factor: int | None = None) -> Levels:
    """The cells with all signs reversed, or one factor's, that are not there yet.

    Run in addition, they take what is aliased apart: reversing all signs frees the main effects
    of all two-factor interactions, reversing one factor's frees that factor and its interactions
    (Box, Hunter and Hunter 2005, chapter 6).

    Even fractions, among them all screens here but that for five factors, are their own fold-over:
    then there are no new cells, and reversing one factor or `augment` is the way on.

    >>> screen = fraction(8, SCREEN)
    >>> len(fold_over(screen)), len(fold_over(screen, factor=2))
    (0, 16)
    """
    signs = np.ones(levels.shape[1], dtype=np.int8)
    signs[slice(None) if factor is None else factor] = -1
    return _new(levels * signs, levels)


def _new(candidates: Levels, cells: Levels) -> Levels:
    return candidates[~np.isin(codes_of(candidates), codes_of(cells))]
