"""Who gains most from more images? ResNet, ConvNeXt, Swin and ViT at equal MACs on a sixteenth to
all of a folder's training images.

    python scripts/data_scaling_study.py --data FOLDER --output docs/data-scaling

FOLDER holds `train/` and `test/` with a folder of images for each class. The four networks have
their widths rescaled until they cost the same (`match_cost`, `match_width`; what was reached is
printed); the recipe is one but for the learning rate, of which `--choose` compares several for each
network on training images that are held out, with seeds of its own. On a part of the images a run
goes over them more often, at most `--longer` times as often as over all of them: fewer images are
then not as many times fewer updates. A seed draws the images as well as everything else, and all
networks get the same draw: differences are paired.

Records go to a study file as runs end, and what is in it is not trained again.
"""

import argparse
import json
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from finetune_study import mean_interval, paired
from matplotlib.figure import Figure

import nextify as nx
from nextify.attribution import Interval
from nextify.data import Dataset, Images, load
from nextify.data.dataset import Parts, measured
from nextify.designs import AnyDesign, Recipe, Run, Transformer
from nextify.records import Record, Store
from nextify.report import style as look
from nextify.report.style import BLUE, INK, ORANGE, Drawing
from nextify.report.write import write_drawings
from nextify.training import train

PARTS = (16, 8, 4, 2, 1)  # one in so many of the training images
KINDS = {"ResNet": "resnet-small", "ConvNeXt": "convnext-mini", "Swin": "swin-mini",
         "ViT": "vit-mini"}  # fmt: skip
BASELINE = "ResNet"
RATES = (0.25, 0.5, 1.0, 2.0)  # that --choose compares, as multiples of the recipe's
CHOOSING = (100, 101)  # seeds that choose learning rates, and no others
CHOSEN_ON = 4  # one in so many
LOOKS = {"ResNet": (BLUE, "o"), "ConvNeXt": (ORANGE, "s"), "Swin": ("#CC79A7", "^"),
         "ViT": ("#009E73", "D")}  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """What all runs share.

    Attributes:
        macs: of every network, for one image. epochs: over all images. longer: on a part of them,
            at most so many times as many epochs.
    """

    folder: str
    macs: int
    epochs: int
    longer: int
    recipe: str = "modern-small"

    def epochs_on(self, part: int) -> int:
        """On one in so many of the images."""
        return self.epochs * min(part, self.longer)


@dataclass(frozen=True)
class Task:
    """A run to be carried out by a process of its own; `rate` is relative to the recipe's."""

    setup: Setup
    kind: str
    part: int
    seed: int
    rate: float = 1.0
    choosing: bool = False


# ---- images and networks


@cache
def whole(folder: str) -> Dataset:
    """All images, in memory."""
    return load(folder)


