"""What each step of a path did: means, differences to the step before, and their intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from nextify.attribution.blocks import BlockModel, Floats, Interval, around, fit, student
from nextify.attribution.grid import Grid, Metric, correctness, grid, scores
from nextify.attribution.images import image_variance, widened
from nextify.attribution.spread import Spread, spread
from nextify.records.plan import Plan
from nextify.records.record import Record, Result

Verdict = Literal["up", "down", "not resolved", "no interval"]


@dataclass(frozen=True, slots=True)
class CellMean:
    """A cell's mean score.

    Attributes:
        name: of the step. n: finished runs.
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
        before, after: indices of the cells.
        interval: for new seeds, spread pooled over all cells.
        wide: for new seeds and new test images; accuracy only.
        own: for new seeds, by the paired t test on these two cells' seeds alone: wide at few
            seeds, but it assumes nothing of the other cells.
        p: two-sided, belongs to `interval`. holm: adjusted for all steps together (Holm 1979).
    """

    before: int
    after: int
    value: float
    interval: Interval | None = None
    wide: Interval | None = None
    own: Interval | None = None
    p: float | None = None
    holm: float | None = None

    @property
    def verdict(self) -> Verdict:
        """In words: does the interval exclude zero, and on which side?"""
        if self.interval is None:
            return "no interval"
        if not self.interval.excludes_zero:
            return "not resolved"
        return "up" if self.value > 0 else "down"


@dataclass(frozen=True, slots=True)
class Steps:
    """A path's steps, measured.

    Attributes:
        means: one a cell. differences: one a cell, to the cell before; None for the first, and
            where one of the two cells has no finished run.
        overall: the last cell against the first.
        spread: of the noise.
    """

    metric: Metric
    means: tuple[CellMean, ...]
    differences: tuple[Difference | None, ...]
    overall: Difference | None
    spread: Spread


def measure_steps(plan: Plan, records: Iterable[Record], metric: Metric = "accuracy") -> Steps:
    """Means, differences and intervals of a plan's cells, from its records.

    The model is that of `nextify.attribution.blocks`: errors normal with equal spread in all
    cells, seeds as blocks, any run may be missing; `Steps.spread` says how far that holds.
    Intervals are 95 %, Student's t, each by itself (not simultaneous). They cover new seeds, the
    `wide` ones new test images too; never other training images, data sets or recipes. Diverged
    and failed runs have no score: means are over the runs that finished.
    """
    runs = grid(plan, records)
    model = fit(scores(runs, metric))
    correct = _correct(runs) if metric == "accuracy" else None
    steps = [_difference(model, correct, at - 1, at) for at in range(len(runs))]
    return Steps(
        metric=metric,
        means=tuple(_mean(model, correct, at, cell.name) for at, cell in enumerate(plan.cells)),
        differences=_holm((None, *steps[1:])),
        overall=_difference(model, correct, 0, len(runs) - 1) if len(runs) > 1 else None,
        spread=spread(model),
    )


# (cells, seeds, images) as int8, with no meaning where a run has no score; None if the runs were
# not all tested on equally many images.
_Correct = np.ndarray[tuple[int, int, int], np.dtype[np.int8]] | None


def _correct(runs: Grid) -> _Correct:
    results: list[list[Result | None]] = [[run.result if run else None for run in r] for r in runs]
    sizes = {result.images for row in results for result in row if result}
    if len(sizes) != 1 or min(sizes) < 2:
        return None
    found = np.zeros((len(runs), len(runs[0]), sizes.pop()), dtype=np.int8)
    for cell, row in enumerate(results):
        for seed, result in enumerate(row):
            if result is not None:
                found[cell, seed] = correctness(result)
    return found


def _mean(model: BlockModel, correct: _Correct, cell: int, name: str) -> CellMean:
    row = model.scores[cell]
    known = ~np.isnan(row)
    values = tuple(float(value) if ok else None for value, ok in zip(row, known, strict=True))
    if not known.any():
        return CellMean(name, 0, values, None, None)
    value, interval = model.mean(cell)
    wide = None
    if interval is not None and correct is not None:
        table = correct[cell, known].astype(np.float64)
        wide = around(value, widened(interval.half, image_variance(table)))
    return CellMean(name, int(known.sum()), values, value, interval, wide)


def _difference(model: BlockModel, correct: _Correct, before: int, after: int) -> Difference | None:
    if before < 0 or not (model.counts[before] and model.counts[after]):
        return None
    found = model.difference(before, after)
    if found is None:
        return None
    value, variance = found
    plain = Difference(before, after, value, own=_own(model.scores, before, after))
    if model.residual_sd is None:
        return plain
    error = model.residual_sd * np.sqrt(variance)
    interval = around(value, student(model.df_residual) * error)
    p = float(2 * stats.t.sf(abs(value) / error, model.df_residual))
    wide = _wide(model, correct, before, after, value, interval)
    return replace(plain, interval=interval, wide=wide, p=p)


def _wide(
    model: BlockModel, correct: _Correct, before: int, after: int, value: float, seeds: Interval
) -> Interval | None:
    both = ~np.isnan(model.scores[before]) & ~np.isnan(model.scores[after])
    if correct is None or not both.any():
        return None
    table = correct[after, both].astype(np.float64) - correct[before, both]
    return around(value, widened(seeds.half, image_variance(table)))


def _own(values: Floats, before: int, after: int) -> Interval | None:
    pairs = values[after] - values[before]
    pairs = pairs[~np.isnan(pairs)]
    if len(pairs) < 2:
        return None
    error = float(pairs.std(ddof=1)) / np.sqrt(len(pairs))
    return around(float(pairs.mean()), student(len(pairs) - 1) * error)


def _holm(differences: Sequence[Difference | None]) -> tuple[Difference | None, ...]:
    """The same differences with p adjusted for all of them together."""
    tested = [(each.p, at) for at, each in enumerate(differences) if each and each.p is not None]
    adjusted: dict[int, float] = {}
    worst = 0.0
    for rank, (p, at) in enumerate(sorted(tested)):
        worst = max(worst, min(1.0, p * (len(tested) - rank)))
        adjusted[at] = worst
    return tuple(
        replace(each, holm=adjusted.get(at)) if each else None
        for at, each in enumerate(differences)
    )
