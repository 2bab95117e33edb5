"""What pre-training brings where images are few: five classes of CIFAR-10 (JPEG) for five others.

    python scripts/finetune_study.py --data FOLDER --output docs/finetuning

FOLDER holds `train/` and `test/` with a folder of images for each of the ten classes. A small
ConvNeXt is trained on all images of the first five classes; then, on 20, 50 and 200 training
images a class of the other five, networks start from it or from scratch. A seed draws the images
as well as everything else, and all ways of starting get the same draw: differences are paired.

Records go to a study file as runs end, and what is in it is not trained again. `--choose` compares
learning rates instead, on images of the training set that no run trains on, with other seeds.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

import nextify as nx
from nextify.data import Dataset, Images, load
from nextify.data.dataset import Parts, measured
from nextify.designs import Recipe, Run
from nextify.experiments.intervals import Interval, around, student
from nextify.findings.blocks import fit_blocks
from nextify.network import Card, save_network
from nextify.records import Record, Store
from nextify.training import (
    InitialWeights,
    Settings,
    initial_weights,
    train,
    train_with_network,
)

NAME = "CIFAR-10 (JPEG)"
DESIGN = nx.design("convnext-mini")
PRETRAINING = nx.recipe("modern-small", epochs=14, crop="padded")
EPOCHS = {20: 30, 50: 20, 200: 10}  # by images a class
LONGER = 3
SEEDS = range(5)
CHOOSING = (100, 101)  # seeds that choose learning rates, and no others
HELD_OUT = 400  # training images a class that only choosing looks at

FINETUNING = nx.recipe("finetune-small")
SCRATCH = nx.recipe("modern-small", crop="padded", batch_size=20, learning_rate=2e-3,
                    reference_batch=20)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A way of starting: its recipe, how much longer it trains, whether it has the weights."""

    recipe: Recipe
    times: int = 1
    has_weights: bool = True

    def at(self, per_class: int) -> Recipe:
        """The recipe for so many images a class."""
        return self.recipe.changed({"epochs": EPOCHS[per_class] * self.times})


WAYS = {
    "from scratch, as many steps": Way(SCRATCH, has_weights=False),
    f"from scratch, {LONGER} times the steps": Way(SCRATCH, LONGER, has_weights=False),
    "pre-trained, body frozen": Way(FINETUNING.changed({"trainable": "head",
                                                        "learning_rate": 3.2e-2})),
    "pre-trained, fine-tuned": Way(FINETUNING),
}  # fmt: skip
BASELINES = list(WAYS)[:-1]  # each way is compared with those before it


@dataclass(frozen=True)
class Task:
    """A run to be carried out by a process of its own."""

    folder: str
    weights: str
    way: Way
    per_class: int
    seed: int
    choosing: bool = False


# ---- images


@cache
def whole(folder: str) -> Dataset:
    """All images of the ten classes, in memory."""
    return load(folder)


def classes_of(dataset: Dataset, first: int) -> Parts:
    """The five classes from `first` on, as a data set of their own."""
    chosen = range(first, first + 5)
    return Parts(
        name=f"{NAME}, classes {first} to {first + 4}",
        classes=dataset.classes[first : first + 5],
        train=_only(dataset.train, chosen),
        test=_only(dataset.test, chosen),
        image_size=dataset.image_size,
        source=f"{NAME}: CIFAR-10 (Krizhevsky, 2009), encoded again as JPEG.",
    )


def _only(images: object, labels: range) -> Images:
    assert isinstance(images, Images)
    inside = (images.labels >= labels.start) & (images.labels < labels.stop)
    taken = images.take(inside.nonzero().flatten())
    return Images(taken.pixels, taken.labels - labels.start)


def few(folder: str, per_class: int, seed: int, choosing: bool) -> Dataset:
    """So many images a class of the other five, drawn by the seed, and their test images; for
    choosing, the test images are held out of the training images."""
    parts = classes_of(whole(folder), 5)
    assert isinstance(parts.train, Images)
    order = torch.arange(len(parts.train))
    within = torch.cat([torch.arange(n) for n in torch.bincount(parts.train.labels).tolist()])
    held_out = within < HELD_OUT  # images lie class by class
    rest = Parts(
        name=parts.name,
        classes=parts.classes,
        train=parts.train.take(order[~held_out]),
        test=parts.train.take(order[held_out]) if choosing else parts.test,
        image_size=parts.image_size,
        source=parts.source,
    )
    return measured(rest, 5 * per_class, seed)


# ---- runs


