"""Training small networks: a step in a graph beside an eager one, seeds in a stack beside runs.

Both ends of the small path, on 10,000 images of 32 pixels, batches of 64, in bfloat16 on a GPU.
All through `train_with_network` and `train_stack`, the loops of `nextify train` and of a study:
with augmentation, with the average of the weights and with the curve's 1,000 test images after an
epoch.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from gpu_rows import Given, NotThere, Row, ratios, row, timed

from nextify.data import Dataset, load
from nextify.designs import Run, design, recipe
from nextify.records import Record
from nextify.training import Settings, train_with_network

DESIGNS = ("resnet-small", "convnext-mini")
SEEDS = 8


def measure_steps(given: Given) -> Iterator[Row]:
    """Images a second of whole epochs, and the seconds before the first one is at full speed."""
    images = load(**given.images)
    for name in DESIGNS:
        rates: dict[str, list[float]] = {}
        for how in ("eager", "captured"):
            run = run_of(given, images, name, 0, epochs=2 if given.smoke else 7)
            seconds, record = epochs_of(run, images, settings_of(given, how))
            first, *others = seconds
            rates[how] = [len(images.train) / one for one in others]
            yield row(f"{name}, {how}", "images/s", rates[how], about="an epoch each, with its "
                      f"curve; test accuracy {record.result.accuracy:.4f}")  # fmt: skip
            start = first - min(others)
            yield row(f"{name}, {how}: longer first epoch", "s", start)
        median_first = ratios(rates["captured"], rates["eager"])
        yield row(f"{name}: captured over eager", "times", median_first)


def measure_stacks(given: Given) -> Iterator[Row]:
    """Eight seeds at once beside eight captured runs one after another, from start to end."""
    images = load(**given.images)
    count = 2 if given.smoke else SEEDS
    for name in DESIGNS:
        runs = [run_of(given, images, name, seed, epochs=1 if given.smoke else 6)
                for seed in range(count)]  # fmt: skip
        warm_up = [replace(one, recipe=replace(one.recipe, epochs=1, warmup_epochs=0.0))
                   for one in runs]  # fmt: skip
        if not given.smoke:
            stacked(given, warm_up, images)
            train_with_network(warm_up[0], images, settings_of(given, "captured"))
        trained = sum(one.recipe.epochs * len(images.train) for one in runs)
        with timed() as together:
            records = stacked(given, runs, images)
        yield row(f"{name}, stack of {count}", "images/s", trained / together[0],
                  about=f"accuracies {accuracies(records)}")  # fmt: skip
        with timed() as alone:
            one_by_one = [train_with_network(one, images, settings_of(given, "captured"))[0]
                          for one in runs]  # fmt: skip
        yield row(f"{name}, {count} captured runs", "images/s", trained / alone[0],
                  about=f"one after another; accuracies {accuracies(one_by_one)}")  # fmt: skip
        yield row(f"{name}: stack over captured runs", "times", alone[0] / together[0],
                  at_least=3.0, about="seconds from start to end")  # fmt: skip


def run_of(given: Given, images: Dataset, name: str, seed: int, **fields: Any) -> Run:
    """A run of a design under the small path's recipe."""
    how = "modern-small" if name.startswith("convnext") else "classic-small"
    precision: Any = "bfloat16" if given.device == "cuda" else "float32"
    return Run(design=design(name), recipe=recipe(how, **fields), data=images.identity(), seed=seed,
               precision=precision)  # fmt: skip


def settings_of(given: Given, how: str) -> Settings:
    """Settings for an eager step, or for a captured one."""
    try:
        return Settings(given.device, captured=how == "captured")  # type: ignore[call-arg]
    except TypeError as error:
        if how == "eager":
            return Settings(given.device)
        raise NotThere("a captured step") from error


def stacked(given: Given, runs: Sequence[Run], images: Dataset) -> list[Record]:
    """Train runs of which only the seeds differ as one stack."""
    try:
        from nextify.training.stacked import train_stack
    except ImportError as error:
        raise NotThere("training in stacks") from error
    found: list[tuple[Record, Any]] = train_stack(runs, images, settings_of(given, "captured"))
    return [record for record, _ in found]


def epochs_of(run: Run, images: Dataset, settings: Settings) -> tuple[list[float], Record]:
    """Seconds of each epoch, from the first step on, and the record."""
    marks: list[float] = []
    told = replace(
        settings,
        on_start=lambda: marks.append(time.perf_counter()),
        on_epoch=lambda *_: marks.append(time.perf_counter()),
    )
    record, _ = train_with_network(run, images, told)
    return [after - before for before, after in pairwise(marks)], record


def accuracies(records: Sequence[Record]) -> str:
    """Of all that finished."""
    found = [one.result.accuracy for one in records if one.result is not None]
    return ", ".join(f"{accuracy:.4f}" for accuracy in found)
