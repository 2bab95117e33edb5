"""What a classifier's answers are worth class by class, read off its confusion matrix.

A confusion matrix is (K, K) whole numbers: how many images of class `row` were answered `column`.

>>> counts = confusion([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0], 3)
>>> counts.tolist()
[[2, 1, 0], [0, 2, 0], [1, 0, 0]]
>>> recall(counts).round(2).tolist()
[0.67, 1.0, 0.0]
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextify.experiments.coding import Floats

Counts = NDArray[np.int64]


def confusion(labels: ArrayLike, answers: ArrayLike, classes: int) -> Counts:
    """The confusion matrix of (N,) labels and as many answers, both 0 to `classes` - 1."""
    pairs = np.asarray(labels, np.int64) * classes + np.asarray(answers, np.int64)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def recall(counts: Counts) -> Floats:
    """The share of each class's images that are answered right (K,); NaN of one without images."""
    return _shares(counts.diagonal(), counts.sum(1))


def precision(counts: Counts) -> Floats:
    """The share of each class's answers that are right (K,); NaN of one that is never answered."""
    return _shares(counts.diagonal(), counts.sum(0))


def f1(counts: Counts) -> Floats:
    """The harmonic mean of recall and precision (K,); NaN of a class without images and answers."""
    return _shares(2 * counts.diagonal(), counts.sum(0) + counts.sum(1))


def _shares(parts: Counts, wholes: Counts) -> Floats:
    shares: Floats = np.full(len(parts), np.nan)
    return np.divide(parts, wholes, out=shares, where=wholes > 0)


def confused(counts: Counts) -> list[tuple[int, int, int]]:
    """The classes that are confused, the most often first: a class, what is answered instead, and
    how many images.

    >>> confused(confusion([0, 0, 0, 1], [1, 1, 0, 0], 2))
    [(0, 1, 2), (1, 0, 1)]
    """
    errors = counts - np.diag(counts.diagonal())
    places = np.argwhere(errors).tolist()
    found = [(row, column, int(errors[row, column])) for row, column in places]
    return sorted(found, key=lambda pair: (-pair[2], pair))
