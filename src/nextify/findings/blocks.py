"""Cells and seeds as a linear model: the spread of all cells, pooled, with seeds as blocks.

    score = cell + seed + error,        error ~ Normal(0, sigma^2), the same sigma in every cell

With two or three seeds a cell's own interval is useless: at n = 2 Student's t is 12.7. Pooling
the residual variance over k cells gives (k - 1)(n - 1) degrees of freedom instead of n - 1.

What is assumed: equal spread in all cells (checked by `uneven_spread`), normal errors, and runs
missing for reasons that have nothing to do with their score. What an interval covers: the mean
over *new seeds* of the same designs, recipes, training images and test images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around, student

NO_SPREAD = 1e-20  # a sum of squares below this is rounding, not noise


@dataclass(frozen=True, eq=False, slots=True)
class BlockModel:
    """The least-squares fit of `score = cell + seed + error`; made by `fit_blocks`.

    Attributes:
        scores: (cells, seeds), NaN where there is none.
        weights: (cells + seeds, runs): the pseudo-inverse of the dummy matrix.
        estimable: (cells + seeds, cells + seeds): a contrast that it changes is not estimable.
        residuals: (cells, seeds), NaN where there is no score.
        ss_residual, df_residual: of the model.
        ss_within, df_within: of the scores about their cell's mean (seeds not taken out).
    """

    scores: Floats
    weights: Floats
    estimable: Floats
    residuals: Floats
    ss_residual: float
    df_residual: int
    ss_within: float
    df_within: int

    @property
    def counts(self) -> NDArray[np.int64]:
        """Scores in each cell."""
        return np.asarray(np.sum(~np.isnan(self.scores), axis=1))

    @property
    def residual_sd(self) -> float | None:
        """Run-to-run standard deviation after the seeds' common part is taken out."""
        return _sd(self.ss_residual, self.df_residual)

    @property
    def within_sd(self) -> float | None:
        """Standard deviation over seeds within a cell, pooled over cells."""
        return _sd(self.ss_within, self.df_within)

    @property
    def within_df(self) -> float:
        """Degrees of freedom of `within_sd`, after Satterthwaite.

        A seed's common part shifts all cells together, so that the cells' variances are no
        independent estimates; where the seeds matter, this falls from k(n - 1) towards n - 1.
        """
        blocks = self.ss_within - self.ss_residual
        df_blocks = self.df_within - self.df_residual
        parts = [(blocks, df_blocks), (self.ss_residual, self.df_residual)]
        below = sum(ss**2 / df for ss, df in parts if df > 0)
        return self.ss_within**2 / below if below > 0 else 0.0

    def mean(self, cell: int) -> tuple[float, Interval | None]:
        """A cell's mean over its seeds, and its interval over new seeds."""
        n = int(self.counts[cell])
        value = float(np.nanmean(self.scores[cell]))
        sd = self.within_sd
        if sd is None:
            return value, None
        return value, around(value, student(self.within_df) * sd / np.sqrt(n))

    def difference(self, before: int, after: int) -> tuple[float, float] | None:
        """The difference of two cells, seeds paired, and its variance over sigma^2.

        2/n where both cells have the same n seeds. None where the two cells share no seed, not
        even by way of other cells: then seeds and cells cannot be told apart.
        """
        contrast = np.zeros(len(self.estimable))
        contrast[[before, after]] = -1.0, 1.0
        if not np.allclose(contrast @ self.estimable, contrast, atol=1e-8):
            return None
        weights = contrast @ self.weights
        known = self.scores[~np.isnan(self.scores)]
        return float(weights @ known), float(weights @ weights)


def fit_blocks(scores: Floats) -> BlockModel:
    """Fit cells and seeds by least squares; runs may be missing.

    >>> model = fit_blocks(np.array([[0.80, 0.82], [0.85, 0.86]]))
    >>> [round(number, 3) for number in model.difference(0, 1)], model.df_residual
    ([0.045, 1.0], 1)

    Args:
        scores: (cells, seeds), NaN where there is none.
    """
    cells, seeds = scores.shape
    cell, seed = np.nonzero(~np.isnan(scores))
    known = scores[cell, seed]
    dummies = np.hstack([np.eye(cells)[cell], np.eye(seeds)[seed]])
    weights: Floats = np.linalg.pinv(dummies).astype(np.float64)
    residuals = np.full(scores.shape, np.nan)
    residuals[cell, seed] = known - dummies @ (weights @ known)
    n = np.bincount(cell, minlength=cells)
    means = np.bincount(cell, known, minlength=cells) / np.maximum(n, 1)
    return BlockModel(
        scores=scores,
        weights=weights,
        estimable=weights @ dummies,
        residuals=residuals,
        ss_residual=float(np.nansum(residuals**2)),
        df_residual=len(known) - int(np.linalg.matrix_rank(dummies)) if len(known) else 0,
        ss_within=float(np.sum((known - means[cell]) ** 2)),
        df_within=len(known) - int(np.sum(n > 0)),
    )


def _sd(sum_of_squares: float, df: int) -> float | None:
    if df < 1 or sum_of_squares < NO_SPREAD:
        return None
    return float(np.sqrt(sum_of_squares / df))
