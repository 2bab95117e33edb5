"""A data set that a small network learns in a second."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from nextify.data import Dataset, Images, load
from nextify.designs import Recipe, Run, design, recipe

SMALL = {"depths": (1, 1), "widths": (8, 16), "stem_stride": 2}


def make_images(count: int, seed: int) -> Images:
    """Squares of light in one of four corners, in noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=generator)
    pixels = torch.randint(0, 120, (count, 1, 16, 16), generator=generator).to(torch.uint8)
    for at, label in enumerate(labels.tolist()):
        top, left = 8 * (label // 2), 8 * (label % 2)
        pixels[at, :, top : top + 8, left : left + 8] += 100
    return Images(pixels, labels)


def corner_images() -> Dataset:
    return Dataset(
        name="corners",
        classes=("a", "b", "c", "d"),
        train=make_images(256, 0),
        test=make_images(130, 1),
        image_size=16,
        mean=(0.3,) * 3,
        std=(0.2,) * 3,
        fingerprint="0" * 64,
        skipped=(),
        source="made by the tests",
    )


@pytest.fixture(scope="session")
def corners() -> Dataset:
    return corner_images()


def small_recipe(name: str = "modern", **changes: object) -> Recipe:
    values = {"epochs": 3, "batch_size": 32, "learning_rate": 4e-3, "reference_batch": 32}
    if name == "classic":
        values["learning_rate"] = 0.02
    return recipe(name, **{**values, **changes})


def small_run(dataset: Dataset, seed: int = 0, **changes: object) -> Run:
    return Run(
        design=design("convnext-mini", **SMALL),
        recipe=small_recipe(**changes),
        data=dataset.identity(),
        seed=seed,
    )


def streamed_images(folder: Path, side: int) -> Dataset:
    """A few images of two classes that are read from their files."""
    for at in range(12):
        for split in ("train", "test"):
            file = folder / split / "ab"[at % 2] / f"{at}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").rotate(20 * at).resize((80, 72)).save(file)
    return load(str(folder), image_size=side, memory_limit=0)
