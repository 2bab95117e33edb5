"""Means of cells and differences between them, from a fit of cells and seeds, with intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around, student
from nextify.findings.blocks import BlockModel, fit_blocks
from nextify.findings.images import for_new_images
from nextify.findings.outcomes import Otherwise, Rests
from nextify.findings.scores import AnyScore, Grid, correct_of

Verdict = Literal["up", "down", "not resolved", "no interval", ""] | Rests


@dataclass(frozen=True, slots=True)
class CellMean:
    """A cell's mean score.

    Attributes:
        name: of the step or network. n: finished runs.
        values: the score with each of the plan's seeds; None where there is none.
        mean: None without a finished run.
        interval: for the mean over new seeds; None with one seed in the whole study.
        wide: for new seeds and new test images; accuracy only.
    """

    name: str
    n: int
    values: tuple[float | None, ...]
    mean: float | None
    interval: Interval | None
    wide: Interval | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell's score minus another's, seeds paired.

    Attributes:
        before, after: indices of the cells; `before` is -1 for a cell without a reference.
        value: None where one of the two has no score, or where they share no seed.
        interval: for new seeds, spread pooled over all cells.
        wide: for new seeds and new test images; accuracy only.
        own: for new seeds, by the paired t test on these two cells' seeds alone: wide at few
            seeds, but it assumes nothing of the other cells.
        p: two-sided, belongs to `interval`. holm: adjusted for all differences of the study
            together (Holm 1979).
        rests: why there is no verdict: another reading of the runs has another; empty otherwise.
    """

    before: int
    after: int
    value: float | None = None
    interval: Interval | None = None
    wide: Interval | None = None
    own: Interval | None = None
    p: float | None = None
    holm: float | None = None
    rests: Rests | Literal[""] = ""

    @property
    def verdict(self) -> Verdict:
        """In words: does the interval exclude zero, and on which side? Empty without a value."""
        if self.rests:
            return self.rests
        if self.value is None:
            return ""
        if self.interval is None:
            return "no interval"
        if not self.interval.excludes_zero:
            return "not resolved"
        return "up" if self.value > 0 else "down"

    @property
    def resolved(self) -> bool:
        """Whether the interval excludes zero."""
        return self.verdict in ("up", "down")


@dataclass(frozen=True, slots=True)
class Compared:
    """Cells, each compared with a reference among them.

    Attributes:
        means: one a cell.
        differences: one a cell, to its reference.
        spread: the fit, which knows the noise.
    """

    means: tuple[CellMean, ...]
    differences: tuple[Difference, ...]
    spread: BlockModel


# (cells, seeds, images): 1 for a test image classified correctly and 0 for another, or a difference
# of these; no meaning where a run has no score. Without images where they are not known.
Correct = NDArray[np.int8]


def correctness_of(runs: Grid, metric: AnyScore) -> Correct:
    """Whether each run classified each test image correctly; without images if not all runs were
    tested on equally many, or for another score."""
    found = correct_of([run.result if run else None for row in runs for run in row])
    if found is None or metric != "accuracy":
        return np.zeros((len(runs), len(runs[0]), 0), dtype=np.int8)
    return found.reshape(len(runs), -1, found.shape[1]).astype(np.int8)


def compared(
    model: BlockModel,
    correct: Correct,
    names: Iterable[str],
    references: Iterable[int],
    others: Iterable[Otherwise] = (),
) -> Compared:
    """Means, differences and noise of a table of cells by seeds, from its fit.

    Args:
        names, references: one a cell; -1 for no reference. others: see `judged`.
    """
    means = (cell_mean(model, correct, at, name) for at, name in enumerate(names))
    moves = [difference(model, correct, before, at) for at, before in enumerate(references)]
    return Compared(tuple(means), judged(moves, others), model)


def judged(moves: Sequence[Difference], others: Iterable[Otherwise]) -> tuple[Difference, ...]:
    """The differences; without a verdict where the runs, read in another way, have another.

    Only differences of cells that are then read otherwise are looked at.

    Args:
        others: other readings of the same cells.
    """
    found = list(moves)
    for other in others:
        model, cells = fit_blocks(other.values), set(np.flatnonzero(other.concerned.any(axis=1)))
        no_images = np.zeros((*other.values.shape, 0), dtype=np.int8)
        for at, move in enumerate(found):
            if move.verdict in ("", "no interval") or not cells & {move.before, move.after}:
                continue
            again = difference(model, no_images, move.before, move.after)
            if again.verdict != move.verdict and not move.rests:
                found[at] = replace(move, rests=other.reason)
    return tuple(found)


def cell_mean(model: BlockModel, correct: Correct, cell: int, name: str) -> CellMean:
    """A cell's mean over its finished runs.

    Args:
        model, correct: of all cells.
    """
    row = model.scores[cell]
    known = ~np.isnan(row)
    values = tuple(float(value) if ok else None for value, ok in zip(row, known, strict=True))
    if not known.any():
        return CellMean(name, 0, values, None, None)
    value, interval = model.mean(cell)
    wide = for_new_images(value, interval, correct[cell, known])
    return CellMean(name, int(known.sum()), values, value, interval, wide)


def difference(model: BlockModel, correct: Correct, before: int, after: int) -> Difference:
    """A cell's score minus that of the cell `before`.

    >>> from nextify.findings.blocks import fit_blocks
    >>> scores, correct = np.array([[0.80, 0.82], [0.85, 0.86]]), np.zeros((2, 2, 0), np.int8)
    >>> found = difference(fit_blocks(scores), correct, 0, 1)
    >>> round(found.value, 3), found.verdict
    (0.045, 'not resolved')
    """
    found = model.difference(before, after) if before >= 0 else None
    if found is None:
        return Difference(before, after)
    value, variance = found
    plain = Difference(before, after, value, own=_own(model.scores, before, after))
    if model.residual_sd is None:
        return plain
    error = model.residual_sd * np.sqrt(variance)
    interval = around(value, student(model.df_residual) * error)
    p = float(2 * scipy.stats.t.sf(abs(value) / error, model.df_residual))
    both = ~np.isnan(model.scores[[before, after]]).any(axis=0)
    wide = for_new_images(value, interval, correct[after, both] - correct[before, both])
    return replace(plain, interval=interval, wide=wide, p=p)


def _own(values: Floats, before: int, after: int) -> Interval | None:
    pairs = values[after] - values[before]
    pairs = pairs[~np.isnan(pairs)]
    if len(pairs) < 2:
        return None
    error = float(pairs.std(ddof=1)) / np.sqrt(len(pairs))
    return around(float(pairs.mean()), student(len(pairs) - 1) * error)


def holm(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """The same differences with p adjusted for all of them together."""
    tested = sorted((each.p, at) for at, each in enumerate(differences) if each.p is not None)
    products = (min(1.0, p * (len(tested) - rank)) for rank, (p, _) in enumerate(tested))
    adjusted = dict(zip((at for _, at in tested), accumulate(products, max), strict=True))
    return tuple(replace(each, holm=adjusted.get(at)) for at, each in enumerate(differences))
