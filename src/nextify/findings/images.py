"""The part of the uncertainty that comes from the test images.

A score of run s on image i is

    y[s, i] = mean + A[s] + B[i] + E[s, i]

with A the seed's, B the image's own and E their interaction. The mean over n seeds and m images
then has the variance

    var(A)/n + var(B)/m + var(E)/(nm).

Runs on the *same* images differ by A and by the mean of E, so the seeds' variance (`blocks`)
already holds the first and the third term: only var(B)/m is missing from an interval for new
images. `image_variance` estimates it.
"""

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around

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


def image_variances(correct: NDArray[np.bool_], has: NDArray[np.bool_]) -> Floats:
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
