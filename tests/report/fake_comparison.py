"""Comparisons that never ran: networks on several numbers of images, with every kind of trouble."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nextify.costs import cost
from nextify.designs import Design, Swin, Vit, recipe
from nextify.records import Cell, Plan, Record

from .fake import curve
from .fake_runs import diverged, failed, measured, record, result, right

IMAGES = 4_000
TRAIN = 16_000
DESIGNS = (
    Design(depths=(1, 1, 1), widths=(16, 32, 64), stem_stride=1),
    Design(depths=(1, 1, 2), widths=(24, 48, 96), stem="patchify", stem_stride=2,
           spatial="depthwise", bottleneck="inverted", kernel_size=7),
    Swin(depths=(2, 2), heads=(2, 4), width=32, patch_size=2),
    Vit(patch_size=4, depth=4, width=64, heads=4),
)  # fmt: skip
NAMES = ("ResNet", "ConvNeXt", "Swin", "ViT")


def skill(network: int, images: int) -> float:
    """The expected accuracy: the first networks learn faster, the later ones end higher."""
    ceiling = 0.90 + 0.02 * (network % 4) - 0.004 * (network // 4)
    return float(ceiling - (0.16 + 0.045 * (network % 4)) * (1000 / images) ** 0.45)


def plan(
    numbers: Sequence[int] = (1000, 2000, 4000, 8000, TRAIN),
    seeds: int = 4,
    names: Sequence[str] = NAMES,
    most_epochs: int | None = 24,
    **settings,
) -> Plan:
    """Networks on numbers of training images, the largest first; more epochs on fewer images."""
    return Plan(
        name="comparison",
        title=f"{len(names)} networks on made-up images",
        cells=tuple(
            _cell(at, name, images, most_epochs)
            for images in sorted(numbers, reverse=True)
            for at, name in enumerate(names)
        ),
        seeds=tuple(range(seeds)),
        data={"name": "made-up", "fingerprint": "3f1c0a9d5b7e48d2", "image_size": 28, "classes": 10,
              "train": TRAIN, "test": IMAGES},
        data_source="Images that were never taken.",
        command=f"nextify compare resnet-small convnext-mini --data made-up --seeds {seeds}",
        experiment="comparison",
        **settings,
    )  # fmt: skip


def _cell(at: int, name: str, images: int, most_epochs: int | None) -> Cell:
    design = DESIGNS[at % len(DESIGNS)]
    found = cost(design, image_size=28, classes=10)
    epochs = 6 if most_epochs is None else min(most_epochs, 6 * TRAIN // images)
    rate = 1e-3 * (1 + at)
    return Cell(
        name=f"{name}, {images:,} images",
        changed=f"{images:,} images",
        design=design,
        recipe_name="modern-small",
        recipe=recipe("modern-small", epochs=epochs, learning_rate=rate),
        params=found.params,
        macs=4_000_000 + 10_000 * at,
        network=name,
        images=None if images == TRAIN else images,
    )


def finished(plan: Plan, cell: int, seed: int, sd: float = 0.003) -> Record:
    """A run that went well; on fewer images runs differ more, by their draw and by chance."""
    where = plan.cells[cell]
    images = plan.images_of(where)
    network = [each.network for each in plan.cells if each.images == where.images].index(
        where.network
    )
    own = np.random.default_rng([images, network, seed])
    spread = sd * (TRAIN / images) ** 0.3
    draw = np.random.default_rng([images, seed]).normal()
    accuracy = skill(network, images) + spread * (0.6 * draw + 0.8 * own.normal())
    hard = np.random.default_rng(99).normal(size=IMAGES)
    correct = right(accuracy, [0.9, 0.1], [hard, own.normal(size=IMAGES)])
    seconds = 1e-3 * images * where.recipe.epochs
    return record(
        plan, cell, seed, "finished",
        result=result(correct, nll=1.2 - float(correct.mean()), calibration_error=0.03,
                      curve=curve(own, float(correct.mean()), epochs=where.recipe.epochs)),
        measured=measured(seconds, images * where.recipe.epochs / seconds),
    )  # fmt: skip


def whole(plan: Plan) -> list[Record]:
    """Every run finished."""
    return _runs(plan, finished)


def troubled(plan: Plan) -> list[Record]:
    """The last network diverges with every seed on the most images and once on the next, a run of
    the second failed, and the last two runs are missing."""
    networks = len({cell.network for cell in plan.cells})

    def run(plan: Plan, cell: int, seed: int) -> Record:
        if cell == networks - 1 or (cell, seed) == (2 * networks - 1, 0):
            return diverged(plan, cell, seed)
        if (cell, seed) == (1, 0):
            return failed(plan, cell, seed, "out of memory <on device 0>")
        return finished(plan, cell, seed)

    return _runs(plan, run)[:-2]


def renamed(plan: Plan, names: Sequence[str]) -> Plan:
    """The same with other names of networks; their runs stay the same."""
    new = dict(zip(dict.fromkeys(cell.network for cell in plan.cells), names, strict=True))
    cells = (replace(cell, network=new[cell.network]) for cell in plan.cells)
    return replace(plan, cells=tuple(cells))


def _runs(plan: Plan, make: Callable[[Plan, int, int], Record]) -> list[Record]:
    return [make(plan, at, seed) for seed in plan.seeds for at in range(len(plan.cells))]
