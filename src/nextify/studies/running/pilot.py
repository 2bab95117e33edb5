"""How long a plan will take: a few steps of its designs, timed before it starts."""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nextify.designs import Run
from nextify.errors import InputError, tells_of_gpu
from nextify.records import Cell, Plan, Record
from nextify.studies.running.cards import PASSES
from nextify.studies.running.crew import Crew
from nextify.studies.running.execute import gpus
from nextify.studies.running.local import LocalCrew
from nextify.studies.running.messages import Died, Done, Message, Ready, Stopped
from nextify.studies.running.worker import OnProgress, Orders, Setup, weights_for

if TYPE_CHECKING:
    from nextify.training.timing import Allowance

WARMUP = 2
STEPS = 6
MOST_CELLS = 32
MOST_SECONDS = 30.0  # of each process, in steps; after them only begun ones end
MOST_WAIT = 120.0  # for all of it: what is not known then is told by MACs
# Of each process, in first steps: before these nothing is known of the machine's pace. A core does
# some 10^10 a second, a GPU more than a hundred times as many.
_MOST_MACS = {"cpu": 2e11, "cuda": 2e13}
_LEAST_IMAGES = 2  # of a part of a batch that batch norm can be trained with


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
        """Seconds for all runs of a plan, with so many workers side by side. Cells that are not
        among those of the pilot take as long as these on average."""
        mean = sum(self.seconds.values()) / len(self.seconds)
        runs = [(self.seconds.get(c.name, mean), len(plan.seeds_of(c))) for c in plan.cells]
        work = sum(seconds * times for seconds, times in runs)
        longest = max((seconds for seconds, times in runs if times), default=0.0)
        return max(work / workers, longest)


def run_pilot(plan: Plan, setup: Setup, workers: int, crew: Crew | None = None) -> Pilot | None:
    """Time a few training steps, and an evaluation, of the plan's cells: of all of them or, of
    more than 32, of 32 from the cheapest to the dearest.

    As many workers as the study will have (of `crew`, by default processes) time side by side, so
    that what they take from each other is in the times. It does not take long, whatever the plan:
    of a step that is too dear, a part of the batch is timed, and cells that are not known after two
    minutes, or of which two images a part are too dear, are told by their MACs. None if these are
    all. What a broken GPU was at, the others time, as they train it in the study.

    Raises:
        InputError: a step takes more memory than there is, or no worker is left.
    """
    sample = _sample(plan)
    crew = crew or LocalCrew(min(workers, len(sample)), gpus())
    seats = min(workers, len(sample), crew.seats)
    allowances = {cell.name: _allowed(cell, seats / len(sample)) for cell in sample}
    known = [cell for cell in sample if allowances[cell.name].images >= _least_images(cell)]
    runs = {cell.name: plan.run(cell, plan.seeds[0]) for cell in known}
    timer = _Timer({run.key: allowances[name] for name, run in runs.items()})
    found = _timed(crew, seats, Orders(setup, timer, plan.data), runs.values())
    timed = [(cell, found[runs[cell.name].key]) for cell in known if runs[cell.name].key in found]
    return _pilot(plan, timed, len(sample) - len(timed)) if timed else None


def _least_images(cell: Cell) -> int:
    return _LEAST_IMAGES * cell.recipe.accumulate


def _allowed(cell: Cell, share: float) -> "Allowance":
    """What may be timed of a cell.

    Args:
        share: of a process's time.
    """
    from nextify.training import default_device
    from nextify.training.timing import Allowance  # takes a second to import

    most = _MOST_MACS["cpu" if default_device() == "cpu" else "cuda"] * share
    return Allowance(WARMUP, STEPS, int(most / (PASSES * cell.macs)), MOST_SECONDS * share)


def _timed(crew: Crew, seats: int, orders: Orders, runs: Iterable[Run]) -> dict[str, float]:
    """Seconds of the runs that are known in time, by key. All workers have ended."""
    timing = _Timing(crew, deque({run.key: run for run in runs}.values()))
    until = time.monotonic() + MOST_WAIT
    try:
        for seat in range(min(seats, len(timing.left))):
            crew.hire(seat, orders)
            timing.at[seat] = None
        while timing.is_at_work and (rest := until - time.monotonic()) > 0:
            for seat, message in crew.listen(rest):
                timing.hear(seat, message)
    finally:
        crew.dismiss()
    return timing.found


