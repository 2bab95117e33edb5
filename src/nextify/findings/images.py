"""The part of the uncertainty that comes from the test images.

A score of run s on image i is

    y[s, i] = mean + A[s] + B[i] + E[s, i]

with A the seed's, B the image's own and E their interaction. The mean over n seeds and m images
then has the variance

    var(A)/n + var(B)/m + var(E)/(nm).

Runs on the *same* images differ by A and by the mean of E, so the seeds' variance (`blocks`)
already holds the first and the third term: only var(B)/m is missing from an interval for new
images. `image_variance` estimates it for a cell or a difference of two; `images_part` for contrasts
of many cells, which are linear in the images through each run's mean.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around
from nextify.findings.cells import Cells
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.scores import PER_IMAGE

_NORMAL = 1.959963984540054  # 97.5 % point: thousands of images, so no Student's t


def image_variance(scores: Floats) -> float:
    """var(B)/m from a table of seeds by images, by the method of moments.

    >>> alike = np.array([[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]])
    >>> image_variance(alike), float(alike[0].var(ddof=1) / 4)
    (0.0625, 0.0625)

    With one seed B and E cannot be told apart, and what is returned holds both: too large.

    Args:
        scores: (seeds, images): correctness, or a difference of two cells' correctness.
    """
    seeds, images = scores.shape
    means = scores.mean(axis=0)
    together = float(means.var(ddof=1))
    if seeds == 1:
        return float(together / images)
    left = scores - means - scores.mean(axis=1, keepdims=True) + scores.mean()
    interaction = float(np.sum(np.square(left))) / ((seeds - 1) * (images - 1))
    return float(max(0.0, together - interaction / seeds) / images)


def image_variances(correct: NDArray[np.generic], has: NDArray[np.bool_]) -> Floats:
    """(k, k) the images' part in the differences of k designs' means, and in the means themselves:
    on the diagonal.

    Args:
        correct: (k, seeds, images). has: (k, seeds), which runs there are: a difference is taken
            over the seeds that both designs have; NaN where there are none.
    """
    found = np.full((len(has), len(has)), np.nan)
    for one, other in combinations_with_replacement(range(len(has)), 2):
        both = has[one] & has[other]
        if both.any():
            table = correct[one, both].astype(np.float64)
            table = table if one == other else table - correct[other, both]
            found[one, other] = found[other, one] = image_variance(table)
    return found


def widened(half: float, variance: float, reach: float = _NORMAL) -> float:
    """A half-width for new seeds and new images, from that for new seeds.

    The two half-widths add as squares (MOVER: Zou and Donner 2008, Statistics in Medicine 27),
    so the result is never narrower, however few the seeds.

    Args:
        reach: how many standard errors of the images' part; more, where intervals hold together.
    """
    return float(np.hypot(half, reach * np.sqrt(variance)))


def for_new_images(
    value: float, narrow: Interval | None, scores: NDArray[np.generic] | None
) -> Interval | None:
    """The interval for new seeds and new images, from that for new seeds and a table of seeds by
    images; None where one of these is not known."""
    if narrow is None or scores is None or not scores.size:
        return None
    return around(value, widened(narrow.half, image_variance(scores.astype(np.float64))))


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

    @property
    def covariance(self) -> Floats:
        """(q, q) of the contrasts over new images: that of their shares, shrunk to `variance`."""
        shrink = np.sqrt(self.variance / np.where(self.whole > 0, self.whole, 1.0))
        found = np.atleast_2d(np.cov(self.shares)) / self.shares.shape[1]
        return np.asarray(found * np.outer(shrink, shrink))


def images_part(runs: FactorRuns, cells: Cells, weights: Floats) -> Images | None:
    """The images' part in contrasts (q, c) of cells; None without per-image results."""
    if runs.correct is None or runs.score not in PER_IMAGE or not len(cells.counts):
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