def pretrained(folder: str, work: Path) -> Path:
    """The network trained on the first five classes, made if it is not there."""
    path = work / "pretrained.safetensors"
    if path.exists():
        return path
    dataset = measured(classes_of(whole(folder), 0), None, 0)
    run = Run(design=DESIGN, recipe=PRETRAINING, data=dataset.identity())
    record, state = train_with_network(run, dataset, Settings())
    assert record.result is not None, record.message
    about = {"accuracy": record.result.accuracy, "data": dict(run.data)}
    card = Card(
        design=DESIGN,
        classes=dataset.classes,
        image_size=dataset.image_size,
        mean=dataset.mean,
        std=dataset.std,
        about=about,
    )
    save_network(state.judged, card, path)
    return path


def prepared(task: Task) -> tuple[Run, Dataset]:
    """The run of a task, with its images."""
    dataset = few(task.folder, task.per_class, task.seed, task.choosing)
    weights = weights_for(task, dataset) if task.way.has_weights else None
    run = Run(
        design=DESIGN,
        recipe=task.way.at(task.per_class),
        data=dataset.identity(),
        seed=task.seed,
        initial=weights.about if weights else None,
    )
    return run, dataset


def weights_for(task: Task, dataset: Dataset) -> InitialWeights:
    """The pre-trained body; the head is new, since the classes are others."""
    weights = initial_weights(task.weights, DESIGN, dataset.classes)
    assert weights.loaded.head_is_new
    return weights


def carried_out(task: Task) -> Record:
    """The record of a task; a process's work."""
    torch.set_num_threads(1)
    run, dataset = prepared(task)
    weights = weights_for(task, dataset) if run.initial else None
    return train(run, dataset, weights=weights)


def records_of(tasks: list[Task], file: Path) -> dict[Task, Record]:
    """The records of all tasks, from the study file or else carried out, two at a time."""
    with Store.open(file) as store, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        known = {task: store.get(prepared(task)[0].key) for task in tasks}
        open_tasks = [task for task, record in known.items() if record is None]
        found = {task: record for task, record in known.items() if record is not None}
        started = {pool.submit(carried_out, task): task for task in open_tasks}
        for ended in as_completed(started):
            found[started[ended]] = ended.result()
            store.add(ended.result())
        return {task: found[task] for task in tasks}


# ---- what was found


@dataclass(frozen=True)
class Row:
    """A way at a number of images a class: its mean, and its differences to the ways before it."""

    way: str
    per_class: int
    accuracies: tuple[float, ...]
    interval: Interval | None
    differences: tuple[tuple[float, Interval | None] | None, ...]


def accuracies(records: dict[Task, Record], way: Way, per_class: int) -> np.ndarray:
    """One accuracy a seed; NaN for a run that diverged."""
    own = [r for t, r in records.items() if (t.way, t.per_class) == (way, per_class)]
    return np.array([r.result.accuracy if r.result else np.nan for r in own])


def mean_interval(values: np.ndarray) -> Interval | None:
    """Student's interval of a mean over new seeds."""
    return fit_blocks(values[None, :]).mean(0)[1]


def paired(before: np.ndarray, after: np.ndarray) -> tuple[float, Interval | None]:
    """A difference with its 95 % interval: with two cells, the block model is the paired t test."""
    model = fit_blocks(np.stack([before, after]))
    found = model.difference(0, 1)
    assert found is not None
    value, variance = found
    if model.residual_sd is None:
        return value, None
    return value, around(value, student(model.df_residual) * model.residual_sd * variance**0.5)


