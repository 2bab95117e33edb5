"""Least squares on coded factors: which effects a set of cells can tell, and how well it fits.

With levels of +1 and -1 the model is

    score = mean + sum_j beta_j x_j + sum_{i<j} beta_ij x_i x_j (+ learning rate) + error

and 2 beta_j is the contribution of factor j: the mean score with its choices made minus that
without, all other factors averaged over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Effect, Floats, Levels, columns, effects
from nextify.findings.cells import Cells

_SAME = 1e-7  # a contrast is estimable if the row space reproduces it to this


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """Which effects the cells can tell.

    Attributes:
        terms: of the model; its first columns, then those of the learning rate. Products with a
            factor that never varies are left out.
        fixed: (k,) the level of a factor that never varies, otherwise 0.
        matrix: (c, p). inverse: (p, c): the pseudo-inverse for the cells that are fitted; zero
            for the others (`fitted_cells`).
        known: (p, p): a combination of coefficients that this leaves as it is, is estimable.
    """

    terms: tuple[Effect, ...]
    fixed: NDArray[np.int8]
    matrix: Floats
    inverse: Floats
    known: Floats

    @property
    def rank(self) -> int:
        """Independent effects."""
        return round(float(np.trace(self.known)))

    def estimable(self, combinations: Floats) -> NDArray[np.bool_]:
        """(q,) whether the cells determine these (q, p) combinations; never those with NaN."""
        return np.asarray(np.abs(combinations @ self.known - combinations).max(axis=1) < _SAME)

    def weights(self, combinations: Floats) -> Floats:
        """(q, c) weights of the cells' means that estimate (q, p) combinations."""
        return np.asarray(combinations @ self.inverse)

    def unit(self, which: Sequence[Effect]) -> Floats:
        """(q, p) combinations that pick single coefficients; NaN for those it does not have."""
        found = np.zeros((len(which), self.matrix.shape[1]))
        for row, term in zip(found, which, strict=True):
            if term in self.terms:
                row[self.terms.index(term)] = 1.0
            else:
                row[:] = np.nan
        return found

    def at(self, levels: Levels) -> Floats:
        """(q, p) combinations that are the score of (q, k) levels, rates averaged over, and so is
        a factor of level 0.

        NaN where a factor that never varied would have to.
        """
        found = columns(levels, self.terms)
        found[((self.fixed != 0) & (levels != self.fixed)).any(axis=1)] = np.nan
        return np.pad(found, ((0, 0), (0, self.matrix.shape[1] - found.shape[1])))


def model(levels: Levels, rate: Floats, order: int, crossed: int = 0) -> Model:
    """The model of all products of up to `order` factors, with the learning rate as a block.

    Args:
        levels: (c, k) of the cells. rate: (c,). crossed: how many of the last columns are no
            choices.
    """
    fixed = np.where((levels == levels[:1]).all(axis=0), levels[:1].sum(axis=0), 0)
    which = tuple(t for t in effects(levels.shape[1], order) if not fixed[list(t)].any())
    rates, at = np.unique(rate, return_inverse=True)
    one = np.eye(len(rates))[at]
    # and the differences between learning rates, their mean taken out
    matrix = np.hstack([columns(levels, which), one[:, :-1] - one[:, -1:]])
    kept = fitted_cells(levels[:, fixed == 0], int(np.sum(fixed[len(fixed) - crossed :] == 0)))
    inverse = np.zeros_like(matrix.T)
    inverse[:, kept] = np.linalg.pinv(matrix[kept], rcond=1e-10)
    return Model(which, fixed.astype(np.int8), matrix, inverse, inverse @ matrix)


def fitted_cells(levels: Levels, crossed: int = 0) -> NDArray[np.bool_]:
    """(c,) which cells a model is fitted to: all, or all but end cells added to a balanced plan.
    Where something is crossed with the choices, in the last columns, there is an end at each
    setting of it.

    An end cell beside a fraction is there to check the model. Fitted with the rest it would bend
    all effects towards itself where the model is wrong, which is when the check is needed.
    """
    own = levels[:, : levels.shape[1] - crossed]
    is_end = (own == own[:, :1]).all(axis=1)
    ends = np.unique(levels[is_end], axis=0)
    for count in range(len(ends) + 1):
        for left_out in combinations(ends, count):
            kept = np.ones(len(levels), dtype=np.bool_)
            for end in left_out:
                kept &= ~(levels == end).all(axis=1)
            if kept.any() and _balanced(levels[kept]):
                return kept
    return np.ones(len(levels), dtype=np.bool_)


def _balanced(levels: Levels) -> bool:
    """Whether any two effects of up to two factors are uncorrelated or the same: a fraction."""
    table = columns(levels, effects(levels.shape[1]))
    overlap = np.abs(table.T @ table / len(levels))
    mean = overlap[0, 1 : levels.shape[1] + 1]
    return bool(np.all((overlap < _SAME) | (overlap > 1 - _SAME)) and np.all(mean < _SAME))


