"""How long a run will take, from a few of its steps."""

import time
from itertools import islice
from statistics import median

import torch

from nextify.data import Dataset, as_named
from nextify.designs import Run
from nextify.training.evaluate import curve_images, evaluate
from nextify.training.loop import Settings, default_loaders, training_batches, update
from nextify.training.machine import default_device, keep_freed_memory
from nextify.training.state import State, start

EVALUATED = 200  # test images


def time_run(run: Run, dataset: Dataset, *, warmup: int, steps: int) -> float:
    """Seconds that a run would take on the default device: its steps, and its evaluations.

    Args:
        warmup: steps that are not counted. steps: those whose median is taken.
    """
    device = default_device()
    dataset = as_named(dataset, run.data)
    keep_freed_memory()
    state = start(run, dataset, device)
    seconds = median(_step_seconds(state, run, dataset, device, warmup, steps))
    an_image = _evaluation_seconds(state, run, dataset, device)
    seen = run.recipe.epochs * len(curve_images(dataset.test)) + len(dataset.test)
    return run.recipe.epochs * state.steps_per_epoch * seconds + seen * an_image


def _evaluation_seconds(state: State, run: Run, dataset: Dataset, device: str) -> float:
    """Of one image."""
    few = dataset.test.take(torch.arange(min(EVALUATED, len(dataset.test))))
    began = time.perf_counter()
    evaluate(state.judged, dataset, few, device=device, precision=run.precision)
    return (time.perf_counter() - began) / len(few)


def _step_seconds(
    state: State, run: Run, dataset: Dataset, device: str, warmup: int, steps: int
) -> list[float]:
    settings = Settings(device, default_loaders(dataset, device))
    times = []
    began = time.perf_counter()
    found = training_batches(state, run, dataset, settings)
    for images, targets in islice(found, warmup + steps):
        update(state, run, images, targets).item()  # waits for the device
        now = time.perf_counter()
        times.append(now - began)
        began = now
    return times[warmup:] or times
