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

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nextify.errors import InputError
from nextify.experiments.coding import (
    LETTERS,
    Levels,
    all_cells,
    as_levels,
    check_factors,
    codes_of,
)

SCREEN, ATTRIBUTE = 4, 5  # the resolutions that plans ask for

# Generators of the factors after the base; the fewest cells for the resolution. 4: of the even
# ones that with the fewest words of length four, then six, ..., by enumeration (k = 5: resolution V
# in as many cells). 5: k = 8 to 11 as in the common tables (such as Chen, Sun and Wu 1993,
# International Statistical Review 61); 12 and 13 found by search, their words being codes of
# distance 6 and 5. Where k is not named, only the full factorial does it.
_GENERATORS: dict[int, dict[int, str]] = {
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
_ROMAN = ("0", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII")


@dataclass(frozen=True, eq=False, slots=True)
class Fraction:
    """A regular fraction, or the full factorial (without generators and words).

    Attributes:
        levels: (cells, k) of +1 and -1, no row twice, the first factor changing fastest.
        generators: one a factor after the base, as "G=ABCD".
        words: the defining relation without I, the shortest first.

    >>> fraction(8, ATTRIBUTE).words
    ('ABCDG', 'ABEFH', 'CDEFGH')
    """

    levels: Levels
    generators: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def factors(self) -> int:
        """How many there are: k."""
        return int(self.levels.shape[1])

    @property
    def cells(self) -> int:
        """How many there are: 2^(k - p)."""
        return len(self.levels)

    @property
    def resolution(self) -> int | None:
        """Length of the shortest word; None for a full factorial, where nothing is aliased."""
        return len(self.words[0]) if self.words else None

    @property
    def holds_none(self) -> bool:
        """Whether the cell with no choice made is one of its cells; that with all always is."""
        return all(len(word) % 2 == 0 for word in self.words)

    @property
    def text(self) -> str:
        """In a line, for people.

        >>> fraction(8, ATTRIBUTE).text
        '64 of 256 cells, resolution V (G=ABCD, H=ABEF); the cell with no choice made is not one'
        >>> full(3).text
        '8 cells, the full factorial'
        """
        if self.resolution is None:
            return f"{self.cells} cells, the full factorial"
        missing = "" if self.holds_none else "; the cell with no choice made is not one"
        by = ", ".join(self.generators)
        of = f"{self.cells} of {1 << self.factors} cells"
        return f"{of}, resolution {_ROMAN[self.resolution]} ({by}){missing}"


def full(k: int) -> Fraction:
    """All 2^k cells, for k from 2 to 13.

    >>> full(8).cells
    256
    """
    check_factors(k)
    return Fraction(all_cells(k), (), ())


def fraction(k: int, resolution: int) -> Fraction:
    """The fraction with the fewest cells that has at least this resolution.

    Cells for k = 2 to 13: SCREEN, IV: 4, 8, 8, 16, 16, 16, 16, 32, 32, 32, 32, 32; ATTRIBUTE, V:
    4, 8, 16, 16, 32, 64, 64, 128, 128, 128, 256, 256.

    Args:
        k: factors, 2 to 13.
        resolution: 4 (SCREEN) or 5 (ATTRIBUTE); what is returned can have more.

    >>> fraction(8, SCREEN).text
    '16 of 256 cells, resolution IV (E=ABC, F=ABD, G=ACD, H=BCD)'
    >>> fraction(3, SCREEN).text
    '8 cells, the full factorial'
    """
    check_factors(k)
    if resolution not in _GENERATORS:
        raise InputError(f"resolution: {resolution}; give 4 (screen), 5 (attribute), or run full")
    products = _GENERATORS[resolution].get(k, "").split()
    base = k - len(products)
    pairs = zip(LETTERS[base:k], products, strict=True)
    return regular(k, [f"{letter}={product}" for letter, product in pairs])


def regular(k: int, generators: Iterable[str]) -> Fraction:
    """The fraction with these generators: one for each of the last factors, in their order.

    >>> regular(3, ["C=AB"]).levels.tolist()
    [[-1, -1, 1], [1, -1, -1], [-1, 1, -1], [1, 1, 1]]

    Raises:
        InputError: where a generator is not the next factor's letter, "=", and letters of the base.
    """
    check_factors(k)
    names = tuple(generators)
    base = k - len(names)
    if base < 1:
        raise InputError(f"generators: {len(names)} for {k} factors; give at most {k - 1}")
    columns = all_cells(base)
    for letter, name in zip(LETTERS[base:k], names, strict=True):
        columns = np.column_stack([columns, _product(columns[:, :base], letter, name)])
    return Fraction(columns.astype(np.int8), names, _words(names))


def _product(base: Levels, letter: str, generator: str) -> Levels:
    left, _, right = generator.partition("=")
    known = LETTERS[: base.shape[1]]
    if left != letter or not right or len(set(right)) < len(right) or set(right) - set(known):
        want = f"{letter}= and some of the base factors {known}, each once"
        raise InputError(f"generator: {generator!r}; give {want}")
    return np.asarray(np.prod(base[:, [known.index(each) for each in right]], axis=1))


def _words(generators: tuple[str, ...]) -> tuple[str, ...]:
    """The generators' words and all their products: 2^p - 1."""
    found: list[frozenset[str]] = [frozenset()]
    for generator in generators:
        word = frozenset(generator.replace("=", ""))
        found += [word ^ each for each in found]
    return tuple(sorted(("".join(sorted(word)) for word in found[1:]), key=lambda w: (len(w), w)))


def with_ends(levels: Levels) -> Levels:
    """The cells, and after them the cell with no choice made and that with all, where missing.

    >>> plan = fraction(5, ATTRIBUTE)
    >>> plan.holds_none, with_ends(plan.levels)[16:].tolist()
    (False, [[-1, -1, -1, -1, -1]])
    """
    cells = as_levels(levels)
    ends = np.array([[-1], [1]], dtype=np.int8).repeat(cells.shape[1], axis=1)
    return np.concatenate([cells, _new(ends, cells)])


def fold_over(levels: Levels, factor: int | None = None) -> Levels:
    """The cells with all signs reversed, or one factor's, that are not there yet.

    Run in addition, they take what is aliased apart: reversing all signs frees the main effects
    of all two-factor interactions, reversing one factor's frees that factor and its interactions
    (Box, Hunter and Hunter 2005, chapter 6). See `alias_sets` for what the union leaves.

    Even fractions, among them all screens here but that for five factors, are their own fold-over:
    then there are no new cells, and reversing one factor or `augment` is the way on.

    >>> screen = fraction(8, SCREEN).levels
    >>> len(fold_over(screen)), len(fold_over(screen, factor=2))
    (0, 16)
    """
    cells = as_levels(levels)
    k = cells.shape[1]
    if factor is not None and not 0 <= factor < k:
        raise InputError(f"factor: {factor}; give one from 0 to {k - 1}, or none for all")
    signs = np.ones(k, dtype=np.int8)
    signs[slice(None) if factor is None else factor] = -1
    return _new(cells * signs, cells)


def _new(candidates: Levels, cells: Levels) -> Levels:
    return candidates[~np.isin(codes_of(candidates), codes_of(cells))]
