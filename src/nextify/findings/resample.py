"""The crossed bootstrap over runs and test images, and the largest of several |t|.

A contrast is linear in the runs and, through each run's mean over the test images, linear in the
images. Resampled images therefore act through one (q, images) matrix, resampled runs through the
cells' means; 136 runs of 10,000 images take seconds for thousands of draws.

**Runs.** With r runs a cell, resampling runs within their cell makes the variance (r - 1)/r times
too small: half, at two seeds. Here each run's distance from its cell's mean, stretched by
sqrt(r/(r - 1)), gets a random sign (the wild bootstrap, Liu 1988): the variance of a cell's mean
comes out as s^2/r exactly, whatever r, and each cell keeps its own spread.

**Images.** Resampling images alone gives a contrast's variance over images, which holds the
images' own part B (the one sought) and the part E of runs on images, divided among the runs; and E
is in the runs' spread already. The draws are therefore shrunk to the variance of B, by the method
of moments, as in `nextify.findings.images`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL
from nextify.findings.cells import Cells
from nextify.findings.factor_runs import FactorRuns

_CHUNK = 1 << 24  # numbers held at once


def signed_runs(
    cells: Cells, weights: Floats, shares: Floats, sd: float, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Wild-bootstrap draws of contrasts' errors, and the standard error found in each draw.

    Args:
        weights: (q, c). shares: of the cells' variances in the contrasts' (`cells.errors`).
        sd: pooled, for cells of one run.

    Returns:
        (draws, q) errors and (draws, q) standard errors.
    """
    counts = cells.counts
    apart = cells.values - np.repeat(cells.means, counts)
    stretch = np.repeat(np.sqrt(counts / np.maximum(counts - 1, 1)), counts)
    size = np.where(np.repeat(counts, counts) > 1, apart * stretch, sd)
    found, spread = [], []
    step = max(1, _CHUNK // len(size))
    for at in range(0, draws, step):
        signs = rng.integers(0, 2, (min(step, draws - at), len(size)), dtype=np.int8) * 2.0 - 1
        drawn = signs * size
        means = np.add.reduceat(drawn, cells.starts, axis=1) / counts
        squares = np.add.reduceat(drawn**2, cells.starts, axis=1) - counts * means**2
        variances = np.maximum(squares, 0.0) / np.maximum(cells.df, 1)
        found.append(means @ weights.T)
        spread.append(np.sqrt(variances @ shares.T))
    return np.concatenate(found), np.concatenate(spread)


@dataclass(frozen=True, eq=False, slots=True)
class Images:
    """The test images' part in q contrasts, in the units of the score.

    Attributes:
        shares: (q, images): a contrast's value is the mean of its row (for accuracy).
        variance: (q,) of the contrasts over new images, runs' part taken out (B).
        whole: (q,) the same with the runs' part left in; where no cell has two runs, `variance` is
            the same: too large.
    """

    shares: Floats
    variance: Floats
    whole: Floats


def images_part(runs: FactorRuns, cells: Cells, weights: Floats) -> Images | None:
    """The images' part in contrasts (q, c) of cells; None without per-image results."""
    if runs.correct is None or runs.score == "nll" or not len(cells.counts):
        return None
    slopes = runs.slopes()[cells.runs]
    images = runs.correct.shape[1]
    per_run = (weights / cells.counts)[:, cells.index()] * slopes
    shares = np.zeros((len(weights), images))
    squares = np.zeros(len(cells.counts))
    for cell, (start, count) in enumerate(zip(cells.starts, cells.counts, strict=True)):
        here = slice(start, start + count)
        correct = runs.correct[cells.runs[here]].astype(np.float32)
        shares += per_run[:, here] @ correct
        squares[cell] = _interaction(correct * slopes[here, None].astype(np.float32))
    whole = shares.var(axis=1, ddof=1) / images
    variance = whole
    if np.any(cells.df > 0):
        each = squares / np.maximum(cells.df, 1) / (images - 1)
        each = np.where(cells.df > 0, each, squares.sum() / cells.df.sum() / (images - 1))
        by_runs = (np.square(weights) / cells.counts) @ each / images
        variance = np.maximum(0.0, whole - by_runs)
    return Images(shares, variance, whole)


def _interaction(table: NDArray[np.float32]) -> float:
    """Sum of squares of runs by images, both means taken out."""
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float(np.sum(np.square(left), dtype=np.float64))


def drawn_images(part: Images, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, q) bootstrap errors of contrasts from resampled test images."""
    images = part.shares.shape[1]
    centred = (part.shares - part.shares.mean(axis=1, keepdims=True)).T.astype(np.float32)
    found = []
    step = max(1, _CHUNK // images)
    for at in range(0, draws, step):
        size = min(step, draws - at)
        picked = rng.integers(0, images, (size, images), dtype=np.int32)
        picked += np.arange(size, dtype=np.int32)[:, None] * images
        counts = np.bincount(picked.ravel(), minlength=size * images).reshape(size, images)
        found.append(counts.astype(np.float32) @ centred / images)
    shrink = np.sqrt(part.variance / np.where(part.whole > 0, part.whole, 1.0))
    return np.asarray(np.concatenate(found) * shrink, dtype=np.float64)


def normal_runs(
    covariance: Floats, df: float, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws of normal errors and of their standard errors: one spread, pooled over all cells.

    Their ratio is the multivariate t distribution.

    Args:
        covariance: (q, q) of the contrasts' errors. df: of the spread.

    Returns:
        (draws, q) errors and (draws, q) standard errors.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = rng.standard_normal((draws, len(covariance))) @ root.T
    scale = np.sqrt(rng.chisquare(df, draws) / df)
    return drawn, scale[:, None] * np.sqrt(np.diag(covariance))


def critical(largest: Floats, level: float = LEVEL) -> float:
    """The 95 % point of draws, or another's."""
    return float(np.quantile(largest, level, method="higher"))


def adjusted_p(t: Floats, largest: Floats) -> Floats:
    """(q,) single-step adjusted p: how often the largest |t| of all is at least this large."""
    above = len(largest) - np.searchsorted(np.sort(largest), np.abs(t), side="left")
    return np.asarray((1 + above) / (1 + len(largest)))
