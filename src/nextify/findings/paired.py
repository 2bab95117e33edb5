"""Two classifiers on the same images: the difference of their accuracies, with its interval."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from nextify.experiments.intervals import Interval

_NORMAL = 1.959963984540054  # 97.5 % point


def paired_loss(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Interval:
    """The 95 % interval of the accuracy that is lost, in [-1, 1], over images like these.

    Tango's score interval (1998, Statistics in Medicine 17, 891-908): a loss is in it if the score
    test of McNemar's kind does not tell it from what was seen. It holds its word where only few
    images, or none, are answered differently, as is so for two forms of one network.

    >>> same = np.ones(1000, bool)
    >>> found = paired_loss(same, same)
    >>> round(found.low, 5), round(found.high, 5)
    (-0.00383, 0.00383)

    Args:
        before, after: (N,) whether each image was answered correctly, of the same images.
    """
    count = len(before)
    lost, won = int(np.sum(before & ~after)), int(np.sum(after & ~before))
    value = (lost - won) / count
    high = _end(lost, won, count)
    low = -_end(won, lost, count)
    return Interval(min(low, value), max(high, value))


def _end(lost: int, won: int, count: int) -> float:
    """The largest loss that is in the interval."""
    value = (lost - won) / count
    if value == 1:
        return 1.0
    return float(brentq(lambda loss: _score(lost, won, count, loss) + _NORMAL, value, 1 - 1e-12))


def _score(lost: int, won: int, count: int, loss: float) -> float:
    """How many standard errors what was seen lies above a loss: the share of images that were won
    is the likeliest one for that loss."""
    linear = -lost - won + (2 * count - lost + won) * loss
    constant = -won * loss * (1 - loss)
    share = (np.sqrt(linear**2 - 8 * count * constant) - linear) / (4 * count)
    variance = count * (2 * share + loss * (1 - loss))
    return float((lost - won - count * loss) / np.sqrt(max(variance, 1e-300)))
