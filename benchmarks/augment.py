"""Augmented images a second on one thread: batches of tensors here, image by image in timm.

    python benchmarks/augment.py

Both do the full modern policy on the same images: crop, flip, RandAugment at magnitude 9,
normalising, erasing with probability 0.25, mixup and CutMix. timm runs its own transforms and
collates batches of 128, without its data loader. Its magnitudes have no noise here, because the
newest Pillow refuses the posterize levels that noise leads to. Prints a table of medians over
batches, then one JSON line. Medians spread by 10 to 20 % between runs on a shared machine; fresh
memory is a large part of the time where page faults are dear (see `MALLOC_TOP_PAD_`).
"""

import json
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import PIL
import timm
import torch
from PIL import Image
from timm.data.mixup import Mixup
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torchvision import transforms

from nextify.data.augment import Augment, Mix

BATCH, CLASSES = 128, 10
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
CASES = [(3, 32, "padded"), (3, 32, "resized"), (1, 28, "padded"), (1, 28, "resized")]
Step = Callable[[], object]


def pictures(channels: int, size: int) -> Tensor:
    """Smooth random pictures, uint8."""
    coarse = torch.rand(BATCH, channels, 6, 6, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse * 255, size, mode="bicubic")
    return smooth.clamp(0, 255).to(torch.uint8)


def ours(pixels: Tensor, crop: str) -> dict[str, Step]:
    """Augmentation, and mixing, of one batch."""
    augment = Augment(
        image_size=pixels.shape[-1],
        crop=crop,  # type: ignore[arg-type]
        flip=True,
        randaugment_magnitude=9,
        erasing=0.25,
        mean=MEAN,
        std=STD,
    )
    mix = Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=CLASSES)
    generator, labels = torch.Generator().manual_seed(0), torch.arange(BATCH) % CLASSES
    images = augment(pixels, generator)
    return {
        "augment": lambda: augment(pixels, generator),
        "mix": lambda: mix(images, labels, generator),
        "both": lambda: mix(augment(pixels, generator), labels, generator),
    }


def theirs(pixels: Tensor, crop: str) -> Step:
    """timm's pipeline on the same images, already decoded and in RGB as it needs them."""
    size = pixels.shape[-1]
    transform = create_transform(
        size, is_training=True, auto_augment="rand-m9-inc1", re_prob=0.25, re_mode="pixel",
        mean=MEAN, std=STD, interpolation="bicubic",
    )  # fmt: skip
    if crop == "padded":  # as the official ConvNeXt code does for small images
        transform.transforms[0] = transforms.RandomCrop(size, padding=size // 8)
    mixup: Callable[..., object] = Mixup(  # type: ignore[no-untyped-call]
        0.8, 1.0, mode="elem", label_smoothing=0.1, num_classes=CLASSES
    )
    arrays = pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    images, labels = [Image.fromarray(a) for a in arrays], torch.arange(BATCH) % CLASSES
    return lambda: mixup(torch.stack([transform(image) for image in images]), labels)


def milliseconds(step: Step, repeats: int) -> float:
    """Median over single calls, after a few that do not count."""
    for _ in range(3):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def measure(channels: int, size: int, crop: str) -> dict[str, object]:
    """One row of the table."""
    pixels = pictures(channels, size)
    mine = {name: milliseconds(step, 100) for name, step in ours(pixels, crop).items()}
    timms = milliseconds(theirs(pixels, crop), 5)
    return {
        "images": f"{channels}x{size}x{size}",
        "crop": crop,
        **{f"{name}_ms": value for name, value in mine.items()},
        "images_s": BATCH / mine["both"] * 1000,
        "timm_images_s": BATCH / timms * 1000,
    }


def shown(value: object) -> str:
    """A cell of the table: milliseconds with two digits, images a second in whole numbers."""
    if isinstance(value, float):
        return f"{value:.2f}" if value < 100 else f"{value:.0f}"
    return str(value)


def main() -> None:
    """Print the table and the JSON line."""
    torch.set_num_threads(1)
    np.random.seed(0)  # noqa: NPY002 - timm draws from the global state
    rows = [measure(*case) for case in CASES]
    print("".join(f"{name:>15}" for name in rows[0]))
    for row in rows:
        print("".join(f"{shown(value):>15}" for value in row.values()))
    versions = {m.__name__: m.__version__ for m in (torch, timm, PIL)}
    print(json.dumps({"batch": BATCH, "threads": 1, "cpu": platform.processor(),
                      "versions": versions, "rows": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
