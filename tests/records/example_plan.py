"""A plan to store."""

from nextify.designs import path, recipe
from nextify.records import Cell, Plan

DATA = {
    "name": "tiny", "fingerprint": "ab" * 32, "image_size": 28, "classes": 10,
    "train": 1000, "test": 16,
}  # fmt: skip


def make_plan(epochs: int = 5, seeds: tuple[int, ...] = (0, 1), steps: int = 3) -> Plan:
    cells = tuple(
        Cell(
            name=step.name,
            changed=step.changed,
            design=step.design,
            recipe_name=step.recipe,
            recipe=recipe(step.recipe, epochs=epochs, batch_size=100),
            params=1000 + at,
            macs=2000 + at,
            paper=step.paper,
        )
        for at, step in enumerate(path("resnet50").steps[:steps])
    )
    return Plan(
        name="resnet50",
        title="a study",
        cells=cells,
        seeds=seeds,
        data=dict(DATA),
        data_source="Made up.",
        command=f"nextify study --seeds {','.join(map(str, seeds))}",
    )
