"""What each step of a path did: means, differences to the step before, and their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.findings.blocks import fit_blocks
from nextify.findings.differences import (
    CellMean,
    Difference,
    cell_mean,
    correctness_of,
    difference,
    holm,
)
from nextify.findings.grid import grid, scores
from nextify.findings.scores import Score
from nextify.findings.spread import Spread, spread
from nextify.records.plan import Plan
from nextify.records.record import Record


@dataclass(frozen=True, slots=True)
class Steps:
    """A path's steps, measured.

    Attributes:
        means: one a cell. differences: one a cell, to the cell before; None for the first, and
            where one of the two cells has no finished run.
        overall: the last cell against the first.
        spread: of the noise.
    """

    metric: Score
    means: tuple[CellMean, ...]
    differences: tuple[Difference | None, ...]
    overall: Difference | None
    spread: Spread


def measure_steps(plan: Plan, records: Iterable[Record], metric: Score = "accuracy") -> Steps:
    """Means, differences and intervals of a plan's cells, from its records.

    The model is that of `nextify.findings.blocks`: errors normal with equal spread in all
    cells, seeds as blocks, any run may be missing; `Steps.spread` says how far that holds.
    Intervals are 95 %, Student's t, each by itself (not simultaneous). They cover new seeds, the
    `wide` ones new test images too; never other training images, data sets or recipes. Diverged
    and failed runs have no score: means are over the runs that finished.
    """
    runs = grid(plan, records)
    model = fit_blocks(scores(runs, metric))
    correct = correctness_of(runs) if metric == "accuracy" else None
    steps = [difference(model, correct, at - 1, at) for at in range(len(runs))]
    return Steps(
        metric=metric,
        means=tuple(cell_mean(model, correct, at, cell.name) for at, cell in enumerate(plan.cells)),
        differences=holm((None, *steps[1:])),
        overall=difference(model, correct, 0, len(runs) - 1) if len(runs) > 1 else None,
        spread=spread(model),
    )
