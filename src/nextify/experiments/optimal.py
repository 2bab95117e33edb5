"""D-optimal plans: the cells that make the determinant of X'X largest, found by exchange.

For what no regular fraction covers: cells that complete an earlier plan. The search starts from
cells taken one after another where the fit is least certain, and then exchanges one cell for
another as long as that helps (Fedorov 1972, Theory of Optimal Experiments; as in Atkinson, Donev
and Tobias 2007, chapter 12), from several seeded starts. It finds a good plan, not surely the best;
the same arguments always give the same plan.
"""

from dataclasses import InitVar, dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Floats, Levels, codes_of, model_matrix
from nextify.experiments.fractions import full

_RIDGE = 1e-6  # makes X'X invertible while there are fewer cells than effects
_TIE = 1e-9  # differences below this are rounding: the first of the equals is taken
_PASSES = 100
_STARTS = 8

Rows = NDArray[np.int64]


def augment(levels: Levels, cells: int, order: int = 2) -> Levels:
    """New cells for an earlier plan, such that all effects of the model become estimable.

    Args:
        levels: (earlier cells, k), the earlier plan; (0, k) for a plan from nothing.
        cells: how many to add; none is in the earlier plan, none comes twice.
        order: the model's effects are of up to so many factors.

    Returns:
        (cells, k).

    Raises:
        InputError: where so many cells cannot make all effects estimable, or do not exist.

    >>> from nextify.experiments.fractions import fraction, SCREEN
    >>> augment(fraction(8, SCREEN), 24).shape
    (24, 8)
    """
    candidates = full(levels.shape[1])
    known = model_matrix(levels, order)
    free = ~np.isin(np.arange(len(candidates)), codes_of(levels))
    _check_count(cells, known, int(free.sum()))
    search = _Search(model_matrix(candidates, order), known.T @ known, free)
    return candidates[search.best(cells)]


def spread_out(levels: Levels, count: int) -> Levels:
    """So many of the cells of a plan, such that they tell its main effects best: all factors are
    made and not made about equally often in them, alone and together.

    >>> from nextify.experiments.fractions import fraction, ATTRIBUTE
    >>> spread_out(fraction(8, ATTRIBUTE), 12).sum(axis=0).tolist()
    [0, 0, 0, 0, 0, -4, 0, 0]
    """
    rows = model_matrix(levels, order=1)
    everything = np.ones(len(levels), dtype=np.bool_)
    search = _Search(rows, _RIDGE * np.eye(rows.shape[1]), everything)
    return levels[search.best(min(count, len(levels)))]


def _check_count(cells: int, known: Floats, free: int) -> None:
    terms = known.shape[1]
    rank = int(np.linalg.matrix_rank(known)) if len(known) else 0
    least = max(1, terms - rank)
    if cells < least:
        raise InputError(
            f"cells: {cells} new ones are too few for {terms} effects, of which the earlier "
            f"{len(known)} cells tell {rank} apart; add at least {least}"
        )
    if cells > free:
        raise InputError(f"cells: {cells} new ones, but only {free} are not yet in the plan")


@dataclass(slots=True)
class _Information:
    """The inverse of X'X and the variance x'(X'X)^-1 x of the fit at every candidate.

    Attributes:
        x: (candidates, effects). matrix: X'X, (effects, effects). inverse: of it.
        variance: (candidates,).
    """

    x: Floats
    matrix: InitVar[Floats]
    inverse: Floats = field(init=False)
    variance: Floats = field(init=False)

    def __post_init__(self, matrix: Floats) -> None:
        self.inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        self.variance = np.asarray(np.sum((self.x @ self.inverse) * self.x, axis=1))

    def move(self, row: int, sign: int) -> None:
        """Add a candidate to the plan (+1) or take it out (-1): Sherman and Morrison's formula."""
        direction = self.inverse @ self.x[row]
        scale = sign / (1 + sign * float(direction @ self.x[row]))
        self.inverse = self.inverse - scale * np.outer(direction, direction)
        self.variance = self.variance - scale * np.square(self.x @ direction)

    def gains(self, row: int) -> Floats:
        """By what the determinant grows, as a part of it, with each candidate in place of one."""
        cross = self.x @ (self.inverse @ self.x[row])
        own = self.variance[row]
        return np.asarray(self.variance - own - self.variance * own + np.square(cross))


@dataclass(frozen=True, eq=False, slots=True)
class _Search:
    """Rows of candidates that make the determinant largest.

    Attributes:
        x: (candidates, effects). known: (effects, effects) X'X of the earlier cells.
        free: (candidates,) which are not in the earlier plan.
    """

    x: Floats
    known: Floats
    free: NDArray[np.bool_]

    def best(self, count: int) -> Rows:
        """The best of several exchanges, in ascending order."""
        generator = np.random.default_rng(0)
        best, most = np.empty(0, dtype=np.int64), -np.inf
        for start in range(_STARTS):
            drawn = 0 if start == 0 else int(generator.integers(1, count + 1))
            rows = self._improved(self._start(count, drawn, generator))
            size = float(np.linalg.slogdet(self._with(rows))[1])
            if size > most + _TIE:
                best, most = rows, size
        return np.sort(best)

    def _with(self, rows: Rows) -> Floats:
        """X'X of the earlier cells and some more."""
        return self.known + self.x[rows].T @ self.x[rows]

    def _start(self, count: int, drawn: int, generator: np.random.Generator) -> Rows:
        """Cells one after another: where the fit is least certain, the first `drawn` by lot.

        The lot is among those that are at least half as uncertain as the most uncertain: while
        effects are not estimable these are the cells that make one so, and no cell is wasted.
        """
        ridge = _RIDGE * np.eye(len(self.known))
        information = _Information(self.x, self.known + ridge)
        rows: list[int] = []
        left = self.free.copy()
        for at in range(count):
            variance = np.where(left, information.variance, -np.inf)
            if at < drawn:
                row = int(generator.choice(np.flatnonzero(variance >= variance.max() / 2)))
            else:
                row = _first_largest(variance)
            information.move(row, +1)
            left[row] = False
            rows.append(row)
        return np.array(rows)

    def _improved(self, start: Rows) -> Rows:
        """Exchange each cell for the one that helps most, until a whole pass changes nothing."""
        rows, left = start.copy(), self.free.copy()
        left[rows] = False
        for _ in range(_PASSES):
            before = rows.copy()
            # inverted anew in every pass, so that rounding does not add up
            information = _Information(self.x, self._with(rows))
            for at, row in enumerate(rows):
                gains = np.where(left, information.gains(row), -np.inf)
                best = _first_largest(gains)
                if gains[best] > _TIE:
                    information.move(best, +1)
                    information.move(int(row), -1)
                    left[row], left[best] = True, False
                    rows[at] = best
            if (rows == before).all():
                break
        return rows


def _first_largest(values: Floats) -> int:
    """The first of the largest values, where rounding does not count."""
    most = float(values.max())
    return int(np.argmax(values >= most - _TIE * max(1.0, abs(most))))
