"""D-optimal plans: the cells that make the determinant of X'X largest, found by exchange.

For what no regular fraction covers: cells that complete an earlier plan, and factors of more than
two levels. The search starts from cells taken one after another where the fit is least certain, and
then exchanges one cell for another as long as that helps (Fedorov 1972, Theory of Optimal
Experiments; as in Atkinson, Donev and Tobias 2007, chapter 12), from several seeded starts. It
finds a good plan, not surely the best; the same arguments always give the same plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import (
    Floats,
    Levels,
    Model,
    all_cells,
    as_levels,
    check_factors,
    codes_of,
    model_matrix,
    order_of,
)

_RIDGE = 1e-6  # makes X'X invertible while there are fewer cells than effects
_TIE = 1e-9  # differences below this are rounding: the first of the equals is taken
_PASSES = 100
_MOST_CANDIDATES = 1 << 14
_MOST_LEVELS = 16


def augment(
    levels: Levels, cells: int, model: Model = "interactions", *, starts: int = 8, seed: int = 0
) -> Levels:
    """New cells for an earlier plan, such that all effects of the model become estimable.

    Args:
        levels: (earlier cells, k), the earlier plan; (0, k) for a plan from nothing.
        cells: how many to add; none is in the earlier plan, none comes twice.
        model: which effects.
        starts: of the search. seed: of its starts after the first.

    Returns:
        (cells, k).

    Raises:
        InputError: where so many cells cannot make all effects estimable, or do not exist.

    >>> from nextify.experiments.fractions import fraction, SCREEN
    >>> screen = fraction(8, SCREEN).levels
    >>> for cells in (24, 48):
    ...     round(d_efficiency(np.concatenate([screen, augment(screen, cells)])), 2)
    0.69
    0.92
    """
    earlier = as_levels(levels)
    k = earlier.shape[1]
    check_factors(k)
    known = model_matrix(earlier, model)
    candidates = all_cells(k)
    free = ~np.isin(np.arange(len(candidates)), codes_of(earlier))
    _check_count(cells, known, int(free.sum()))
    x = model_matrix(candidates, model)
    return candidates[_search(x, known.T @ known, free, cells, starts, seed)]


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


def d_efficiency(levels: Levels, model: Model = "interactions") -> float:
    """det(X'X)^(1/p) / cells: 1 for an orthogonal plan, 0 where an effect is not estimable.

    One over it is, on (geometric) average over the p effects, how many times as many runs the
    plan needs as an orthogonal one for the same precision.

    >>> from nextify.experiments.fractions import fraction, ATTRIBUTE
    >>> d_efficiency(fraction(8, ATTRIBUTE).levels)
    1.0
    """
    return matrix_efficiency(model_matrix(as_levels(levels), model))


def matrix_efficiency(x: Floats) -> float:
    """The D-efficiency of a model matrix (cells, effects) whose columns have mean square 1.

    >>> matrix_efficiency(np.array([[1.0, 1.0], [1.0, 1.0]]))
    0.0
    """
    cells, terms = x.shape
    if cells < terms or np.linalg.matrix_rank(x) < terms:
        return 0.0
    return float(round(np.exp(_log_det(x.T @ x) / terms) / cells, 12))


def multi_level(
    levels_per_factor: Sequence[int],
    cells: int,
    model: Model = "main",
    *,
    starts: int = 8,
    seed: int = 0,
) -> NDArray[np.int8]:
    """A D-optimal plan for factors with more than two levels, such as kernel size 3, 5, 7, 9.

    Args:
        levels_per_factor: 2 to 16 each; 16384 combinations at most.
        cells: how many, none twice.
        model: "main" or with the "interactions" of two factors, each with all its contrasts.

    Returns:
        (cells, factors): indices of levels, from 0 (also for factors of two levels).

    >>> plan = multi_level([4, 2, 2], cells=8)
    >>> np.bincount(plan[:, 0]).tolist(), matrix_efficiency(multi_level_matrix(plan, [4, 2, 2]))
    ([2, 2, 2, 2], 1.0)
    """
    sizes = _sizes(levels_per_factor)
    candidates = np.indices(sizes, dtype=np.int8).reshape(len(sizes), -1).T
    x = multi_level_matrix(candidates, sizes, model)
    _check_count(cells, np.empty((0, x.shape[1])), len(candidates))
    free = np.ones(len(candidates), dtype=np.bool_)
    nothing = np.zeros((x.shape[1], x.shape[1]))
    return candidates[_search(x, nothing, free, cells, starts, seed)]


def multi_level_matrix(
    plan: NDArray[np.int8], levels_per_factor: Sequence[int], model: Model = "main"
) -> Floats:
    """(cells, effects): the mean, each factor's `contrasts`, and products of two factors' ones.

    >>> multi_level_matrix(np.array([[0, 1]], dtype=np.int8), [2, 2], "interactions").tolist()
    [[1.0, -1.0, 1.0, -1.0]]
    """
    sizes = _sizes(levels_per_factor)
    coded = [contrasts(size)[plan[:, at]] for at, size in enumerate(sizes)]
    columns = [np.ones((len(plan), 1)), *coded]
    if order_of(model) == 2:
        pairs = combinations(coded, 2)
        columns += [(a[:, :, None] * b[:, None, :]).reshape(len(plan), -1) for a, b in pairs]
    return np.concatenate(columns, axis=1)


def contrasts(levels: int) -> Floats:
    """(levels, levels - 1): orthogonal polynomials on 0, 1, ...: linear, quadratic, and so on.

    Each has mean 0 and mean square 1 over the levels; two levels are -1 and +1.

    >>> contrasts(2).tolist(), contrasts(3).round(2).tolist()
    ([[-1.0], [1.0]], [[-1.22, 0.71], [0.0, -1.41], [1.22, 0.71]])
    """
    at = np.linspace(-1.0, 1.0, levels)
    q, r = np.linalg.qr(np.vander(at, increasing=True))
    scaled = q * np.sign(np.diag(r)) * np.sqrt(levels)
    return np.asarray(scaled[:, 1:].round(12) + 0.0)


def _sizes(levels_per_factor: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(levels_per_factor)
    if not sizes or min(sizes) < 2 or max(sizes) > _MOST_LEVELS:
        raise InputError(f"levels_per_factor: {sizes}; give 2 to {_MOST_LEVELS} for each factor")
    if np.prod(sizes, dtype=np.float64) > _MOST_CANDIDATES:
        raise InputError(
            f"levels_per_factor: {sizes} are more than {_MOST_CANDIDATES} combinations; "
            "leave factors or levels out"
        )
    return sizes


@dataclass(slots=True)
class _Information:
    """The inverse of X'X and the variance x'(X'X)^-1 x of the fit at every candidate.

    Attributes:
        x: (candidates, effects). inverse: (effects, effects). variance: (candidates,).
    """

    x: Floats
    inverse: Floats
    variance: Floats = field(init=False)

    def __post_init__(self) -> None:
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


def _search(
    x: Floats, known: Floats, free: NDArray[np.bool_], count: int, starts: int, seed: int
) -> NDArray[np.int64]:
    """The rows of the best of several exchanges, in ascending order."""
    if starts < 1:
        raise InputError(f"starts: {starts}; give at least 1")
    generator = np.random.default_rng(seed)
    best, most = np.empty(0, dtype=np.int64), -np.inf
    for start in range(starts):
        drawn = 0 if start == 0 else int(generator.integers(1, count + 1))
        rows = _improved(x, known, free, _start(x, known, free, count, drawn, generator))
        size = _log_det(known + x[rows].T @ x[rows])
        if size > most + _TIE:
            best, most = rows, size
    return np.sort(best)


def _start(
    x: Floats,
    known: Floats,
    free: NDArray[np.bool_],
    count: int,
    drawn: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Cells one after another: where the fit is least certain, the first `drawn` of them by lot.

    The lot is among those that are at least half as uncertain as the most uncertain: while effects
    are not estimable these are the cells that make one so, and no cell is wasted.
    """
    information = _Information(x, _inverse(known + _RIDGE * np.eye(len(known))))
    rows: list[int] = []
    left = free.copy()
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


def _improved(
    x: Floats, known: Floats, free: NDArray[np.bool_], start: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Exchange each cell for the one that helps most, until a whole pass changes nothing."""
    rows, left = start.copy(), free.copy()
    left[rows] = False
    for _ in range(_PASSES):
        before = rows.copy()
        # inverted anew in every pass, so that rounding does not add up
        information = _Information(x, _inverse(known + x[rows].T @ x[rows]))
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


def _inverse(information: Floats) -> Floats:
    return np.asarray(np.linalg.inv(information), dtype=np.float64)


def _log_det(information: Floats) -> float:
    sign, size = np.linalg.slogdet(information)
    return float(size) if sign > 0 else -np.inf
