"""What a classifier takes for what.

A confusion matrix is (K, K) whole numbers: how many images of class `row` were answered `column`.

>>> counts = confusion([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0], 3)
>>> counts.tolist()
[[2, 1, 0], [0, 2, 0], [1, 0, 0]]
>>> by_class(counts).recall
(0.6666666666666666, 1.0, 0.0)
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextify.records import ClassCounts

Counts = NDArray[np.int64]


def confusion(labels: ArrayLike, answers: ArrayLike, classes: int) -> Counts:
    """The confusion matrix of (N,) labels and as many answers, both 0 to `classes` - 1."""
    pairs = np.asarray(labels, np.int64) * classes + np.asarray(answers, np.int64)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def by_class(counts: Counts) -> ClassCounts:
    """The images of a confusion matrix by class."""
    each = (counts.sum(1), counts.sum(0), counts.diagonal())
    true, answered, right = (tuple(of.tolist()) for of in each)
    return ClassCounts(true=true, answered=answered, right=right)


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
