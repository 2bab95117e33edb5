"""What each step of a path did: means, differences to the step before, and their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.findings.blocks import fit_blocks
from nextify.findings.differences import (
    Compared,
    Difference,
    compared,
    correctness_of,
    difference,
    holm,
    judged,
)
from nextify.findings.outcomes import otherwise
from nextify.findings.scores import AnyScore, grid, scores
from nextify.records.plan import Plan
from nextify.records.record import Record


@dataclass(frozen=True, slots=True)
class Steps(Compared):
    """A path's steps, each against the one before.

    Attributes:
        overall: the last cell against the first.
    """

    overall: Difference


def measure_steps(plan: Plan, records: Iterable[Record], metric: AnyScore = "accuracy") -> Steps:
    """Means, differences and intervals of a plan's cells, from its records.

    The model is that of `nextify.findings.blocks`: errors normal with equal spread in all
    cells, seeds as blocks, any run may be missing; `Steps.spread` says how far that holds.
    Intervals are 95 %, Student's t, each by itself (not simultaneous). They cover new seeds, the
    `wide` ones new test images too; never other training images, data sets or recipes. Diverged
    and failed runs have no score: means are over the runs that finished. Where a verdict does not
    hold with the diverged runs at chance, or without the runs that learned nothing, there is none.
    """
    runs = grid(plan, records)
    model = fit_blocks(scores(runs, metric))
    correct = correctness_of(runs, metric)
    last, others = len(runs) - 1, tuple(otherwise(plan, runs, metric))
    names = [cell.name for cell in plan.cells]
    found = compared(model, correct, names, range(-1, last), others)
    overall = difference(model, correct, 0, last) if last else Difference(0, 0)
    (overall,) = judged([overall], others)
    return Steps(found.means, holm(found.differences), found.spread, overall)
