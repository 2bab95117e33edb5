"""How well a class is told by something that is no picture: the size of a file's image, its format.

Images of one clue, as "JPEG of 640 x 480", are a cell. The answer to an image is the class that is
most frequent in its cell among other images: cross-validation in five parts, so that a cell of one
image answers nothing. What that would score were there nothing to tell is what it scores with the
labels dealt out at random.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]

_FOLDS = 5
_DEALS = 99  # of labels at random: the smallest p is 0.01
_MOST = 20_000  # images that are looked at
_RARE = 5  # images that make a cell
_GAIN = 0.05  # over chance, below which a clue spoils little


@dataclass(frozen=True, slots=True)
class Clue:
    """What one clue tells.

    Attributes:
        name: of the clue. cells: different values that at least five images have.
        right: the share of images whose class it tells. chance: the same with labels dealt out at
            random, or always the largest class, whichever is better. p: how often random labels
            scored as well.
    """

    name: str
    cells: int
    right: float
    chance: float
    p: float

    @property
    def tells(self) -> bool:
        """Whether it tells the class better than chance, by five points at least."""
        return self.p <= 1 / (_DEALS + 1) and self.right - self.chance >= _GAIN


def clue(name: str, values: Sequence[Hashable], labels: Codes, seed: int = 0) -> Clue:
    """What a clue tells: its value for each image, and the image's class (N,).

    >>> found = clue("format", ["JPEG"] * 50 + ["PNG"] * 50, np.repeat([0, 1], 50))
    >>> found.right, found.chance < 0.6, found.tells
    (1.0, True, True)
    """
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.permutation(len(labels))[:_MOST])
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(values[at], len(known)) for at in chosen])
    cells, labels = _without_rare(codes), labels[chosen]
    folds = draw.permutation(len(labels)) % _FOLDS
    right = _right(cells, labels, folds)
    dealt = [_right(cells, draw.permutation(labels), folds) for _ in range(_DEALS)]
    largest = np.bincount(labels).max() / len(labels)
    p = (1 + sum(each >= right for each in dealt)) / (_DEALS + 1)
    return Clue(name, int(cells.max()) + 1, right, float(max(largest, np.mean(dealt))), p)


def _without_rare(codes: Codes) -> Codes:
    """Cells counted from 0, with all that too few images have as one."""
    frequent = np.bincount(codes) >= _RARE
    return np.unique(np.where(frequent[codes], codes, -1), return_inverse=True)[1]


def _right(cells: Codes, labels: Codes, folds: Codes) -> float:
    """The share of images that the other folds' most frequent class in their cell is right on."""
    shape = int(cells.max()) + 1, int(labels.max()) + 1
    pairs = cells * shape[1] + labels
    every = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    hits = 0
    for fold in range(_FOLDS):
        own = np.bincount(pairs[folds == fold], minlength=every.size).reshape(shape)
        others = every - own
        answers = np.where(others.any(1), others.argmax(1), others.sum(0).argmax())
        hits += int(own[np.arange(len(own)), answers].sum())
    return hits / len(labels)
