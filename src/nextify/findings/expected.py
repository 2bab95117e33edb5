"""The accuracy to expect of the design that came out best.

The highest of several means is too high a guess of its design's accuracy: it was luck, too, that
made it the highest. Cross-fitting takes that out: the design that wins by the other seeds is scored
on this seed, for each seed in turn; and so are the images: the winner by the other seeds *and* the
other images is scored on this seed and these images. No run and no image that a winner is scored by
had a part in choosing it, so the mean of these scores is right on average, whatever the designs'
accuracies, for what is chosen by one seed (and a tenth of the images) less. With few seeds such a
choice is worse than that by all of them, and the number is a little low.

The interval needs no correction, only the right quantiles. That the winner's mean is too high by
more than c happens only if some mean is, so downwards it reaches as far as intervals that hold for
all designs together. That it is too low by more than c happens only if the mean of the design that
is best in truth is, too: it is at least as good as the winner and was not measured as better. So
upwards the interval of one design that was not chosen will do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, of_share, student
from nextify.findings.best import MANY, Best, largest_t
from nextify.findings.images import widened

_FOLDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """The accuracy to expect of the winner.

    Attributes:
        value: by cross-fitting. interval: 95 %; None where the spread is not known.
        new_images: whether both are for new test images, too, and not for new seeds alone.
    """

    value: float
    interval: Interval | None
    new_images: bool


def to_expect(best: Best, scores: Floats, correct: NDArray[np.bool_] | None) -> Expected | None:
    """The accuracy to expect of the winner; None with one seed, whose part cannot be taken out.

    Args:
        scores: (k, seeds) that `best` was found from, NaN where there is none.
        correct: (k, seeds, images), where that is known.
    """
    runners = list(best.runners)
    if not runners:
        return None
    parts, sizes = scores[runners, :, None], np.ones(1)
    if correct is not None:
        parts, sizes = _by_folds(correct[runners], np.isnan(scores[runners]))
    value = crossfitted(parts, sizes)
    if value is None:
        return None
    return Expected(value=value, interval=_interval(best), new_images=correct is not None)


def _by_folds(correct: NDArray[np.bool_], missing: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(k, seeds, folds) correct answers, and (folds,) images. Every tenth image is in a fold: sets
    are in the order of their classes."""
    images = correct.shape[2]
    folds = range(min(_FOLDS, images))
    sums = [correct[:, :, at :: len(folds)].sum(axis=2, dtype=np.float64) for at in folds]
    parts = np.where(missing[:, :, None], np.nan, np.stack(sums, axis=2))
    return parts, np.array([len(range(at, images, len(folds))) for at in folds], np.float64)


def crossfitted(parts: Floats, sizes: Floats) -> float | None:
    """The mean score, on each seed and fold, of the design that wins by the other seeds and folds;
    None with one seed.

    >>> crossfitted(np.array([[[8.0], [9.0]], [[6.0], [7.0]]]), np.array([10.0]))
    0.85

    Args:
        parts: (k, seeds, folds) of correct answers; NaN where a run is missing.
        sizes: (folds,) images; of a single fold, all take part in choosing.
    """
    known, right = ~np.isnan(parts[:, :, 0]), np.nan_to_num(parts)
    left, images = right.sum((1, 2), keepdims=True) - right.sum(2, keepdims=True), sizes
    if len(sizes) > 1:
        left, images = left - right.sum(1, keepdims=True) + right, sizes.sum() - sizes
    seeds = (known.sum(axis=1, keepdims=True) - known)[:, :, None]
    means = np.where(seeds > 0, left / (np.maximum(seeds, 1) * images), -np.inf)
    winners = means.argmax(axis=0)[None]
    scored = np.take_along_axis(parts, winners, axis=0)[0]
    fair = ~np.isnan(scored) & (means.max(axis=0) > -np.inf)
    return float(scored[fair].sum() / (fair * sizes).sum()) if fair.any() else None


def _interval(best: Best) -> Interval | None:
    at = best.winner
    if at is None or np.isnan(best.variances[at]):
        return None
    count, df, error = int(np.sum(best.counts > 0)), float(best.df[at]), best.variances[at] ** 0.5
    down, up = largest_t(count, df) * error, student(df) * error
    if best.images is not None:
        variance = float(best.images[at, at])
        down, up = widened(down, variance, largest_t(count, MANY)), widened(up, variance)
    return of_share(Interval(float(best.means[at] - down), float(best.means[at] + up)))
