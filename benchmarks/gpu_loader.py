"""Images a second from JPEG files to a network at 224 pixels: our loader beside timm's.

2,000 JPEGs of 500 x 375 pixels, made for this, each dealt three times in a pass. Both loaders have
a process for each core, crop at random (resized to 224) and flip. The other augmentation is by
each side's own means: ours (the recipe "modern") on the device and for whole batches, timm's
(RandAugment 9, erasing) in its processes and by its prefetcher, where it is on. Alone, and feeding
a training step of ConvNeXt-T in bfloat16 (eager, our network for both). The first pass is left
out: in it timm's processes start. Ours start anew in every pass, which is counted.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from gpu_jpegs import make
from gpu_rows import Given, Row, row, timed
from timm.data import create_dataset, create_loader
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchvision.io import decode_jpeg, read_file

import nextify as nx
from nextify.data import load
from nextify.designs import Run, recipe
from nextify.training import Settings
from nextify.training.loop import training_batches
from nextify.training.state import State, start

BATCH, SIZE, IMAGES, TIMES = 128, 224, 2000, 3  # each image is dealt so many times in a pass
Feed = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""One pass over the images."""


def measure_loaders(given: Given) -> Iterator[Row]:
    """Alone, and feeding a training step."""
    images, batch, size = (40, 4, 32) if given.smoke else (IMAGES, BATCH, SIZE)
    workers = 1 if given.smoke else os.cpu_count() or 1
    folder = given.scratch / "jpegs"
    with timed() as seconds:
        make(folder, images, workers)
    yield row("making the images", "s", seconds, about=f"{images} JPEGs")
    state, mine = ours(given, folder, batch, size, workers)
    feeds = {
        "nextify, with RandAugment": mine,
        "timm, crop and flip": theirs(given, folder, batch, size, workers, None),
        "timm, with RandAugment": theirs(given, folder, batch, size, workers, "rand-m9-inc1"),
    }
    step = training_step(given, state)
    one = next(mine())
    full = rates(given, lambda: iter([one] * 20), step)
    yield row("ConvNeXt-T on one batch again and again", "images/s", full)
    about = f"{workers} processes, batches of {batch}"
    fed: dict[str, list[float]] = {}
    for name, feed in feeds.items():
        yield row(f"{name}: loader alone", "images/s", rates(given, feed, touch), about=about)
        if "Rand" in name:
            fed[name] = rates(given, feed, step)
            yield row(f"{name}: feeding ConvNeXt-T", "images/s", fed[name], about=about)
    first, second = map(median, fed.values())
    yield row("feeding ConvNeXt-T: nextify over timm", "times", first / second)
    yield row("feeding ConvNeXt-T: share of the speed without a loader", "", first / median(full))
    if given.device == "cuda":
        yield from on_the_card(folder, batch)


def ours(given: Given, folder: Path, batch: int, size: int, workers: int) -> tuple[State, Feed]:
    """As `nextify train` does it: streamed from the files, cropped by processes, augmented on the
    device; with a network of the run."""
    dataset = load(str(folder), image_size=size, memory_limit=0)
    every = torch.arange(len(dataset.train)).repeat(TIMES)
    dataset = replace(dataset, train=dataset.train.take(every))
    how = recipe("modern", batch_size=batch)
    run = Run(design=nx.design("convnext-tiny"), recipe=how, data=dataset.identity())
    state = start(run, dataset, given.device)
    settings = Settings(given.device, workers)
    return state, lambda: training_batches(state, run, dataset, settings)


def theirs(
    given: Given, folder: Path, batch: int, size: int, workers: int, policy: str | None
) -> Feed:
    """timm's, with its prefetcher on a GPU."""
    dataset = create_dataset("", root=str(folder), split="train")
    dataset.reader.samples = dataset.reader.samples * TIMES
    loader: Any = create_loader(
        dataset,
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


def on_the_card(folder: Path, batch: int) -> Iterator[Row]:
    """Decoding alone, by nvJPEG through torchvision, where it is there."""
    files = [read_file(str(path)) for path in sorted(folder.rglob("*.jpg"))[:batch]]
    try:
        decode_jpeg(files, device="cuda")
    except RuntimeError as error:
        yield row(f"nvJPEG: not there ({str(error).splitlines()[0]})", "images/s", 0)
        return
    found = []
    for _ in range(5):
        torch.cuda.synchronize()
        with timed() as seconds:
            decode_jpeg(files, device="cuda")
            torch.cuda.synchronize()
        found.append(len(files) / seconds[0])
    yield row("decoding alone by nvJPEG", "images/s", found)


def touch(images: Tensor, labels: Tensor) -> None:
    """What is done with a batch where the loader is alone."""


def training_step(given: Given, state: State) -> Callable[[Tensor, Tensor], None]:
    """A step of ConvNeXt-T, eager."""

    def step(images: Tensor, labels: Tensor) -> None:
        with torch.autocast(given.device, torch.bfloat16, enabled=given.device == "cuda"):
            loss = cross_entropy(state.network(images), labels)
        loss.backward()
        state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)

    return step


def rates(given: Given, feed: Feed, use: Callable[[Tensor, Tensor], None]) -> list[float]:
    """Images a second of each pass but the first, which is cut short."""
    found: list[float] = []
    passes = (2, 3) if given.smoke else (4, None, None)
    for most in passes:
        began, count = time.perf_counter(), 0
        for images, labels in itertools.islice(feed(), most):
            use(images, labels)
            count += len(labels)
        if given.device == "cuda":
            torch.cuda.synchronize()
        found.append(count / (time.perf_counter() - began))
    return found[1:]
