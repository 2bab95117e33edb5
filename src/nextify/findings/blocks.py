"""Cells and seeds as a linear model: the spread of all cells, pooled, with seeds as blocks.

    score = cell + seed + error,        error ~ Normal(0, sigma^2), the same sigma in every cell

With two or three seeds a cell's own interval is useless: at n = 2 Student's t is 12.7. Pooling
the residual variance over k cells gives (k - 1)(n - 1) degrees of freedom instead of n - 1.

What is assumed: equal spread in all cells (checked by `BlockModel.uneven`), normal errors, and runs
missing for reasons that have nothing to do with their score. What an interval covers: the mean
over *new seeds* of the same designs, recipes, training images and test images.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL, Interval, around, student

NO_SPREAD = 1e-20  # a sum of squares below this is rounding, not noise
LEAST_DF = 3  # of the other cells, for a comparison of spreads to mean anything
CLEARLY = 0.05


@dataclass(frozen=True, slots=True)
class Uneven:
    """The cell whose spread stands out most.

    Attributes:
        cell: its index. sd: its standard deviation over seeds, the seeds' common part taken out.
        others: the same, pooled over all other cells.
        p: chance of a spread as far above the others in at least one cell, were all equal
            (Bonferroni over the cells).
    """

    cell: int
    sd: float
    others: float
    p: float

    @property
    def clearly(self) -> bool:
        """Whether equal spread is hard to believe (p below 0.05)."""
        return self.p < CLEARLY


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

    @property
    def pairing(self) -> float | None:
        """Width of a paired interval over that of an unpaired one, at equal quantiles."""
        if self.residual_sd is None or self.within_sd is None:
            return None
        return self.residual_sd / self.within_sd

    @property
    def correlation(self) -> tuple[float | None, Interval | None]:
        """Between two cells' scores with the same seed (intraclass; from -1/(k - 1) to 1), and its
        interval, from the F distribution. Zero: pairing seeds gains nothing."""
        df, df_blocks = self.df_residual, self.df_within - self.df_residual
        if df_blocks < 1 or df < 1 or self.ss_residual < NO_SPREAD:
            return None, None
        ratio = (self.ss_within - self.ss_residual) / df_blocks / (self.ss_residual / df)
        per_block = self.df_within / df_blocks  # cells in a block, also where some are missing
        # The ratio over its quantiles bounds 1 + per_block * (variance of seeds) / sigma^2.
        tails = scipy.stats.f.ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], df_blocks, df)
        low, high = (_as_correlation(ratio / tail, per_block) for tail in tails)
        return _as_correlation(ratio, per_block), Interval(low, high)

    @property
    def uneven(self) -> Uneven | None:
        """Compare each cell's variance with that of all others, and keep the most conspicuous.

        An F test per cell with Bonferroni's correction: Cochran's C test for unequal n. It is aimed
        at the case that occurs, one cell (another recipe, a step close to divergence) noisier than
        the rest. Levene's test is of no use here: at n = 2 it is undefined. None where the other
        cells leave fewer than 3 degrees of freedom. At n = 2 with 15 cells, a standard deviation
        five times the others' is found about half of the time; less goes unnoticed.
        """
        found: list[Uneven] = []
        squares = np.nansum(self.residuals**2, axis=1)
        df = self.counts - 1
        for cell in np.flatnonzero(df > 0):
            rest = self.df_residual - int(df[cell])
            others = self.ss_residual - squares[cell]
            if rest < LEAST_DF or self.residual_sd is None or others <= 0:
                continue
            ratio = (squares[cell] / df[cell]) / (others / rest)
            p = min(1.0, float(scipy.stats.f.sf(ratio, df[cell], rest)) * int(np.sum(df > 0)))
            sds = np.sqrt([squares[cell] / df[cell], others / rest])
            found.append(Uneven(int(cell), float(sds[0]), float(sds[1]), p))
        return min(found, key=lambda each: (each.p, -each.sd), default=None)

    def mean(self, cell: int) -> tuple[float, Interval | None]:
        """A cell's mean over its seeds, and its interval over new seeds."""
        value, sd = float(np.nanmean(self.scores[cell])), self.within_sd
        if sd is None:
            return value, None
        return value, around(value, student(self.within_df) * sd / np.sqrt(self.counts[cell]))

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


def _as_correlation(ratio: float, per_block: float) -> float:
    return float((ratio - 1) / (ratio - 1 + per_block))
