"""Images a second from JPEG files to a network at 224 pixels: our loader beside timm's.

2,000 JPEGs of 500 x 375 pixels, made for this. Both loaders have a process for each core, crop at
random (resized to 224) and flip; the other augmentation is by each side's own means: ours on the
device and for whole batches, timm's (RandAugment 9) in its processes, where it is on. Alone, and
feeding a training step of ConvNeXt-T in bfloat16 (eager, our network for both), with the first pass
left out, in which timm's processes start; ours start anew in every pass, which is counted.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from gpu_jpegs import CLASSES, make
from gpu_rows import Given, Row, row
from timm.data import create_dataset, create_loader
from torch import Tensor

import nextify as nx
from nextify.data import batches, load
from nextify.designs import recipe
from nextify.training.loop import augmentation

BATCH, SIZE, IMAGES = 128, 224, 2000
Batches = Iterator[tuple[Tensor, Tensor]]
Feed = Callable[[], Batches]
"""One pass over the images."""


def measure_loaders(given: Given) -> Iterator[Row]:
    """Alone, and feeding a training step."""
    images, batch, size = (40, 4, 32) if given.smoke else (IMAGES, BATCH, SIZE)
    workers = 1 if given.smoke else os.cpu_count() or 1
    folder = given.scratch / "jpegs"
    began = time.perf_counter()
    make(folder, images, workers)
    yield row("making the images", "s", time.perf_counter() - began, about=f"{images} JPEGs")
    about = f"{workers} processes, batches of {batch}"
    feeds = {
        "nextify": ours(given, folder, batch, size, workers),
        "timm, crop and flip": theirs(given, folder, batch, size, workers, None),
        "timm, with RandAugment": theirs(given, folder, batch, size, workers, "rand-m9-inc1"),
    }
    step = training_step(given, size)
    for name, feed in feeds.items():
        yield row(f"{name}: loader alone", "images/s", rates(given, feed, touch), about=about)
        if name != "timm, crop and flip":
            yield row(f"{name}: feeding ConvNeXt-T", "images/s", rates(given, feed, step),
                      about=about)  # fmt: skip
    one = next(iter(feeds["nextify"]()))
    yield row("ConvNeXt-T on one batch again and again", "images/s",
              rates(given, lambda: iter([one] * 10), step))  # fmt: skip


def ours(given: Given, folder: Path, batch: int, size: int, workers: int) -> Feed:
    """Streamed from the files, cropped by processes and augmented on the device."""
    dataset = load(str(folder), image_size=size, memory_limit=0)
    augment = augmentation(recipe("modern"), dataset)
    order, draws = (torch.Generator().manual_seed(0) for _ in range(2))

    def feed() -> Batches:
        for pixels, labels in batches(dataset.train, batch, generator=order, device=given.device,
                                      workers=workers, drop_last=True):  # fmt: skip
            yield augment(pixels, draws), labels

    return feed


def theirs(
    given: Given, folder: Path, batch: int, size: int, workers: int, policy: str | None
) -> Feed:
    """timm's, with its prefetcher on a GPU."""
    loader: Any = create_loader(
        create_dataset("", root=str(folder), split="train"),
        input_size=(3, size, size),
        batch_size=batch,
        is_training=True,
        color_jitter=0.0,
        auto_augment=policy,
        re_prob=0.25 if policy else 0.0,
        re_mode="pixel",
        interpolation="bicubic",
        num_workers=workers,
        pin_memory=given.device == "cuda",
        use_prefetcher=given.device == "cuda",
        device=torch.device(given.device),
    )
    return lambda: iter(loader)


def touch(images: Tensor, labels: Tensor) -> None:
    """What is done with a batch where the loader is alone."""


def training_step(given: Given, size: int) -> Callable[[Tensor, Tensor], None]:
    """A step of ConvNeXt-T, eager."""
    network = nx.build(nx.design("convnext-tiny"), CLASSES, device=given.device).train()
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step(images: Tensor, labels: Tensor) -> None:
        with torch.autocast(given.device, torch.bfloat16, enabled=given.device == "cuda"):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def rates(given: Given, feed: Feed, use: Callable[[Tensor, Tensor], None]) -> list[float]:
    """Images a second of each pass but the first."""
    found: list[float] = []
    for _ in range(2 if given.smoke else 4):
        began, count = time.perf_counter(), 0
        for images, labels in itertools.islice(feed(), 3 if given.smoke else None):
            use(images, labels)
            count += len(labels)
        if given.device == "cuda":
            torch.cuda.synchronize()
        found.append(count / (time.perf_counter() - began))
    return found[1:]
