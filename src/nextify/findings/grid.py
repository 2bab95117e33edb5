"""A study's records laid out as cells by seeds, and the numbers read off them."""

from collections.abc import Iterable

import numpy as np

from nextify.experiments.coding import Floats
from nextify.findings.blocks import fit_blocks
from nextify.findings.scores import Score, score_of
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Record

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


def scores(runs: Grid, score: Score = "accuracy") -> Floats:
    """One score a run, cells by seeds; NaN where a run is missing, diverged or failed."""
    return np.array(
        [[score_of(run.result if run else None, score) for run in row] for row in runs]
    ).reshape(len(runs), -1)


def sigma_of(plan: Plan, records: Iterable[Record]) -> float | None:
    """The standard deviation between runs of one cell, in percentage points of accuracy, from the
    cells that have two or more records; None if there is no such cell, or nothing varies."""
    sd = fit_blocks(scores(grid(plan, records))).within_sd
    return None if sd is None else 100 * sd
