"""Which of several candidates are out of the race: behind the leader beyond doubt.

Candidates are trained on more and more of the training images, all with the same seeds and draws,
and judged on held-out images. One leaves where it is behind the leader, whichever that is, both as
it stands and where it is heading: each run's score on the number of images so far, and that score
carried on to all images by what the last step brought,

    score(n) + (score(n) - score(n')) log(all / n) / log(n / n'),      n' < n the two last numbers.

Both are scores of runs like others, so that both are judged by `compare_with_best`: one spread
pooled over the candidates, seeds as blocks, for new seeds and new images. A candidate that is behind
on few images and gains more from each doubling is not behind in the second.

The level is 99 %: whoever leaves is not judged by fresh seeds any more, and the answer, which is of
those that are left, says 95 % of all. As a candidate has to be behind in both, and the second is
far less exact, what a race costs the answer is nothing that shows (`scripts/race_coverage.py`).
"""

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.best import compare_with_best

BEYOND_DOUBT = 0.99


def leaving(
    scores: Floats, correct: NDArray[np.bool_] | None, images: Sequence[int], everything: int
) -> list[bool]:
    """Which candidates are behind beyond doubt; none by one number of images alone.

    >>> scores = np.array([[[0.70, 0.72, 0.71], [0.80, 0.83, 0.81]],
    ...                    [[0.50, 0.51, 0.53], [0.61, 0.60, 0.62]],
    ...                    [[0.50, 0.51, 0.53], [0.78, 0.77, 0.76]]])
    >>> leaving(scores, None, [100, 200], 400)  # the third has nearly caught up
    [False, True, False]

    Args:
        scores: (k, numbers, seeds), NaN where a run has none.
        correct: (k, numbers, seeds, images) of the held-out images, where that is known.
        images: the numbers of training images, ascending. everything: all, of the finals.
    """
    on = len(images) - 1
    now = scores[:, on], None if correct is None else correct[:, on]
    if not on:
        return [False] * len(scores)
    steps = log(everything / images[on]) / log(images[on] / images[on - 1])
    ahead = _carried(scores, on, steps), None if correct is None else _carried(correct, on, steps)
    return [both[0] and both[1] for both in zip(_behind(*now), _behind(*ahead), strict=True)]


def _carried(values: NDArray[np.generic], on: int, steps: float) -> Floats:
    """(k, seeds, ...) carried on by so many steps of the last one's size."""
    before, now = (values[:, at].astype(np.float64) for at in (on - 1, on))
    return np.asarray(now + steps * (now - before))


def _behind(scores: Floats, correct: NDArray[np.generic] | None) -> list[bool]:
    best = compare_with_best(scores, [True] * len(scores), correct, BEYOND_DOUBT)
    return [not best.may_be_best(at) for at in range(len(scores))]


def is_over(raced: int, numbers: int, left: int, finalists: int) -> bool:
    """Whether there are no more laps: one was run on every number of images or, after the second,
    the first by which a candidate can leave, no more are left than go to the finals."""
    return raced == numbers or (raced > 1 and left <= finalists)


def finalists(means: Floats, left: Sequence[int], costs: Sequence[float], most: int) -> list[int]:
    """Who goes to the finals: of those left the best on the last lap, the cheapest among them.

    >>> finalists(np.array([0.7, 0.8, 0.9, 0.6]), [0, 1, 2], [1.0, 3.0, 4.0, 0.5], 2)
    [2, 0]

    Args:
        means: (k,) of the last lap. left: indices of those still in the race. costs: (k,).
    """
    order = sorted(left, key=lambda at: -float(means[at]) if means[at] == means[at] else np.inf)
    cheapest = min(left, key=lambda at: costs[at])
    chosen = order[:most]
    return chosen if cheapest in chosen else [*chosen[:-1], cheapest]
