"""The runs of a plan with what a supervisor needs to know of them."""

from dataclasses import dataclass

from nextify.designs import Run
from nextify.records import Plan


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


def jobs_of(plan: Plan) -> dict[str, Job]:
    """The jobs of a plan by key, in the plan's order."""
    jobs: dict[str, Job] = {}
    for cell, seed in plan.places():
        run = plan.run(cell, seed)
        key = run.key
        others = jobs[key].cells if key in jobs else ()
        jobs[key] = Job(run, key, (*others, cell.name), plan.work_of(cell))
    return jobs
