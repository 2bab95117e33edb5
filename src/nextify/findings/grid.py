"""A study's records laid out as cells by seeds, and the numbers read off them."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Record, Result

Grid = tuple[tuple[Record | None, ...], ...]
Metric = Literal["accuracy", "nll", "calibration_error"]


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


def scores(runs: Grid, metric: Metric = "accuracy") -> NDArray[np.float64]:
    """One score a run, cells by seeds; NaN where a run is missing, diverged or failed."""
    return np.array(
        [
            [getattr(run.result, metric) if run and run.result else np.nan for run in row]
            for row in runs
        ],
        dtype=np.float64,
    ).reshape(len(runs), -1)


def correctness(result: Result) -> NDArray[np.bool_]:
    """Whether each test image was classified correctly: shape (images,)."""
    bits = np.frombuffer(result.correct, dtype=np.uint8)
    return np.unpackbits(bits, count=result.images).astype(np.bool_)
