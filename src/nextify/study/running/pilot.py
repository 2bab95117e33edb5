"""How long a plan will take: a few steps of its designs, timed before it starts."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import active_children
from typing import TYPE_CHECKING, Any

import numpy as np

from nextify.designs import Run
from nextify.errors import InputError, is_out_of_memory
from nextify.machine.processes import SPAWN, deaf_to_interrupts, end_with_parent
from nextify.records import Cell, Plan
from nextify.study.running.worker import Setup

if TYPE_CHECKING:
    from nextify.training.timing import Effort

WARMUP = 2
STEPS = 6
MOST_CELLS = 32
PASSES = 3  # of a training step, each of a network's MACs: forward, and two backward
MOST_SECONDS = 30.0  # of each process, in steps; after them only begun ones end
MOST_WAIT = 120.0  # for all of it: what is not known then is told by MACs
# Of each process, in first steps: before these nothing is known of the machine's pace. A core does
# some 10^10 a second, a GPU more than a hundred times as many.
_MOST_MACS = {"cpu": 2e11, "cuda": 2e13}
_LEAST_IMAGES = 2  # of a batch that batch norm can be trained with
_DIED = "a process that timed a training step died, most likely for want of memory"


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot found.

    Attributes:
        cells: how many were timed.
        seconds: of one run of each cell of the plan, by its name: timed, or read off the timed
            cells by their work.
        fastest, slowest: names of cells.
        by_macs: how many should have been timed, but take too long for that.
    """

    cells: int
    seconds: dict[str, float]
    fastest: str
    slowest: str
    by_macs: int = 0

    def total(self, plan: Plan, workers: int) -> float:
        """Seconds for all runs of a plan whose cells are among those of the pilot, with so many
        workers side by side."""
        runs = [self.seconds[cell.name] for cell in plan.cells for _ in plan.seeds_of(cell)]
        return max(sum(runs) / workers, max(runs, default=0.0))


def run_pilot(plan: Plan, setup: Setup, workers: int) -> Pilot | None:
    """Time a few training steps, and an evaluation, of the plan's cells: of all of them or, of
    more than 32, of 32 from the cheapest to the dearest.

    As many processes as the study will have time side by side, so that what they take from each
    other is in the times. It does not take long, whatever the plan: of a step that is too dear, a
    part of the batch is timed, and cells that are not known after two minutes, or of which two
    images are too dear, are told by their MACs. None if these are all.

    Raises:
        InputError: a step takes more memory than there is.
    """
    sample = _sample(plan)
    processes = min(workers, len(sample))
    share = processes / len(sample)
    efforts = {cell.name: _effort(cell, share) for cell in sample}
    cells = [cell for cell in sample if efforts[cell.name].images >= _LEAST_IMAGES]
    if not cells:
        return None
    jobs = [(plan.run(cell, plan.seeds[0]), efforts[cell.name]) for cell in cells]
    found = zip(cells, _carried_out(setup, jobs, processes), strict=True)
    timed = [(cell, seconds) for cell, seconds in found if seconds is not None]
    return _pilot(plan, timed, len(sample) - len(timed)) if timed else None


def _effort(cell: Cell, share: float) -> "Effort":
    """What may be timed of a cell.

    Args:
        share: of a process's time.
    """
    from nextify.training import default_device
    from nextify.training.timing import Effort  # takes a second to import

    most = _MOST_MACS["cpu" if default_device() == "cpu" else "cuda"] * share
    return Effort(WARMUP, STEPS, int(most / (PASSES * cell.macs)), MOST_SECONDS * share)


def _carried_out(
    setup: Setup, jobs: "Sequence[tuple[Run, Effort]]", processes: int
) -> list[float | None]:
    """Seconds of each run; None where they are not known in time. All processes have ended."""
    others = set(active_children())
    pool = ProcessPoolExecutor(
        processes, SPAWN, initializer=end_with_parent, initargs=(os.getpid(),)
    )
    try:
        with deaf_to_interrupts():  # the processes, that is
            found = [pool.submit(_seconds, setup, job) for job in jobs]
        done = wait(found, MOST_WAIT, FIRST_EXCEPTION).done
        return [each.result() if each in done else None for each in found]
    except BrokenProcessPool as error:
        raise InputError(f"{_DIED}; ask for fewer workers, or time nothing: --no-pilot") from error
    finally:
        for process in set(active_children()) - others:
            process.kill()
        pool.shutdown(cancel_futures=True)


def _sample(plan: Plan) -> list[Cell]:
    ordered = sorted(plan.cells, key=plan.work_of)
    at = np.linspace(0, len(ordered) - 1, min(MOST_CELLS, len(ordered))).round().astype(int)
    return [ordered[index] for index in dict.fromkeys(at.tolist())]


def _pilot(plan: Plan, found: Sequence[tuple[Cell, float]], by_macs: int) -> Pilot:
    timed = {cell.name: seconds for cell, seconds in found}
    work = [plan.work_of(cell) for cell, _ in found]
    seconds = list(timed.values())
    guessed = {
        cell.name: float(np.interp(plan.work_of(cell), work, seconds))
        * max(1.0, plan.work_of(cell) / work[-1])  # beyond the dearest, in proportion
        for cell in plan.cells
    }
    return Pilot(
        cells=len(timed),
        seconds={**guessed, **timed},
        fastest=min(timed, key=lambda name: timed[name]),
        slowest=max(timed, key=lambda name: timed[name]),
        by_macs=by_macs,
    )


@cache
def _loaded(setup: Setup) -> Any:
    """The data set, loaded once in each process."""
    return setup.load()


def _seconds(setup: Setup, job: "tuple[Run, Effort]") -> float:
    """Seconds of the whole run, from a few steps of it."""
    from nextify.training.timing import time_run

    try:
        return time_run(job[0], _loaded(setup), job[1])
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            "timing took more memory than there is; choose narrower designs or smaller images"
        ) from error
