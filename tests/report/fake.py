"""Studies that never ran: plausible records for the report, with every kind of trouble."""

from dataclasses import replace

import numpy as np

from nextify.costs import cost
from nextify.designs import Step, path
from nextify.designs import recipe as named
from nextify.records import Cell, EpochPoint, Plan, Record

from . import fake_runs
from .fake_runs import MACHINE, measured, record, result, right

IMAGES = 10_000
EPOCHS = 12
SKILL = (
    0.868, 0.861, 0.863, 0.858, 0.842, 0.866, 0.871, 0.864, 0.868, 0.869, 0.874, 0.875, 0.872,
    0.881, 0.852,
)  # fmt: skip


def plan(name: str = "small", seeds: tuple[int, ...] = (0, 1), cells: int | None = None) -> Plan:
    """The plan of a path on the embedded data, shortened as a demo would be."""
    known = path(name)
    small = name == "small"
    return Plan(
        name=name,
        title=f"{known.steps[0].name} to ConvNeXt, one choice at a time",
        cells=tuple(
            _cell(step, 28 if small else 224, 10 if small else 1000) for step in known.steps[:cells]
        ),
        seeds=seeds,
        data={
            "name": "fashion-mnist (embedded)",
            "fingerprint": "3f1c0a9d5b7e48d2a6c4f09e1b2d3c4e5f60718293a4b5c6d7e8f90123456789",
            "image_size": 28 if small else 224,
            "classes": 10,
            "train": 10_000,
            "test": IMAGES,
        },
        data_source="Fashion-MNIST by Zalando Research (MIT): the first 1,000 training images of "
        "each class and the whole test set.",
        command=f"nextify study --path {name} --seeds {len(seeds)} --epochs {EPOCHS}",
    )


def _cell(step: Step, size: int, classes: int) -> Cell:
    found = cost(step.design, image_size=size, classes=classes)
    return Cell(
        name=step.name,
        changed=step.changed,
        design=step.design,
        recipe_name=step.recipe,
        recipe=named(step.recipe, epochs=EPOCHS, batch_size=128),
        params=found.params,
        macs=found.macs,
        paper=step.paper,
    )


def finished(plan: Plan, cell: int, seed: int, sd: float = 0.0022) -> Record:
    """A run that went well; runs mostly agree on which images are hard, a step's more so."""
    generator = np.random.default_rng([cell, seed])
    shared = np.random.default_rng(99).normal(size=IMAGES)
    own = np.random.default_rng([99, cell]).normal(size=IMAGES)
    noise = generator.normal(size=IMAGES)
    correct = right(SKILL[cell] + sd * generator.normal(), [0.85, 0.05, 0.1], [shared, own, noise])
    accuracy = float(correct.mean())
    seconds = 14.0 + plan.cells[cell].macs / 1.5e6 + generator.random()
    return record(
        plan, cell, seed, "finished",
        result=result(
            correct,
            nll=0.36 + (0.88 - accuracy) * 2,
            calibration_error=0.02 + 0.01 * generator.random(),
            curve=curve(generator, accuracy),
            steps=EPOCHS * 78,
        ),
        measured=measured(seconds, EPOCHS * 10_000 / seconds),
    )  # fmt: skip


def curve(
    generator: np.random.Generator, accuracy: float, epochs: int = EPOCHS
) -> tuple[EpochPoint, ...]:
    """A training curve that ends at an accuracy."""
    slow = 2.0 + generator.random()
    return tuple(
        EpochPoint(
            epoch=epoch,
            learning_rate=1e-3 * (1 - epoch / (EPOCHS + 1)),
            train_loss=0.9 + 1.4 * np.exp(-epoch / slow) + 0.02 * generator.normal(),
            accuracy=accuracy * (1 - 0.5 * np.exp(-epoch / slow)),
            images=2000,
        )
        for epoch in range(1, epochs + 1)
    )


def diverged(plan: Plan, cell: int, seed: int) -> Record:
    """A run whose loss became infinite."""
    points = curve(np.random.default_rng(5), 0.5, epochs=4)
    last = replace(points[-1], train_loss=float("inf"), accuracy=None)
    return fake_runs.diverged(plan, cell, seed, curve=(*points[:-1], last))


def failed(plan: Plan, cell: int, seed: int) -> Record:
    """A run that could not be carried out."""
    message = "out of memory: tried to allocate 2.00 GiB <on device 0>"
    return fake_runs.failed(plan, cell, seed, message)


def whole(plan: Plan) -> list[Record]:
    """Every run finished."""
    return [finished(plan, cell, seed) for seed in plan.seeds for cell in range(len(plan.cells))]


def troubled(plan: Plan) -> list[Record]:
    """One step diverged with every seed, one run failed, two missing; a second machine; a noisy
    first cell."""
    records = []
    for seed in plan.seeds:
        for cell in range(len(plan.cells)):
            if cell == 4 or (cell, seed) == (6, plan.seeds[-1]):
                records.append(diverged(plan, cell, seed))
            elif (cell, seed) == (9, plan.seeds[0]):
                records.append(failed(plan, cell, seed))
            elif not (seed == plan.seeds[-1] and cell > 12):
                records.append(finished(plan, cell, seed, sd=0.03 if cell == 0 else 0.0022))
    other = MACHINE | {"device": "Intel Xeon Platinum 8481C (AVX512)", "cores": 8}
    return [*records[:-3], *(replace(record, environment=other) for record in records[-3:])]
