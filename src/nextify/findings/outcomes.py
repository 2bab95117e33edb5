"""Runs that diverged, and runs that learned nothing: outcomes like others, on which a verdict may
rest.

A diverged run has no score of its own. Left out, it flatters the choice that made it diverge: the
runs that are left are the better ones. So it is scored as what it is worth: for accuracy as chance,
which always answering the largest class scores, and so for the scores by class (in balanced
accuracy that is 1 / classes); for a score without bounds as the last of all runs, by ranks. A run
that learned nothing has a score that says nothing of its design, only of its training. What all
runs say is therefore asked again without the ones and without the others (`readings`), and a
verdict stands where all answers agree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.scores import (
    BY_CLASS,
    AnyScore,
    Grid,
    ProbeScore,
    Score,
    by_class,
    counts_of,
    logit,
    scores,
)
from nextify.records.plan import Plan
from nextify.records.record import ClassCounts, Record, Result

LEVEL = 0.05
"""Of the test by which a run learned something: the share of those that only guess that pass."""

Rests = Literal["rests on diverged runs", "rests on runs that learned nothing"]
DIVERGED: Rests = "rests on diverged runs"
UNLEARNED: Rests = "rests on runs that learned nothing"
RESTS: tuple[Rests, ...] = (DIVERGED, UNLEARNED)

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chance:
    """What a network scores that always answers the largest class.

    Attributes:
        share: of that class among the images that are tested on.
        images: how many these are; 0 where the plan does not say it.
        known: whether the plan keeps the share; otherwise it is 1 / classes, which is the least
            that it can be.
    """

    share: float
    images: int = 0
    known: bool = True


def chance_of(plan: Plan) -> Chance | None:
    """The chance level of a study; None where the plan says nothing of its classes.

    >>> chance_of(plan)  # doctest: +SKIP
    Chance(share=0.25, images=368, known=True)
    """
    images, classes = (int(plan.data.get(name, 0)) for name in ("test", "classes"))
    if plan.largest_class is not None:
        return Chance(plan.largest_class, images)
    return Chance(1 / classes, images, known=False) if classes else None


def learned_nothing(result: Result | None, chance: Chance | None) -> bool:
    """Whether a finished run answers one class only, or its answers are not told apart from
    guesses, by a one-sided test at 5 %: of answers that go with the classes no better than dealt
    out anew, or where the images are not counted by class, of more right ones than always
    answering the largest has (exact binomial test).

    >>> one = Result(accuracy=0.27, nll=1.4, calibration_error=0.0, images=368, correct=b"")
    >>> learned_nothing(one, Chance(0.25)), learned_nothing(one, Chance(0.20))
    (True, False)
    """
    if result is None or chance is None or chance.share >= 1:  # of one class nothing is learned
        return False
    if result.answered == 1:
        return True
    if result.per_class is not None:
        return _p_of_dealt(result.per_class) > LEVEL
    right = round(result.accuracy * result.images)
    return bool(scipy.stats.binom.sf(right - 1, result.images, chance.share) > LEVEL)


def _p_of_dealt(counts: ClassCounts) -> float:
    """How often at least as many answers would be right, were the same answers dealt out to the
    images at random: by the normal approximation, with a correction for continuity.

    A network that is trained to find a rare class is right less often than one that never answers
    it, and has learned something (Cohen 1960, whose kappa is 0 for such answers).

    >>> round(_p_of_dealt(ClassCounts(true=(8, 8), answered=(8, 8), right=(6, 6))), 3)
    0.073
    """
    true, answered = (np.array(each, np.float64) for each in (counts.true, counts.answered))
    images, both = true.sum(), true * answered
    mean = both.sum() / images
    variance = (both.sum() - (both * (true + answered)).sum() / images + mean**2) / (images - 1)
    if variance <= 0:
        return 1.0
    step = 2 if np.count_nonzero(true + answered) == 2 else 1  # of two classes none by itself
    return float(scipy.stats.norm.sf((sum(counts.right) - step / 2 - mean) / np.sqrt(variance)))


def unlearned(records: Iterable[Record | None], chance: Chance | None) -> Marks:
    """Which of some runs learned nothing; none of those that did not finish."""
    return np.array([bool(run and learned_nothing(run.result, chance)) for run in records], bool)


def diverged(records: Iterable[Record | None]) -> Marks:
    """Which of some runs diverged."""
    return np.array([bool(run and run.outcome == "diverged") for run in records], bool)


def with_diverged(
    values: Floats, lost: Marks, score: Score, chance: Chance, counts: ClassCounts | None = None
) -> Floats:
    """Scores of all runs, those that diverged among them: at chance where the score says what that
    is; else the ranks of all scores, which have the diverged ones last.

    Args:
        values: of any shape, NaN without a score. lost: which runs diverged.
        counts: the test images by class; None where no run counted them, so that none has a score
            by class.
    """
    if score in BY_CLASS:
        return np.where(lost, by_class(counts.of_the_largest, score), values) if counts else values
    if score == "accuracy":
        return np.where(lost, chance.share, values)
    if score == "logit accuracy":
        right = round(chance.share * chance.images)
        return np.where(lost, logit(right, chance.images), values)
    ranks = scipy.stats.rankdata(np.where(lost, np.inf, values), nan_policy="omit")
    return np.asarray(ranks).reshape(values.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Otherwise:
    """The scores of cells by seeds, read in another way.

    Attributes:
        reason: what a verdict rests on that does not hold here. values: (cells, seeds).
        concerned: (cells, seeds) the runs that are read otherwise, or left out.
    """

    reason: Rests
    values: Floats
    concerned: Marks

    def part(self, cells: NDArray[np.int64]) -> "Otherwise":
        """Of some cells; index -1 for a cell that is not there."""
        there = (cells >= 0)[:, None]
        values = np.where(there, self.values[cells], np.nan)
        return Otherwise(self.reason, values, there & self.concerned[cells])


def otherwise(plan: Plan, runs: Grid, score: AnyScore) -> Iterator[Otherwise]:
    """Other readings of a study's finished runs: with the diverged ones, and without those that
    learned nothing; none where there are no such runs. A diverged network has no probe's value."""
    chance, values = chance_of(plan), scores(runs, score)
    if chance is None:
        return
    every = [run for row in runs for run in row]
    lost, nothing = (of.reshape(values.shape) for of in (diverged(every), unlearned(every, chance)))
    if lost.any() and not isinstance(score, ProbeScore):
        worst = with_diverged(values, lost, score, chance, counts_of(every))
        yield Otherwise(DIVERGED, worst, lost)
    if nothing.any():
        yield Otherwise(UNLEARNED, np.where(nothing, np.nan, values), nothing)
