"""What a plan will cost and what it will tell, before it starts; and the plans beside it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import scipy

from nextify.errors import InputError
from nextify.experiments.coding import Model
from nextify.experiments.precision import standard_error
from nextify.findings import grid, scores
from nextify.findings.blocks import LEVEL
from nextify.records import Experiment, Plan, Record
from nextify.study.kinds.factors import Frame, plan_experiment
from nextify.study.running.pilot import Pilot

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
_TELLS: dict[str, str] = {
    "leave-one-out": "each factor undone at the end; nothing of how factors change each other",
    "add-one-in": "each factor made at the start; nothing of how factors change each other",
    "resolution-4": "contributions; of two-factor interactions only sums of several",
    "resolution-5": "contributions and every two-factor interaction",
    "full": "contributions and interactions of every order",
    "permutations": "contributions, from sampled orders",
    "augmented": "what its cells allow",
}


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
        tells: in words.
    """

    experiment: Experiment
    cells: int
    seeds: int
    runs: int
    seconds: float | None
    half_width: float | None
    points: float | None
    tells: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


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
        runs=len(plan.runs()),
        seconds=_seconds(plan, pilot, workers),
        half_width=width,
        points=None if width is None or sigma is None else width * sigma,
        tells=_TELLS[plan.experiment],
    )


def neighbours(of: Frame, plan: Plan) -> tuple[Plan | None, Plan | None]:
    """The next cheaper and the next better plan: those of the usual ones that come next in the
    number of runs. The better one also has narrower intervals."""
    usual = [_usual(of, experiment, seeds) for experiment, seeds in _LADDER]
    runs, width = len(plan.runs()), half_width(plan) or np.inf
    cheaper = [other for other in usual if len(other.runs()) < runs]
    better = [p for p in usual if len(p.runs()) > runs and (half_width(p) or np.inf) < width]
    return (
        max(cheaper, key=lambda p: (len(p.runs()), -(half_width(p) or np.inf)), default=None),
        min(better, key=lambda p: len(p.runs()), default=None),
    )


def _usual(of: Frame, experiment: Experiment, seeds: int) -> Plan:
    first = of.seeds[0]
    # Costs are matched cell by cell, which takes time and changes no count of runs.
    cheap = replace(of, seeds=tuple(range(first, first + seeds)), matched="")
    return plan_experiment(cheap, experiment)


def half_width(plan: Plan) -> float | None:
    """Half of a simultaneous 95 % interval of a contribution, in units of the standard deviation
    between runs of one cell; of the widest of all factors.

    The contributions are taken as independent (Sidak 1967), which orthogonal cells make them.
    None where the cells do not tell all contributions apart.
    """
    levels = np.array([_row(plan, cell.made or ()) for cell in plan.cells], dtype=np.int8)
    runs = [len(plan.seeds_of(cell)) for cell in plan.cells]
    models: tuple[Model, ...] = ("interactions", "main")
    for model in models:
        with suppress(InputError):  # these cells do not tell all effects of the model apart
            error = standard_error(levels, runs, model).max()
            return float(scipy.stats.norm.ppf(0.5 + 0.5 * LEVEL ** (1 / levels.shape[1])) * error)
    return None


def _row(plan: Plan, made: Sequence[str]) -> list[int]:
    return [1 if factor.name in made else -1 for factor in plan.factors]


def _seconds(plan: Plan, pilot: Pilot | None, workers: int) -> float | None:
    if pilot is None:
        return None
    if all(cell.name in pilot.seconds for cell in plan.cells):
        return pilot.total(plan, workers)
    mean = sum(pilot.seconds.values()) / len(pilot.seconds)
    return mean * len(plan.runs()) / workers


def sigma_of(plan: Plan, records: Iterable[Record]) -> float | None:
    """The standard deviation between runs of one cell, in percentage points of accuracy, from the
    cells that have two or more records; None if there is no such cell."""
    values = scores(grid(plan, records))
    known = ~np.isnan(values)
    more = known.sum(1) > 1
    if not more.any():
        return None
    means = np.nanmean(values[more], axis=1, keepdims=True)
    squares = np.nansum((values[more] - means) ** 2)
    return float(100 * np.sqrt(squares / (known[more].sum() - more.sum())))
