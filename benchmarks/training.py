"""Images a second in training, beside timm's own loader and loop: the same network, batch, policy.

    python benchmarks/training.py --data cifar10-jpeg.tar.xz

`--data` is an image folder (train/<class>/*.jpg with test/ or val/) of 32 x 32 images, or an
archive of one. Both sides train a ConvNeXt of depths 1, 1, 3, 1 and widths 24 to 192 (0.67 M
parameters; that timm's equals ours is checked with random weights) in float32 with batches of 128,
AdamW, an average of the weights, stochastic depth 0.1, random crop, flip, RandAugment 9, erasing
0.25, mixup 0.8, CutMix 1.0 and label smoothing 0.1.

- timm: `create_dataset`, `create_loader` (images decoded and augmented one by one, in worker
  processes), `Mixup`, `create_optimizer_v2`, `ModelEmaV3`. Its train.py is no part of the package;
  the loop here does what that does for a step. RandAugment is without magnitude noise, because the
  newest Pillow refuses the posterize levels that noise leads to. No validation.
- nextify: `train_with_network`, the loop of `nextify train` and of a study's workers, with its
  curve on 1,000 test images after each epoch. Images are decoded once, before; it says how long.

Every case runs in processes of its own that wait while others run. A round measures all cases one
after another; `ratio` is to the fastest case of timm in the same round. "A study" is two processes
with one thread each at the same time, as `nextify study` runs them on two cores, while timm trains
its runs one after another. Prints medians over rounds with the range, then one JSON line.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import PIL
import timm
import torch
from timm.data import FastCollateMixup, Mixup, create_dataset, create_loader
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torchvision.transforms import RandomCrop

import nextify as nx
from nextify.data import load
from nextify.designs import Design, Recipe, Run, recipe
from nextify.training import Settings, train_with_network

BATCH, SIZE, CLASSES, WARMUP = 128, 32, 10, 5
MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


@dataclass(frozen=True)
class Work:
    """What is trained, for both sides."""

    folder: Path
    stem_stride: int
    crop: str

    @property
    def design(self) -> Design:
        shape: dict[str, Any] = {"depths": (1, 1, 3, 1), "widths": (24, 48, 96, 192)}
        return nx.design("convnext-tiny", stem_stride=self.stem_stride, **shape)

    @property
    def recipe(self) -> Recipe:
        # So many epochs that no run ends while it is measured.
        return recipe("modern", batch_size=BATCH, crop=self.crop, epochs=10_000)


class Enough(Exception):
    """Nothing more is to be measured."""


class Meter:
    """Called after every step: waits for an order, lets some steps warm up, counts the next ones
    for the seconds asked for, answers, and waits again."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.seconds, self.began, self.steps = 0.0, 0.0, 0

    def __call__(self, *_: int) -> None:
        now = time.perf_counter()
        self.steps += 1
        if self.steps == 0:
            self.began = now
        if self.steps >= 0 and now - self.began >= self.seconds:
            self.connection.send((self.steps, self.began, now))
            self.wait()

    def wait(self) -> None:
        """Until the next order: threads and seconds."""
        order = self.connection.recv()
        if order is None:
            raise Enough
        threads, self.seconds = order
        torch.set_num_threads(threads)
        self.steps = -WARMUP


def serve_nextify(connection: Connection, work: Work) -> None:
    """A process that trains with nextify, at its parent's orders."""
    began = time.perf_counter()
    dataset = load(str(work.folder))
    decoding = time.perf_counter() - began
    run = Run(design=work.design, recipe=work.recipe, data=dataset.identity())
    parameters = nx.cost(work.design, image_size=SIZE, classes=CLASSES).params
    connection.send({"parameters": parameters, "decoding_s": decoding})
    meter = Meter(connection)
    try:
        meter.wait()
        train_with_network(run, dataset, Settings(device="cpu", on_step=meter))
    except Enough:
        return


def serve_timm(connection: Connection, work: Work, workers: int) -> None:
    """A process that trains with timm, at its parent's orders."""
    network = timms_network(work)
    loader = timms_loader(work, workers)
    step = timms_step(network, work.recipe)
    connection.send({"parameters": sum(p.numel() for p in network.parameters())})
    meter = Meter(connection)
    try:
        meter.wait()
        for _ in itertools.count():
            for images, labels in loader:
                step(images, labels)
                meter()
    except Enough:
        return