def rows_of(records: dict[Task, Record]) -> Iterator[Row]:
    """Every way at every number of images, against those before it."""
    for per_class in EPOCHS:
        baselines = [accuracies(records, WAYS[name], per_class) for name in BASELINES]
        for name, way in WAYS.items():
            own = accuracies(records, way, per_class)
            differences = tuple(
                None if name in BASELINES[: at + 1] else paired(before, own)
                for at, before in enumerate(baselines)
            )
            yield Row(name, per_class, tuple(own), mean_interval(own), differences)


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown, in per cent and points."""
    lines = [
        "| images a class | start | n | test accuracy, % | against as many steps, points "
        f"| against {LONGER} times the steps, points | against a frozen body, points |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        mean = f"{100 * np.mean(row.accuracies):.1f}{_half(row.interval)}"
        cells = [str(row.per_class), row.way, str(len(row.accuracies)), mean]
        lines.append(f"| {' | '.join([*cells, *map(_difference, row.differences)])} |")
    return "\n".join(lines) + "\n"


def _half(interval: Interval | None) -> str:
    return f" ± {100 * interval.half:.1f}" if interval else ""


def _difference(found: tuple[float, Interval | None] | None) -> str:
    return "" if found is None else f"{100 * found[0]:+.1f}{_half(found[1])}"


def draw(rows: list[Row], path: Path) -> None:
    """Means with intervals and single runs, by images a class."""
    mpl.rcParams.update({"svg.hashsalt": "nextify", "font.size": 9})
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for at, name in enumerate(WAYS):
        own = [row for row in rows if row.way == name]
        x = np.array([row.per_class for row in own]) * 1.06 ** (at - 1.5)
        means = np.array([100 * np.mean(row.accuracies) for row in own])
        halves = [100 * row.interval.half if row.interval else 0.0 for row in own]
        color = ("#999999", "#000000", "#56B4E9", "#0072B2")[at]
        axes.errorbar(x, means, halves, fmt="sDo^"[at] + "-", color=color, capsize=3, ms=5,
                      lw=1.2, label=name)  # fmt: skip
        for place, row in zip(x, own, strict=True):
            axes.plot([place] * len(row.accuracies), [100 * v for v in row.accuracies], "_",
                      color=color, ms=6, alpha=0.6)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(list(EPOCHS), [str(n) for n in EPOCHS])
    axes.minorticks_off()
    axes.set_xlabel("training images a class")
    axes.set_ylabel("test accuracy, %")
    axes.set_title(f"{NAME}, five classes; n = {len(SEEDS)} seeds, 95 % intervals", fontsize=9)
    axes.legend(frameon=False)
    figure.savefig(path / "accuracy.svg", metadata={"Date": None})
    figure.savefig(path / "accuracy.png", dpi=160)


# ---- commands


def study(folder: str, work: Path, output: Path) -> None:
    """Carry out all runs; write table, figure and numbers."""
    began = time.monotonic()
    weights = str(pretrained(folder, work))
    tasks = [Task(folder, weights, way, per_class, seed)
             for seed, per_class, way in product(SEEDS, EPOCHS, WAYS.values())]  # fmt: skip
    records = records_of(tasks, work / "finetuning.study")
    rows = list(rows_of(records))
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(table(rows))
    values = [{"start": r.way, "images_a_class": r.per_class, "accuracies": r.accuracies}
              for r in rows]  # fmt: skip
    (output / "accuracies.json").write_text(json.dumps(values, indent=1) + "\n")
    draw(rows, output)
    trained = sum(r.measured.seconds + r.measured.evaluation_seconds
                  for r in records.values() if r.measured)  # fmt: skip
    print(table(rows))
    print(f"{len(records)} runs, {trained:.0f} s of processes' time after pre-training; "
          f"{time.monotonic() - began:.0f} s in all")  # fmt: skip


def choose(folder: str, work: Path) -> None:
    """Accuracy on the held-out images for learning rates and layer decays, at 50 a class."""
    weights = str(pretrained(folder, work))
    ways = {}
    for rate in (5e-4, 2e-3, 8e-3):
        ways[f"from scratch, {rate:g}"] = Way(
            SCRATCH.changed({"learning_rate": rate}), has_weights=False
        )
    for rate in (2e-3, 8e-3, 3.2e-2):
        frozen = {"trainable": "head", "learning_rate": rate}
        ways[f"frozen, {rate:g}"] = Way(FINETUNING.changed(frozen))
    for rate, decay in product((2e-3, 8e-3), (0.6, 0.8, 1.0)):
        tuned = {"learning_rate": rate, "layer_decay": decay}
        ways[f"fine-tuned, {rate:g}, decay {decay}"] = Way(FINETUNING.changed(tuned))
    tasks = [Task(folder, weights, way, 50, seed, choosing=True)
             for way, seed in product(ways.values(), CHOOSING)]  # fmt: skip
    records = records_of(tasks, work / "choosing.study")
    for name, way in ways.items():
        found = 100 * accuracies(records, way, 50)
        print(f"{name:40} {found.mean():5.1f}  {', '.join(f'{v:.1f}' for v in found)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help=f"the folder of {NAME}")
    parser.add_argument("--output", type=Path, default=Path("docs/finetuning"))
    parser.add_argument("--work", type=Path, default=Path("runs/finetuning"), help="study file")
    parser.add_argument("--choose", action="store_true", help="compare learning rates instead")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if options.choose:
        choose(options.data, options.work)
    else:
        study(options.data, options.work, options.output)


if __name__ == "__main__":
    main()
