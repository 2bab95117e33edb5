"""Whether probabilities are what they say: reliability, and the one temperature that mends most.

After Guo et al., "On Calibration of Modern Neural Networks" (arXiv 1706.04599).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around, student
from nextify.findings.failures import wilson

_STEEPEST = 8.0  # logarithm of the largest temperature, and of the smallest below 1


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same probability.

    Attributes:
        low, high: of the probability of the answer, low without and high with it. n: how many.
        confidence: its mean. accuracy: the share that is right, with Wilson's 95 % interval.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


def reliability(confidence: Floats, correct: NDArray[np.bool_], bins: int) -> list[Bin]:
    """The bins that hold answers, of equal widths (section 2 of the paper).

    Args:
        confidence: (N,) the probability of each answer. correct: (N,) whether it is right.
    """
    places = np.clip(np.ceil(confidence * bins), 1, bins).astype(int)
    return list(_bins(places, confidence, correct, bins))


def _bins(
    places: NDArray[np.int_], confidence: Floats, correct: NDArray[np.bool_], bins: int
) -> Iterator[Bin]:
    for place in np.unique(places).tolist():
        own = places == place
        n, right = int(own.sum()), int(correct[own].sum())
        interval = wilson(right, n)
        assert interval is not None
        yield Bin((place - 1) / bins, place / bins, n, float(confidence[own].mean()), right / n,
                  interval)  # fmt: skip


def error_by_chance(confidence: Floats, bins: int, draws: int = 200) -> float:
    """The expected calibration error (equation 3) that so many images show on average where every
    probability is right: above zero, since a bin's share of right answers varies by chance."""
    places = np.clip(np.ceil(confidence * bins), 1, bins).astype(int)
    n = np.bincount(places, minlength=bins + 1)
    sure = np.bincount(places, confidence, minlength=bins + 1)
    rng = np.random.default_rng(0)
    gaps = [
        np.abs(np.bincount(places, rng.random(len(places)) < confidence, bins + 1) - sure).sum()
        for _ in range(draws)
    ]
    return float(np.mean(gaps) / n.sum())


def temperature_of(log_probabilities: Floats, labels: NDArray[np.int64]) -> float | None:
    """The temperature T by which the likelihood of the labels is largest with probabilities
    softmax(z / T) (section 4.2): of one number, for every class of every image the same, so that no
    answer changes. None where there is no such number above 0: every answer is right, or they are
    no better than chance.

    The likelihood is concave in 1 / T: the root of its derivative is the one maximum.

    Args:
        log_probabilities: (N, K) of the network as it is; logits are as good.
    """
    scores = np.asarray(log_probabilities, np.float64)
    own = scores[np.arange(len(labels)), labels].mean()

    def slope(sharpness: float) -> float:  # by 1 / T, at T = exp(-sharpness)
        weights = scipy.special.softmax(scores * np.exp(sharpness), axis=1)
        return float((weights * scores).sum(1).mean() - own)

    if not slope(-_STEEPEST) < 0 < slope(_STEEPEST):
        return None
    return float(np.exp(-scipy.optimize.brentq(slope, -_STEEPEST, _STEEPEST, xtol=1e-6)))


def mean_of(values: Floats) -> Interval | None:
    """The 95 % interval of a mean over (N,) images, by Student's t; None of one image."""
    n = len(values)
    if n < 2:
        return None
    return around(float(values.mean()), student(n - 1) * float(values.std(ddof=1)) / n**0.5)
