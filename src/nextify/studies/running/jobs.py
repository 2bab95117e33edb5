"""The runs of a plan with what a supervisor needs to know of them."""

from dataclasses import dataclass

from nextify.designs import Run
from nextify.records import Plan


@dataclass(frozen=True, slots=True)
class Job:
    """A run, its key, the cell and the seed that it is of, and its work (MACs of all images and
    epochs)."""

    run: Run
    key: str
    cell: str
    seed: int
    work: int

    @property
    def label(self) -> str:
        """For people.

        >>> job.label  # doctest: +SKIP
        'patchify stem, seed 0'
        """
        return f"{self.cell}, seed {self.seed}"


def jobs_of(plan: Plan) -> dict[str, Job]:
    """The jobs of a plan by key, in the plan's order.

    Cells that train the same network the same way (a recipe step between equal recipes) share
    a run: it is trained once.
    """
    jobs: dict[str, Job] = {}
    for seed in plan.all_seeds:
        for cell in (each for each in plan.cells if seed in plan.seeds_of(each)):
            run = plan.run(cell, seed)
            jobs.setdefault(run.key, Job(run, run.key, cell.name, seed, plan.work_of(cell)))
    return jobs
