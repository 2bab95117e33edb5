"""Which of several candidates are out of the race: behind the leader beyond doubt.

Candidates are trained on more and more of the training images, all with the same seeds and draws,
and judged on held-out images. One leaves where it is behind the leader, whichever that is, both as
it stands and where it is heading: each run's score on the number of images so far, and that score
carried on to all images by what the last step brought,

    score(n) + (score(n) - score(n')) log(all / n) / log(n / n'),      n' < n the two last numbers.

Both are scores of runs like others, so that both are judged by `compare_with_best`: one spread
pooled over the candidates, seeds as blocks, for new seeds and new images. A candidate that is
behind on few images and gains more from each doubling is not behind in the second.

The level is 99 % of the first and 95 % of the second, which is far less exact. Both have to hold,
so that what a race costs the answer, which is of those that are left and says 95 % of all, is
nothing that shows (`scripts/race_coverage.py`). One that has not begun to learn does not leave: its
curve says nothing yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from nextify.costs.spread import Spread
from nextify.designs import Initial
from nextify.experiments.coding import Floats
from nextify.findings.best import compare_with_best
from nextify.findings.comparison import places
from nextify.findings.outcomes import chance_of, unlearned
from nextify.findings.scores import correct_of, grid, scores
from nextify.records.plan import Plan
from nextify.records.record import Record

BEYOND_DOUBT, HEADING = 0.99, 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Racer:
    """A candidate of a race.

    Attributes:
        name: of the network. initial: the weights that it starts from; None for random ones.
        rates: mean accuracy on held-out images at each multiple of its recipe's learning rate that
            was tried, ascending; None without a score. rate: the best of them, which it raced at.
        laps: the same by number of training images.
        left: the number of images by which it left; None where it did not.
        in_finals: whether it was trained on all images. latency: seconds, where it was measured.
    """

    name: str
    initial: Initial | None
    rates: Mapping[float, float | None]
    rate: float
    laps: Mapping[int, float | None]
    left: int | None
    in_finals: bool
    latency: Spread | None = None

    @property
    def at_the_edge(self) -> bool:
        """Whether its rate is the lowest or the highest that was tried."""
        return self.rate in (min(self.rates), max(self.rates))


def leaving(
    scores: Floats, correct: NDArray[np.bool_] | None, images: Sequence[int], everything: int
) -> NDArray[np.bool_]:
    """Which candidates are behind beyond doubt; none by one number of images alone.

    >>> scores = np.array([[[0.70, 0.72, 0.71], [0.80, 0.83, 0.81]],
    ...                    [[0.50, 0.51, 0.53], [0.61, 0.60, 0.62]],
    ...                    [[0.50, 0.51, 0.53], [0.78, 0.77, 0.76]]])
    >>> leaving(scores, None, [100, 200], 400).tolist()  # the third has nearly caught up
    [False, True, False]

    Args:
        scores: (k, numbers, seeds), NaN where a run has none.
        correct: (k, numbers, seeds, images) of the held-out images, where that is known.
        images: the numbers of training images, ascending. everything: all, of the finals.
    """
    on = len(images) - 1
    now = scores[:, on], None if correct is None else correct[:, on]
    if not on:
        return np.zeros(len(scores), np.bool_)
    steps = log(everything / images[on]) / log(images[on] / images[on - 1])
    ahead = _carried(scores, on, steps), None if correct is None else _carried(correct, on, steps)
    return _behind(*now, BEYOND_DOUBT) & _behind(*ahead, HEADING)


def _carried(values: NDArray[np.generic], on: int, steps: float) -> Floats:
    """(k, seeds, ...) carried on by so many steps of the last one's size."""
    before, now = (values[:, at].astype(np.float64) for at in (on - 1, on))
    return np.asarray(now + steps * (now - before))


def _behind(scores: Floats, correct: NDArray[np.generic] | None, level: float) -> NDArray[np.bool_]:
    best = compare_with_best(scores, [True] * len(scores), correct, level)
    return np.array([not best.may_be_best(at) for at in range(len(scores))])


def departures(plan: Plan, records: Sequence[Record], everything: int) -> dict[str, int | None]:
    """The number of images by which each candidate left the race so far; None: it is still in it.

    One of which a run diverged or failed on a lap leaves, too, unless that is true of all; one that
    learned nothing on a lap does not leave by it.

    Args:
        plan: of a comparison: of those still in the race, on each number of images.
        everything: the training images of the finals.
    """
    where, runs, chance = places(plan), grid(plan, records), chance_of(plan)
    values, correct = scores(runs), correct_of([run.result if run else None
                                                for row in runs for run in row])  # fmt: skip
    numbers = sorted({number for _, number in where})
    found: dict[str, int | None] = dict.fromkeys(name for name, _ in where)
    for at, number in enumerate(numbers):
        left = [name for name, gone in found.items() if gone is None]
        cells = np.array([[where[name, each] for each in numbers[: at + 1]] for name in left])
        lost = np.isnan(values[cells[:, -1]]).any(axis=1)
        if lost.all():
            continue
        sound = cells[~lost]
        judged = None if correct is None else correct.reshape(*values.shape, -1)[sound]
        stuck = [unlearned(runs[each], chance).all() for each in sound[:, -1]]
        lost[~lost] = leaving(values[sound], judged, numbers[: at + 1], everything) & ~np.array(
            stuck
        )
        found |= {name: number for name, leaves in zip(left, lost, strict=True) if leaves}
    return found


def is_over(raced: int, numbers: int, left: int, finalists: int) -> bool:
    """Whether there are no more laps: one was run on every number of images or, after the second,
    the first by which a candidate can leave, no more are left than go to the finals."""
    return raced == numbers or (raced > 1 and left <= finalists)


def finalists(means: Floats, left: Sequence[int], costs: Sequence[float], most: int) -> list[int]:
    """Who goes to the finals: of those left the best on the last lap; of several, the cheapest is
    among them.

    >>> finalists(np.array([0.7, 0.8, 0.9, 0.6]), [0, 1, 2], [1.0, 3.0, 4.0, 0.5], 2)
    [2, 0]
    >>> finalists(np.array([0.7, 0.8, 0.9, 0.6]), [0, 1, 2], [1.0, 3.0, 4.0, 0.5], 1)
    [2]

    Args:
        means: (k,) of the last lap. left: indices of those still in the race. costs: (k,).
    """
    order = sorted(left, key=lambda at: -float(means[at]) if means[at] == means[at] else np.inf)
    cheapest = min(left, key=lambda at: costs[at])
    chosen = order[:most]
    return chosen if most == 1 or cheapest in chosen else [*chosen[:-1], cheapest]
