"""What a plan's cells cannot tell apart: effects with the same column, and effects in part so.

All of it is computed from the cells as they are, so that it holds for regular fractions, for
what fold-over and augmentation make of them, and for plans with cells missing.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nextify.errors import InputError
from nextify.experiments.coding import (
    Effect,
    Floats,
    Levels,
    Model,
    as_levels,
    effect_name,
    effects,
    model_matrix,
    order_of,
)

_RANK = 1e-9  # singular values below this part of the largest are rounding


@dataclass(frozen=True, slots=True)
class AliasSet:
    """Effects whose columns are the same up to their sign: only their signed sum can be estimated.

    Attributes:
        effects: as factor indices, () the mean. signs: +1 or -1, relative to the first.
    """

    effects: tuple[Effect, ...]
    signs: tuple[int, ...]

    @property
    def text(self) -> str:
        """In letters.

        >>> AliasSet(((0, 1), (2, 3)), (1, -1)).text
        'AB = -CD'
        """
        pairs = zip(self.effects, self.signs, strict=True)
        return " = ".join(("" if sign > 0 else "-") + effect_name(each) for each, sign in pairs)


def alias_sets(levels: Levels) -> tuple[AliasSet, ...]:
    """The mean, main effects and two-factor interactions that cannot be told apart at all.

    A factor that is never varied comes out as an alias of the mean.

    >>> from nextify.experiments.fractions import fraction, SCREEN, ATTRIBUTE
    >>> [each.text for each in alias_sets(fraction(6, SCREEN).levels)][:2]
    ['AB = CE = DF', 'AC = BE']
    >>> alias_sets(fraction(6, ATTRIBUTE).levels)
    ()
    """
    terms, matrix = _matrix(levels)
    groups: dict[bytes, list[int]] = {}
    for at, column in enumerate(matrix.T):
        groups.setdefault((column * column[0]).tobytes(), []).append(at)
    return tuple(
        AliasSet(
            tuple(terms[at] for at in group),
            tuple(int(matrix[0, at] * matrix[0, group[0]]) for at in group),
        )
        for group in groups.values()
        if len(group) > 1
    )


def partial_aliases(levels: Levels) -> tuple[tuple[Effect, Effect, float], ...]:
    """Pairs of effects that are neither orthogonal nor the same, with their correlation.

    The correlation is the mean product of the two columns, so that it is defined with the mean
    too. There are none in a regular fraction; a missing cell makes every pair one.

    >>> from nextify.experiments.fractions import full
    >>> partial_aliases(full(2).levels[1:])[0]
    ((), (0,), 0.3333333333333333)
    """
    terms, matrix = _matrix(levels)
    cells = len(matrix)
    products = matrix.T @ matrix  # of whole numbers: exact
    pairs = combinations(range(len(terms)), 2)
    return tuple(
        (terms[one], terms[two], float(products[one, two] / cells))
        for one, two in pairs
        if 0 < abs(products[one, two]) < cells
    )


def estimable(levels: Levels, model: Model = "interactions") -> tuple[Effect, ...]:
    """The effects of a model that these cells can estimate, all others of the model unknown.

    >>> from nextify.experiments.fractions import fraction, SCREEN
    >>> len(estimable(fraction(8, SCREEN).levels))  # the mean and the main effects
    9
    >>> estimable(fraction(3, SCREEN).levels[:4])  # the third factor never made
    ((0, 1),)
    >>> estimable(fraction(3, SCREEN).levels[:4], "main")
    ((0,), (1,))
    """
    cells = _some(levels)
    _, sizes, rows = np.linalg.svd(model_matrix(cells, model), full_matrices=False)
    known = np.sum(np.square(rows[sizes > _RANK * sizes[0]]), axis=0)
    terms = effects(cells.shape[1], order_of(model))
    return tuple(each for each, part in zip(terms, known, strict=True) if part > 1 - 1e-8)


def _matrix(levels: Levels) -> tuple[tuple[Effect, ...], Floats]:
    cells = _some(levels)
    return effects(cells.shape[1]), model_matrix(cells)


def _some(levels: Levels) -> Levels:
    cells = as_levels(levels)
    if len(cells) == 0:
        raise InputError("levels: no cells; give at least one")
    return cells