@dataclass
class _Timing:
    """Runs that a crew times.

    Attributes:
        left: which nobody has. at: of each seat that is staffed, the run that it times.
        idle: seats that wait for one. found: seconds of those that are known, by key.
    """

    crew: Crew
    left: deque[Run]
    at: dict[int, Run | None] = field(default_factory=dict)
    idle: set[int] = field(default_factory=set)
    found: dict[str, float] = field(default_factory=dict)

    @property
    def is_at_work(self) -> bool:
        """Whether there is something left to time, and somebody who does."""
        return bool(self.at) and (bool(self.left) or any(self.at.values()))

    def hear(self, seat: int, message: Message) -> None:
        """Take in what a seat says, and give out what is left. Raises what refuses the plan."""
        match message:
            case Ready():
                self.idle.add(seat)
            case Done(record) if record.outcome == "finished":
                self.found[record.key] = record.environment["seconds"]
                self.at[seat] = None
                self.idle.add(seat)
            case Done(record) if tells_of_gpu(record.message):
                self._take_back(seat)  # its worker dies next
            case Stopped() if self.at.get(seat) is None and seat not in self.idle:
                self._lose(seat, message)  # at its start: as a node of other versions does
            case Done() | Stopped():
                raise _trouble(message)
            case Died():
                self._lose(seat, message)
        while self.left and self.idle:
            free, run = self.idle.pop(), self.left.popleft()
            self.at[free] = run
            self.crew.give(free, (run,))

    def _lose(self, seat: int, message: Died | Stopped) -> None:
        """Let others time what it was at, as they train it in the study: unless none is there, or
        memory is short, which they have in common."""
        self._take_back(seat)
        self.at.pop(seat, None)
        self.idle.discard(seat)
        place = self.crew.place(seat)
        elsewhere = any(self.crew.place(other) != place for other in self.at)
        match message:
            case Died(how, with_machine):
                goes_on = elsewhere or with_machine or (bool(self.at) and tells_of_gpu(how))
            case Stopped():
                goes_on = elsewhere
        if not goes_on:
            raise _trouble(message)

    def _take_back(self, seat: int) -> None:
        if (run := self.at.get(seat)) is not None:
            self.left.appendleft(run)
            self.at[seat] = None


def _trouble(message: Done | Stopped | Died) -> Exception:
    match message:
        case Stopped(text, detail):
            return RuntimeError(f"{text}\n{detail}") if detail else InputError(text)
        case Done(record):
            what = f"timing a training step failed ({record.message})"
            remedy = "choose narrower designs or smaller images"
        case Died(how) if tells_of_gpu(how):
            what = f"a GPU failed while a training step was timed on it ({how})"
            remedy = "leave it out by CUDA_VISIBLE_DEVICES"
        case Died():
            what = "a process that timed a training step died, most likely for want of memory"
            remedy = "ask for fewer workers"
    return InputError(f"{what}; {remedy}, or time nothing: --no-pilot")


def _sample(plan: Plan) -> list[Cell]:
    ordered = sorted(plan.cells, key=plan.work_of)
    at = np.linspace(0, len(ordered) - 1, min(MOST_CELLS, len(ordered))).round().astype(int)
    return [ordered[index] for index in dict.fromkeys(at.tolist())]


def _pilot(plan: Plan, found: Sequence[tuple[Cell, float]], by_macs: int) -> Pilot:
    timed = {cell.name: seconds for cell, seconds in found}
    work = np.array([plan.work_of(cell) for cell, _ in found], float)
    wanted = np.array([plan.work_of(cell) for cell in plan.cells], float)
    beyond = np.maximum(1.0, wanted / work[-1])  # the dearest: in proportion
    guessed = np.interp(wanted, work, list(timed.values())) * beyond
    seconds = dict(zip((cell.name for cell in plan.cells), guessed.tolist(), strict=True)) | timed
    fastest = min(timed, key=timed.__getitem__)
    slowest = max(timed, key=timed.__getitem__)
    return Pilot(len(timed), seconds, fastest, slowest, by_macs)


@dataclass(frozen=True)
class _Timer:
    """Does a few steps of a run instead of training it. Its record is for the pilot alone: the
    seconds of the whole run are in its environment."""

    allowances: "Mapping[str, Allowance]"  # by the run's key

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record:
        from nextify.training.timing import time_run

        weights = weights_for(run, dataset)
        seconds = time_run(run, dataset, self.allowances[run.key], weights=weights)
        found = {"seconds": seconds}
        return Record(key=run.key, run=run.as_dict(), outcome="finished", environment=found)
