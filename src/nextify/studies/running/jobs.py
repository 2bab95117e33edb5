"""The runs of a plan with what a supervisor needs to know of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.designs import Run
from nextify.records import Plan
from nextify.words import listed


@dataclass(frozen=True, slots=True)
class Job:
    """A run, its key, and its work (MACs of all images and epochs).

    Attributes:
        cells: that the run is of, with its seed: one, or more where a choice changes nothing (a
            recipe step between equal recipes). It is trained once.
    """

    run: Run
    key: str
    cells: tuple[str, ...]
    work: int

    @property
    def cell(self) -> str:
        """The first of its cells."""
        return self.cells[0]

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.run.seed

    @property
    def label(self) -> str:
        """For people.

        >>> job.label  # doctest: +SKIP
        'patchify stem, seed 0'
        """
        return f"{self.cell}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Stack:
    """What a worker is given at once: a run by itself, or all runs that are wanted of one stack
    (`Run.stack`)."""

    jobs: tuple[Job, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """Of its jobs."""
        return tuple(job.run for job in self.jobs)

    @property
    def cell(self) -> str:
        """The first of its cells."""
        return self.jobs[0].cell

    @property
    def work(self) -> int:
        """MACs of all that is trained, also of what is not wanted."""
        return self.jobs[0].work * self.jobs[0].run.copies

    @property
    def label(self) -> str:
        """For people.

        >>> stack.label  # doctest: +SKIP
        'patchify stem, seeds 0 and 1'
        """
        if len(self.jobs) == 1:
            return self.jobs[0].label
        return f"{self.cell}, seeds {listed([str(job.seed) for job in self.jobs])}"


def stacks_of(jobs: Iterable[Job]) -> list[Stack]:
    """Jobs as they are given out, each stack where its first one stands."""
    stacks: dict[str, tuple[Job, ...]] = {}
    for job in jobs:
        block = job.key if job.run.copies == 1 else job.run.stack[0].key
        stacks[block] = (*stacks.get(block, ()), job)
    return [Stack(each) for each in stacks.values()]


def jobs_of(plan: Plan) -> dict[str, Job]:
    """The jobs of a plan by key, in the plan's order."""
    jobs: dict[str, Job] = {}
    for cell, seed in plan.places():
        run = plan.run(cell, seed)
        key = run.key
        others = jobs[key].cells if key in jobs else ()
        jobs[key] = Job(run, key, (*others, cell.name), plan.work_of(cell))
    return jobs