@cache
def images_of(folder: str, part: int, seed: int, choosing: bool) -> Dataset:
    """One in so many training images, drawn by the seed, and the test images; for choosing, the
    test images are a fifth of the training images, which the others leave alone."""
    dataset = whole(folder)
    if part == 1 and not choosing:
        return dataset
    train_images, test = dataset.train, dataset.test
    if choosing:
        assert isinstance(train_images, Images)
        held_out = torch.arange(len(train_images)) % 5 == 0
        test = train_images.take(held_out.nonzero().flatten())
        train_images = train_images.take((~held_out).nonzero().flatten())
    parts = Parts(
        name=dataset.name,
        classes=dataset.classes,
        train=train_images,
        test=test,
        image_size=dataset.image_size,
        source=dataset.source,
    )
    return measured(parts, len(train_images) // part, seed)


@cache
def networks(macs: int, image_size: int, classes: int) -> dict[str, AnyDesign]:
    """A design of each kind that costs so many MACs, or comes near."""
    found: dict[str, AnyDesign] = {}
    for kind, name in KINDS.items():
        one = nx.design(name)
        if isinstance(one, Transformer):
            reached = nx.match_width(one, macs, image_size=image_size, classes=classes)
            found[kind] = reached.design
        else:
            (found[kind],) = nx.match_cost(
                [one], "macs", macs, image_size=image_size, classes=classes
            )
    return found


# ---- runs


def run_of(task: Task) -> tuple[Run, Dataset]:
    """The run of a task, with its images."""
    setup = task.setup
    dataset = images_of(setup.folder, task.part, task.seed, task.choosing)
    design = networks(setup.macs, dataset.image_size, len(dataset.classes))[task.kind]
    run = Run(design=design, recipe=recipe_of(task), data=dataset.identity(), seed=task.seed)
    return run, dataset


def recipe_of(task: Task) -> Recipe:
    """The shared recipe at the task's length and rate."""
    shared = nx.recipe(task.setup.recipe, epochs=task.setup.epochs_on(task.part))
    return shared.changed({"learning_rate": shared.learning_rate * task.rate, "crop": "padded"})


def carried_out(task: Task) -> Record:
    """The record of a task; a process's work."""
    torch.set_num_threads(1)
    return train(*run_of(task))


def records_of(tasks: list[Task], file: Path, workers: int) -> dict[Task, Record]:
    """The records of all tasks, from the study file or else carried out side by side."""
    with Store.open(file) as store:
        found = {t: r for t in tasks if (r := store.get(run_of(t)[0].key)) is not None}
        left = [task for task in tasks if task not in found]
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            jobs = {pool.submit(carried_out, task): task for task in left}
            for job in as_completed(jobs):
                task = jobs[job]
                found[task] = job.result()
                store.add(found[task])
                print(f"{len(found)} of {len(tasks)}: {task.kind}, 1/{task.part}, seed {task.seed}")
    return {task: found[task] for task in tasks}


# ---- what was found


@dataclass(frozen=True)
class Row:
    """A network on one in so many images: its mean, and its difference to ResNet's."""

    kind: str
    part: int
    images: int
    accuracies: tuple[float, ...]
    interval: Interval | None
    difference: tuple[float, Interval | None] | None


def rows_of(records: dict[Task, Record]) -> list[Row]:
    """Every network on every part of the images. A run that diverged counts as NaN."""
    rows = []
    for part in sorted({task.part for task in records}, reverse=True):
        own = {kind: _accuracies(records, kind, part) for kind in KINDS}
        images = next(int(r.run["data"]["train"]) for t, r in records.items() if t.part == part)
        for kind, found in own.items():
            difference = None if kind == BASELINE else paired(own[BASELINE], found)
            interval = mean_interval(found)
            rows.append(Row(kind, part, images, tuple(found), interval, difference))
    return rows


def _accuracies(records: dict[Task, Record], kind: str, part: int) -> np.ndarray:
    own = [r for t, r in records.items() if (t.kind, t.part) == (kind, part)]
    return np.array([r.result.accuracy if r.result else np.nan for r in own])


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown, in per cent and points."""
    lines = ["| training images | network | n | test accuracy, % | against ResNet, points |",
             "|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        mean = f"{100 * np.mean(row.accuracies):.1f}{_half(row.interval)}"
        difference = ""
        if row.difference is not None:
            difference = f"{100 * row.difference[0]:+.1f}{_half(row.difference[1])}"
        lines.append(
            f"| {row.images:,} | {row.kind} | {len(row.accuracies)} | {mean} | {difference} |"
        )
    return "\n".join(lines) + "\n"


def _half(interval: Interval | None) -> str:
    return f" ± {100 * interval.half:.1f}" if interval else ""


def figure(rows: list[Row]) -> Drawing:
    """Accuracy over the number of images: means with 95 % intervals, and single runs."""
    with look.style():
        page = Figure(figsize=(4.8, 3.0), layout="constrained")
        axes = page.subplots()
        look.plain(axes, "both")
        for at, (kind, (color, marker)) in enumerate(LOOKS.items()):
            own = [row for row in rows if row.kind == kind]
            x = np.array([row.images for row in own]) * 1.03 ** (at - 1.5)
            means = [100 * float(np.mean(row.accuracies)) for row in own]
            halves = [100 * row.interval.half if row.interval else 0.0 for row in own]
            axes.errorbar(x, means, halves, fmt=f"{marker}-", color=color, ms=4, lw=1.2,
                          capsize=2, label=kind)  # fmt: skip
            for place, row in zip(x, own, strict=True):
                axes.plot([place] * len(row.accuracies), [100 * v for v in row.accuracies], "_",
                          color=color, ms=5, alpha=0.5)  # fmt: skip
        axes.set_xscale("log")
        images = sorted({row.images for row in rows})
        axes.set_xticks(images, [f"{count:,}" for count in images])
        axes.minorticks_off()
        axes.set_xlabel("training images")
        seeds = len(rows[0].accuracies)
        axes.set_title(f"test accuracy, %; n = {seeds} seeds, 95 % intervals", loc="left",
                       color=INK)  # fmt: skip
        axes.legend(frameon=False)
        words = [f"{r.kind} {100 * np.mean(r.accuracies):.1f} % on {r.images:,}" for r in rows]
        return look.drawn(page, "data-scaling", f"Test accuracy: {', '.join(words)}.")


# ---- commands


def study(setup: Setup, options: argparse.Namespace) -> None:
    """Carry out all runs; write table, figure and numbers."""
    began = time.monotonic()
    rates = dict(_rate(text) for text in options.rate)
    cells = product(range(options.seeds), options.parts, KINDS)
    tasks = [Task(setup, kind, part, seed, rates.get(kind, 1.0)) for seed, part, kind in cells]
    if options.plan:
        say_plan(setup, tasks)
        return
    say_networks(setup)
    records = records_of(tasks, options.work / "data-scaling.study", options.workers)
    rows = rows_of(records)
    write_drawings([figure(rows)], options.output)
    (options.output / "table.md").write_text(table(rows))
    values = [{"network": r.kind, "images": r.images, "accuracies": r.accuracies} for r in rows]
    (options.output / "accuracies.json").write_text(json.dumps(values, indent=1) + "\n")
    trained = sum(r.measured.seconds + r.measured.evaluation_seconds
                  for r in records.values() if r.measured)  # fmt: skip
    print(table(rows))
    print(f"{len(records)} runs, {trained:.0f} s of processes' time; "
          f"{time.monotonic() - began:.0f} s in all")  # fmt: skip


def _rate(text: str) -> tuple[str, float]:
    kind, equals, value = text.partition("=")
    if kind not in KINDS or not equals:
        raise SystemExit(f"--rate is {text!r}; give one of {', '.join(KINDS)}, as ViT=0.5")
    return kind, float(value)


def say_networks(setup: Setup) -> None:
    """What costs what."""
    dataset = whole(setup.folder)
    size, classes = dataset.image_size, len(dataset.classes)
    for kind, design in networks(setup.macs, size, classes).items():
        counted = nx.cost(design, size, classes)
        gap = counted.macs / setup.macs - 1
        print(f"{kind:9} {counted.macs:>12,} MACs ({gap:+.1%}) {counted.params:>9,} parameters "
              f"{ {n: v for n, v in asdict(design).items() if n in _SIZES} }")  # fmt: skip


_SIZES = ("width", "widths", "depth", "depths", "heads")


def say_plan(setup: Setup, tasks: list[Task]) -> None:
    """What would be trained."""
    say_networks(setup)
    images = sum(setup.epochs_on(t.part) * (len(whole(setup.folder).train) // t.part)
                 for t in tasks)  # fmt: skip
    print(f"{len(tasks)} runs, {images:,} training images seen, {images * setup.macs:.2e} MACs "
          "forward")  # fmt: skip


def choose(setup: Setup, options: argparse.Namespace) -> None:
    """Accuracy on the held-out images for learning rates."""
    tasks = [Task(setup, kind, CHOSEN_ON, seed, rate, choosing=True)
             for kind, rate, seed in product(KINDS, RATES, CHOOSING)]  # fmt: skip
    records = records_of(tasks, options.work / "choosing-rates.study", options.workers)
    for kind, rate in product(KINDS, RATES):
        own = [r.result.accuracy if r.result else float("nan")
               for t, r in records.items() if (t.kind, t.rate) == (kind, rate)]  # fmt: skip
        print(f"{kind:9} {rate:5g}  {100 * np.mean(own):5.1f}  "
              f"{', '.join(f'{100 * v:.1f}' for v in own)}")  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder with train/ and test/")
    parser.add_argument("--output", type=Path, default=Path("docs/data-scaling"))
    parser.add_argument("--work", type=Path, default=Path("runs/data-scaling"), help="study file")
    parser.add_argument("--macs", type=int, default=4_000_000, help="of every network")
    parser.add_argument("--epochs", type=int, default=14, help="over all images")
    parser.add_argument("--longer", type=int, default=4, help="times as many epochs on a part")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", type=lambda text: tuple(map(int, text.split(","))),
                        default=PARTS, help="one in so many images, as 16,8,4,2,1")  # fmt: skip
    parser.add_argument("--rate", action="append", default=[], metavar="NETWORK=X",
                        help="learning rate of a network, as a multiple: ViT=0.5")  # fmt: skip
    parser.add_argument("--plan", action="store_true", help="say what would be trained")
    parser.add_argument("--choose", action="store_true", help="compare learning rates instead")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    setup = Setup(options.data, options.macs, options.epochs, options.longer)
    (choose if options.choose else study)(setup, options)


if __name__ == "__main__":
    main()
