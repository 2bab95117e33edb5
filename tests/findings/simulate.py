"""Score tables and studies whose truth is known."""

import numpy as np
from numpy.typing import NDArray

from nextify.designs import path, recipe
from nextify.records import Cell, Plan, Record, Result


def tables(
    generator: np.random.Generator,
    studies: int,
    cells: int,
    seeds: int,
    correlation: float = 0.0,
    sd: float = 0.003,
) -> NDArray[np.float64]:
    """(studies, cells, seeds) scores: true mean 0.8 + 0.01 cell, blocks of equal seeds."""
    means = 0.8 + 0.01 * np.arange(cells)
    blocks = generator.normal(size=(studies, 1, seeds)) * np.sqrt(correlation)
    errors = generator.normal(size=(studies, cells, seeds)) * np.sqrt(1 - correlation)
    return means[None, :, None] + sd * (blocks + errors)


def plan(cells: int, seeds: int) -> Plan:
    """A plan of the first cells of the small path."""
    steps = path("small").steps[:cells]
    return Plan(
        name="small",
        title="simulated",
        cells=tuple(
            Cell(
                name=step.name,
                changed=step.changed,
                design=step.design,
                recipe_name=step.recipe,
                recipe=recipe(step.recipe),
                params=1,
                macs=1,
            )
            for step in steps
        ),
        seeds=tuple(range(seeds)),
        data={"name": "simulated"},
        data_source="nowhere",
    )


def record(plan: Plan, cell: int, seed: int, correct: NDArray[np.bool_]) -> Record:
    """A finished run with this correctness of each test image."""
    run = plan.run(plan.cells[cell], seed)
    result = Result(
        accuracy=float(correct.mean()),
        nll=1.0,
        calibration_error=0.1,
        images=len(correct),
        correct=np.packbits(correct).tobytes(),
    )
    return Record(key=run.key, run=run.as_dict(), outcome="finished", result=result)


def failure(plan: Plan, cell: int, seed: int) -> Record:
    """A run that could not be carried out."""
    run = plan.run(plan.cells[cell], seed)
    return Record(key=run.key, run=run.as_dict(), outcome="failed", message="out of memory")
