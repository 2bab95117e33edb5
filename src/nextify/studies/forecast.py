"""What a plan will cost and what it will tell, before it starts; and the plans beside it."""

from dataclasses import dataclass, replace

import numpy as np

from nextify.experiments import precision
from nextify.experiments.coding import levels_of
from nextify.records import Experiment, Plan
from nextify.studies.kinds.factors import plan_experiment
from nextify.studies.kinds.frame import Frame
from nextify.studies.running.pilot import Pilot

# From cheap to dear. Each tells what the ones before it tell, more sharply or with more detail.
_LADDER: tuple[tuple[Experiment, int], ...] = (
    ("resolution-4", 1),
    ("resolution-4", 2),
    ("resolution-5", 1),
    ("resolution-5", 2),
    ("resolution-5", 4),
    ("full", 2),
    ("full", 4),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What a plan will cost and tell.

    Attributes:
        experiment, cells, seeds, runs: of the plan.
        seconds: of the whole plan; None if nothing was timed.
        half_width: of the simultaneous 95 % intervals of the contributions, in units of the
            standard deviation between runs of one cell; None if the cells do not tell
            contributions apart.
        points: the same in percentage points, where that standard deviation is known.
    """

    experiment: Experiment
    cells: int
    seeds: int
    runs: int
    seconds: float | None
    half_width: float | None
    points: float | None


def forecast(
    plan: Plan, *, pilot: Pilot | None = None, workers: int = 1, sigma: float | None = None
) -> Forecast:
    """What a plan of an experiment will cost and tell.

    Args:
        pilot: of this plan, or of one with the same cells. workers: runs side by side.
        sigma: the standard deviation between runs of one cell, in percentage points of accuracy.
    """
    width = half_width(plan)
    return Forecast(
        experiment=plan.experiment,
        cells=len(plan.cells),
        seeds=len(plan.seeds),
        runs=plan.count,
        seconds=pilot.total(plan, workers) if pilot else None,
        half_width=width,
        points=None if width is None or sigma is None else width * sigma,
    )


def neighbours(of: Frame, plan: Plan) -> tuple[Plan | None, Plan | None]:
    """The next cheaper and the next better plan: those of the usual ones that come next in the
    number of runs. The better one also has narrower intervals."""
    # Costs are matched cell by cell, which takes time and changes no count of runs.
    cheap, first = replace(of, matched=""), of.seeds[0]
    usual = [
        plan_experiment(replace(cheap, seeds=range(first, first + seeds)), experiment)
        for experiment, seeds in _LADDER
        if not (of.crossed and experiment == "full")  # thousands of cells
    ]
    runs, width = plan.count, half_width(plan) or np.inf
    cheaper = [other for other in usual if other.count < runs]
    better = [p for p in usual if p.count > runs and (half_width(p) or np.inf) < width]
    return (
        max(cheaper, key=lambda p: (p.count, -(half_width(p) or np.inf)), default=None),
        min(better, key=lambda p: p.count, default=None),
    )


def half_width(plan: Plan) -> float | None:
    """Half of a simultaneous 95 % interval of a contribution, in units of the standard deviation
    between runs of one cell; of the widest of all factors.

    None where the cells do not tell all contributions apart.
    """
    levels = levels_of(plan.columns, [cell.on for cell in plan.cells])
    runs = [len(plan.seeds_of(cell)) for cell in plan.cells]
    return precision.half_width(levels, runs, len(plan.crossed))
