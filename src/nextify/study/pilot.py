"""How long a plan will take: a few steps of its designs, timed before it starts."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from nextify.designs import Run
from nextify.records import Cell, Plan
from nextify.study.worker import Setup

WARMUP = 2
STEPS = 6
MOST_CELLS = 32


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot found.

    Attributes:
        cells: how many were timed.
        seconds: of one run of each cell of the plan, by its name: timed, or read off the timed
            cells by their work.
        fastest, slowest: names of cells.
    """

    cells: int
    seconds: dict[str, float]
    fastest: str
    slowest: str

    def total(self, plan: Plan, workers: int) -> float:
        """Seconds for all runs of a plan whose cells are among those of the pilot, with so many
        workers side by side."""
        runs = [self.seconds[cell.name] for cell in plan.cells for _ in plan.seeds_of(cell)]
        return max(sum(runs) / workers, max(runs, default=0.0))


def run_pilot(plan: Plan, setup: Setup, workers: int) -> Pilot:
    """Time a few training steps, and an evaluation, of the plan's cells: of all of them or, of
    more than 32, of 32 from the cheapest to the dearest.

    As many processes as the study will have time side by side, so that what they take from each
    other is in the times.
    """
    cells = _sample(plan)
    runs = [plan.run(cell, plan.seeds[0]) for cell in cells]
    with ProcessPoolExecutor(min(workers, len(runs)), get_context("spawn")) as pool:
        seconds = list(pool.map(partial(_seconds, setup), runs))
    return _pilot(plan, cells, seconds)


def _sample(plan: Plan) -> list[Cell]:
    ordered = sorted(plan.cells, key=plan.work_of)
    at = np.linspace(0, len(ordered) - 1, min(MOST_CELLS, len(ordered))).round().astype(int)
    return [ordered[index] for index in dict.fromkeys(at.tolist())]


def _pilot(plan: Plan, cells: Sequence[Cell], seconds: Sequence[float]) -> Pilot:
    timed = {cell.name: time for cell, time in zip(cells, seconds, strict=True)}
    work = [plan.work_of(cell) for cell in cells]
    guessed = {
        cell.name: float(np.interp(plan.work_of(cell), work, seconds)) for cell in plan.cells
    }
    return Pilot(
        cells=len(cells),
        seconds={**guessed, **timed},
        fastest=min(timed, key=lambda name: timed[name]),
        slowest=max(timed, key=lambda name: timed[name]),
    )


@cache
def _loaded(setup: Setup) -> Any:
    """The data set, loaded once in each process."""
    return setup.load()


def _seconds(setup: Setup, run: Run) -> float:
    """Seconds of the whole run, from a few steps of it."""
    from nextify.training.timing import time_run  # takes a second to import

    return time_run(run, _loaded(setup), warmup=WARMUP, steps=STEPS)