def timms_network(work: Work) -> nn.Module:
    """timm's ConvNeXt with the same layers, checked, and with our initial weights."""
    network = timm.create_model(
        "convnext_atto",
        num_classes=CLASSES,
        depths=work.design.depths,
        dims=work.design.widths,
        patch_size=work.stem_stride,
        conv_mlp=False,  # as in ConvNeXt-T, and faster here
        drop_path_rate=work.recipe.stochastic_depth,
    )
    if work.stem_stride < 4:  # timm would halve the map once more before the first stage
        network.stages[0].downsample = nn.Identity()
    ours = nx.build(work.design, CLASSES)
    start = {name: entry.clone() for name, entry in ours.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for parameter in ours.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    images = torch.randn(4, 3, SIZE, SIZE, generator=generator)
    network.load_state_dict(_as_timms(ours.state_dict(), network))
    with torch.no_grad():
        torch.testing.assert_close(
            network.eval()(images), ours.eval()(images), rtol=1e-3, atol=1e-3
        )
    network.load_state_dict(_as_timms(start, network))
    return network.train()


def _as_timms(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Our weights under timm's names."""
    renamed = {}
    for name, entry in state.items():
        for old, new in (
            ("stem.conv", "stem.0"), ("stem.norm", "stem.1"), ("branch.spatial_norm", "norm"),
            ("branch.spatial", "conv_dw"), ("branch.pointwise", "mlp.fc"),
            ("branch.scale.weight", "gamma"), ("downsample.norm", "downsample.0"),
            ("downsample.conv", "downsample.1"), ("head.classifier", "head.fc"),
        ):  # fmt: skip
            name = name.replace(old, new)
        renamed[name] = entry.reshape(network.get_parameter(name).shape)
    return renamed


def timms_loader(work: Work, workers: int, device: str = "cpu") -> Any:
    """As train.py makes it; it crops and flips as our recipe does. For a GPU with the prefetcher,
    which erases there, and with mixup where batches are put together."""
    dataset = create_dataset("", root=str(work.folder), split="train")
    on_gpu = device != "cpu"
    loader = create_loader(
        dataset,
        input_size=(3, SIZE, SIZE),
        batch_size=BATCH,
        is_training=True,
        auto_augment="rand-m9-inc1",
        re_prob=work.recipe.random_erasing,
        re_mode="pixel",
        interpolation="bicubic",
        mean=MEAN,
        std=STD,
        num_workers=workers,
        collate_fn=FastCollateMixup(**timms_mixup(work.recipe)) if on_gpu else None,
        use_prefetcher=on_gpu,
        pin_memory=on_gpu,
        device=torch.device(device),
    )
    if work.crop == "padded":  # as the official ConvNeXt code does for small images
        dataset.transform.transforms[0] = RandomCrop(SIZE, padding=SIZE // 8)
    return loader


def timms_mixup(values: Recipe) -> dict[str, Any]:
    """Its arguments."""
    return {"mixup_alpha": values.mixup, "cutmix_alpha": values.cutmix,
            "label_smoothing": values.label_smoothing, "num_classes": CLASSES}  # fmt: skip


def timms_step(
    network: nn.Module, values: Recipe, device: str = "cpu"
) -> Callable[[Tensor, Tensor], None]:
    """What train.py's `train_one_epoch` does with a batch; on a GPU in bfloat16 by autocast, with
    images that are mixed already."""
    mixup = Mixup(**timms_mixup(values)) if device == "cpu" else None
    optimizer = create_optimizer_v2(
        network, "adamw", lr=values.peak_learning_rate, weight_decay=values.weight_decay
    )
    average = ModelEmaV3(network, decay=values.ema_decay)
    loss_of = SoftTargetCrossEntropy()

    def step(images: Tensor, targets: Tensor) -> None:
        if mixup is not None:
            images, targets = mixup(images, targets)
        else:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixup is None):
            loss = loss_of(network(images), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average.update(network)

    return step


@dataclass(frozen=True)
class Case:
    """Something to measure: processes at the same time, with so many threads each."""

    name: str
    connections: tuple[Connection, ...]
    threads: int

    def images_per_second(self, seconds: float) -> float:
        """Together, from the first one's first step to the last one's last."""
        for connection in self.connections:
            connection.send((self.threads, seconds))
        steps, began, ended = zip(*(c.recv() for c in self.connections), strict=True)
        return BATCH * sum(steps) / (max(ended) - min(began))


def busy(seconds: float = 1.0) -> float:
    """How many cores are at work for others, now that all cases wait (Linux; else nothing)."""

    def count() -> tuple[int, int]:
        stat = Path("/proc/stat")
        line = stat.read_text().splitlines()[0] if stat.exists() else "cpu 0 0 0 1 0"
        values = [int(v) for v in line.split()[1:9]]
        return sum(values), values[3] + values[4]

    time.sleep(seconds)  # until timm's workers have filled their queue
    before = count()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(count(), before, strict=True))
    return (os.cpu_count() or 1) * (1 - idle / total) if total else 0.0


@contextmanager
def unpacked(data: Path) -> Iterator[Path]:
    """The folder of images; an archive is unpacked for as long as it is needed. nextify's cache of
    decoded images goes with it."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NEXTIFY_CACHE"] = str(Path(scratch, "cache"))
        if data.is_dir():
            yield data
        else:
            with tarfile.open(data) as archive:
                archive.extractall(Path(scratch, "images"), filter="data")
            yield Path(scratch, "images")


@contextmanager
def processes(*targets: tuple[Callable[..., None], tuple[Any, ...]]) -> Iterator[list[Connection]]:
    """Start processes one after another, each when the one before is ready; end them all."""
    context = multiprocessing.get_context("spawn")
    connections = []
    try:
        for target, arguments in targets:
            ours, theirs = context.Pipe()
            context.Process(target=target, args=(theirs, *arguments)).start()
            theirs.close()
            print(target.__name__, *arguments[1:], ours.recv(), flush=True)
            connections.append(ours)
        yield connections
    finally:
        for connection in connections:
            connection.send(None)


def cases(timm1: Connection, timm2: Connection, one: Connection, two: Connection) -> list[Case]:
    """The rows of the table."""
    cores = os.cpu_count() or 1
    return [
        Case("timm, 1 worker", (timm1,), cores),
        Case("nextify, 1 thread", (one,), 1),
        Case("timm, 2 workers", (timm2,), cores),
        Case(f"nextify, {cores} threads", (two,), cores),
        Case("timm, 1 worker, 1 thread", (timm1,), 1),
        Case("nextify, a study", (one, two), 1),
    ]


def table(rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians and ranges; ratios to timm's fastest case of the same round."""
    timms = [values for name, values in rates.items() if name.startswith("timm")]
    best = [max(values) for values in zip(*timms, strict=True)]
    rows = []
    for name, values in rates.items():
        ratios = [mine / other for mine, other in zip(values, best, strict=True)]
        rows.append(
            {"case": name, "images_s": statistics.median(values), "min": min(values),
             "max": max(values), "ratio": statistics.median(ratios), "ratio_min": min(ratios),
             "ratio_max": max(ratios)}
        )  # fmt: skip
    return rows


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case in a round")
    parser.add_argument("--stem-stride", type=int, choices=(2, 4), default=2)
    parser.add_argument("--crop", choices=("resized", "padded"), default="resized")
    return parser.parse_args()


def measure(chosen: argparse.Namespace, work: Work) -> tuple[dict[str, list[float]], list[float]]:
    """Images a second of each case in each round, and the cores busy with other work before."""
    rates: dict[str, list[float]] = {}
    others = []
    starts = [(serve_timm, (work, 1)), (serve_timm, (work, 2)),
              (serve_nextify, (work,)), (serve_nextify, (work,))]  # fmt: skip
    with processes(*starts) as connections:
        for _ in range(chosen.rounds):
            for case in cases(*connections):
                others.append(busy())
                rate = case.images_per_second(chosen.seconds)
                rates.setdefault(case.name, []).append(rate)
                print(f"{case.name}: {rate:.0f} ({others[-1]:.1f} cores busy before)", flush=True)
    return rates, others


def main() -> None:
    """Print the table and the JSON line."""
    chosen = options()
    with unpacked(chosen.data) as folder:
        rates, others = measure(chosen, Work(folder, chosen.stem_stride, chosen.crop))
    rows = table(rates)
    print(f"{'':26}{'images/s':>10}{'min':>8}{'max':>8}{'ratio':>8}{'min':>7}{'max':>7}")
    for name, *values, ratio, low, high in (row.values() for row in rows):
        numbers = "".join(f"{v:>{w}.0f}" for v, w in zip(values, (10, 8, 8), strict=True))
        print(f"{name:26}{numbers}{ratio:8.2f}{low:7.2f}{high:7.2f}")
    print(f"cores busy with other work before a case: at most {max(others):.2f}")
    versions = {m.__name__: m.__version__ for m in (torch, timm, PIL)}
    print(json.dumps({
        "batch": BATCH, "stem_stride": chosen.stem_stride, "crop": chosen.crop,
        "rounds": chosen.rounds, "seconds": chosen.seconds, "cores": os.cpu_count(),
        "python": platform.python_version(), "versions": versions,
        "capability": torch.backends.cpu.get_cpu_capability(), "others_busy": others,
        "rows": rows, "rates": rates,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
