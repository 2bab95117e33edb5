"""The numbers read off runs: their scores, and which test images they classified correctly."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.blocks import fit_blocks
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import ClassCounts, Record, Result

Score = Literal[
    "accuracy", "nll", "logit accuracy", "calibration_error", "balanced accuracy", "macro f1"
]

BY_CLASS: tuple[Score, ...] = ("balanced accuracy", "macro f1")
"""Scores in which all classes count alike, however many images they have."""

# Contributions are of these.
ATTRIBUTED: tuple[Score, ...] = ("accuracy", "nll", "logit accuracy", *BY_CLASS)

PER_IMAGE: tuple[Score, ...] = ("accuracy", "logit accuracy")
"""Scores of which each image's part is kept: intervals may cover new test images."""

# -1 where a smaller score is the better one.
BETTER: dict[Score, Literal[1, -1]] = {
    "accuracy": 1,
    "nll": -1,
    "logit accuracy": 1,
    "calibration_error": -1,
    "balanced accuracy": 1,
    "macro f1": 1,
}


Direction = Literal[1, 0, -1]


@dataclass(frozen=True, eq=False, slots=True)
class ProbeScore:
    """A probe's value as a score: of nothing is assumed that holds for accuracy.

    Attributes:
        name: of the probe, or of one of its named values: `shift-consistency.stage1`.
        unit: of the values; empty for a pure number.
        better: 1 where more is better, -1 where less is, 0 where that cannot be said.
        values: by the run's key; only finished runs whose network has one.
        reasons: why other networks have none, each with the number of runs.
    """

    name: str
    unit: str
    better: Direction
    values: Mapping[str, float]
    reasons: Mapping[str, int]


AnyScore = Score | ProbeScore


def better_of(score: AnyScore) -> Direction:
    """1 where more of a score is better, -1 where less is, 0 where that cannot be said."""
    return score.better if isinstance(score, ProbeScore) else BETTER[score]


def name_of(score: AnyScore) -> str:
    """As it stands in files."""
    return score.name if isinstance(score, ProbeScore) else score


def value_of(run: Record | None, score: AnyScore) -> float:
    """A run's score; NaN where it is missing, diverged or failed, or where a probe has no value."""
    if not isinstance(score, ProbeScore):
        return score_of(run.result if run else None, score)
    found = score.values.get(run.key) if run and run.result else None
    return float("nan") if found is None else found


def score_of(result: Result | None, score: Score) -> float:
    """A run's score; NaN where it is missing, diverged or failed, or where its images were not
    counted by class, which some scores need."""
    if result is None:
        return float("nan")
    if score == "logit accuracy":
        return logit(round(result.accuracy * result.images), result.images)
    if score in BY_CLASS:
        return float("nan") if result.per_class is None else by_class(result.per_class, score)
    return float(getattr(result, score))


def by_class(counts: ClassCounts, score: Score) -> float:
    """One of `BY_CLASS`."""
    return counts.balanced_accuracy if score == "balanced accuracy" else counts.macro_f1


def counts_of(runs: Iterable[Record | None]) -> ClassCounts | None:
    """The test images by class, as one of some runs counted them; None where none did."""
    each = (run.result.per_class for run in runs if run and run.result)
    return next(filter(None, each), None)


def beside_accuracy(runs: Iterable[Record | None]) -> tuple[Score, ...]:
    """The scores to show beside accuracy: those by class where classes are unequal."""
    counts = counts_of(runs)
    return BY_CLASS if counts is not None and counts.unequal else ()


def logit(correct: int, images: int) -> float:
    """Log odds of a correct answer, half an image added to each side so that it is finite.

    Agresti, Categorical Data Analysis, section 3.1 (after Haldane and Anscombe).

    >>> round(logit(90, 100), 3), round(logit(100, 100), 3)
    (2.154, 5.303)
    """
    return float(np.log((correct + 0.5) / (images - correct + 0.5)))


def correctness(result: Result) -> NDArray[np.bool_]:
    """Whether each test image was classified correctly: shape (images,)."""
    bits = np.frombuffer(result.correct, dtype=np.uint8)
    return np.unpackbits(bits, count=result.images).astype(np.bool_)


def correct_of(results: Sequence[Result | None]) -> NDArray[np.bool_] | None:
    """(runs, images) whether each run classified each test image correctly, without meaning where a
    run has no result; None if not all runs were tested on equally many, or kept what they saw."""
    known = [result for result in results if result]
    sizes = {result.images for result in known}
    if len(sizes) != 1 or min(sizes) < 2 or not all(result.correct for result in known):
        return None
    found = np.zeros((len(results), sizes.pop()), dtype=np.bool_)
    for at, result in enumerate(results):
        if result:
            found[at] = correctness(result)
    return found


Grid = tuple[tuple[Record | None, ...], ...]


def grid(plan: Plan, records: Iterable[Record]) -> Grid:
    """The records as rows of cells and columns of seeds (`Plan.all_seeds`); None where a run is
    not recorded yet, or not planned.

    Records of runs that are not in the plan are left out. Two cells that are the same run (a
    choice that changes nothing) share its record.
    """
    known = places(plan, records)
    return tuple(
        tuple(known.get((cell.name, seed)) for seed in plan.all_seeds) for cell in plan.cells
    )


def scores(runs: Grid, score: AnyScore = "accuracy") -> Floats:
    """One score a run, cells by seeds; NaN where a run is missing, diverged or failed."""
    return np.array([[value_of(run, score) for run in row] for row in runs]).reshape(len(runs), -1)


def best_cell(plan: Plan, runs: Grid) -> int | None:
    """The cell with the highest mean accuracy, of those on the most training images; the first of
    equal ones; None without a score."""
    most, values = max(map(plan.images_of, plan.cells)), scores(runs)
    scored = (
        at
        for at, cell in enumerate(plan.cells)
        if plan.images_of(cell) == most and np.isfinite(values[at]).any()
    )
    return max(scored, key=lambda at: float(np.nanmean(values[at])), default=None)


def sigma_of(plan: Plan, records: Iterable[Record]) -> float | None:
    """The standard deviation between runs of one cell, in percentage points of accuracy, from the
    cells that have two or more records; None if there is no such cell, or nothing varies."""
    sd = fit_blocks(scores(grid(plan, records))).within_sd
    return None if sd is None else 100 * sd