def aliases(here: Model, levels: Levels, other: Sequence[Effect]) -> Floats:
    """(p, others): what an effect that the model leaves out adds to each that it holds.

    The alias matrix of Box and Draper: (X1'X1)^-1 X1'X2.
    """
    return np.asarray(here.inverse @ columns(levels, other))


@dataclass(frozen=True, eq=False, slots=True)
class LeastSquares:
    """An ordinary least-squares fit to single runs; n runs, p coefficients.

    Attributes:
        coefficients, classical, hc3: (p,) and their standard errors: for equal spread, and robust
            (MacKinnon and White 1985). NaN where the runs do not determine a coefficient, and
            where there is no spread left to judge by.
        squares: of the residuals, summed. df: n minus the rank.
    """

    coefficients: Floats
    classical: Floats
    hc3: Floats
    squares: float
    df: int


def least_squares(matrix: Floats, values: Floats) -> LeastSquares:
    """Fit `values` (n,) by the columns of `matrix` (n, p).

    >>> x = np.column_stack([np.ones(4), [-1.0, -1.0, 1.0, 1.0]])
    >>> found = least_squares(x, np.array([1.0, 2.0, 3.0, 4.0]))
    >>> found.coefficients.round(6).tolist(), found.df
    ([2.5, 1.0], 2)
    """
    inverse = np.linalg.pinv(matrix, rcond=1e-10)
    known = inverse @ matrix
    lost = np.abs(known - np.eye(len(known))).max(axis=1) > _SAME
    residuals = values - matrix @ (inverse @ values)
    df = len(values) - round(float(np.trace(known)))
    squares = float(residuals @ residuals)
    variance = squares / df if df > 0 else np.nan
    left = 1 - np.sum(matrix * inverse.T, axis=1)
    scaled = residuals / np.where(left > _SAME, left, np.nan)
    return LeastSquares(
        coefficients=np.where(lost, np.nan, inverse @ values),
        classical=np.where(lost, np.nan, np.sqrt(variance * np.sum(inverse**2, axis=1))),
        hc3=np.where(lost, np.nan, np.sqrt(np.sum((inverse * scaled) ** 2, axis=1))),
        squares=squares,
        df=df,
    )


@dataclass(frozen=True, slots=True)
class LackOfFit:
    """Whether what the model leaves over is more than the spread of repeated runs.

    Attributes:
        f, df_lack, df_pure: the F statistic and its degrees of freedom, fewer where runs spread
            with heavier tails than the normal distribution's. p: of an F as large.
    """

    f: float
    df_lack: float
    df_pure: float
    p: float


def lack_of_fit(cells: Cells, fitted: Model) -> LackOfFit | None:
    """The F test of the model against the cells' means; None without both kinds of freedom.

    Box and Draper, Empirical Model-Building, section 3.6. By itself it takes the noise for normal
    and equal: one run that stands out in a cell of its own, or cells that spread more than those
    that are repeated, are soon called a lack of fit. So both degrees of freedom are divided by 1
    plus half of the noise's excess kurtosis (Box and Andersen 1955, JRSS B 17), where that is
    positive: the approximation of a permutation test.
    """
    df_pure = int(cells.df.sum())
    pure = float(cells.squares.sum())
    root = np.sqrt(cells.counts)
    fit = np.linalg.pinv(fitted.matrix * root[:, None], rcond=1e-10) @ np.diag(root)
    # Not the model's rank, which may be of fewer cells than are fitted here.
    df_lack = len(cells.counts) - round(float(np.trace(fitted.matrix @ fit)))
    if df_pure < 1 or df_lack < 1 or pure <= 0:
        return None
    at = fitted.matrix @ (fit @ cells.means)
    lack = float(np.sum(cells.counts * np.square(cells.means - at)))
    f = (lack / df_lack) / (pure / df_pure)
    tails = 1 + max(_kurtosis(cells, at, fitted.matrix @ fit / cells.counts), 0.0) / 2
    df = df_lack / tails, df_pure / tails
    return LackOfFit(f, *df, float(scipy.stats.f.sf(f, *df)))


def _kurtosis(cells: Cells, fit: Floats, hat: Floats) -> float:
    """The excess kurtosis of the noise, by the residuals of single runs.

    A residual is a sum of all runs' noise, weighted by its row of 1 - H, and more normal than these
    are. With independent noise sum r^4 is, on average, 3 sd^4 sum (1 - H)_ii^2 + kurtosis sd^4
    sum (1 - H)_ij^4, which is solved for the kurtosis.

    Args:
        fit: (c,) the model's scores. hat: (c, c) what a run of the second cell does to the fit in
            the first: H of any of their runs.
    """
    count, own = cells.counts, np.diag(hat)
    residuals = cells.values - fit[cells.index()]
    squares = float(residuals @ residuals)
    variance = squares / float(count @ (1 - own))
    others = count @ hat**4 @ count - count @ own**4
    fourth = float(others + count @ (1 - own) ** 4)
    return float(np.sum(residuals**4) / variance**2 - 3 * count @ (1 - own) ** 2) / fourth
