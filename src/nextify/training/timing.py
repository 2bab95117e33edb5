"""How long a run will take, from a few of its steps."""

import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from statistics import median

import torch

from nextify.data import Dataset, as_named
from nextify.designs import Run
from nextify.machine.clock import taken
from nextify.training.evaluate import curve_images, evaluate
from nextify.training.initial import InitialWeights
from nextify.training.loop import Settings, settings_on, step_of, training_batches
from nextify.training.machine import keep_freed_memory
from nextify.training.state import State, start

EVALUATED = 200  # test images


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is timed, so that one knows before how long that may take.

    Attributes:
        warmup: steps that are not counted. steps: those whose median is taken.
        images: at most, in a step and in the evaluation; of more, the time is in proportion.
        seconds: after which no further step begins.
    """

    warmup: int
    steps: int
    images: int
    seconds: float


def time_run(
    run: Run,
    dataset: Dataset,
    allowed: Allowance,
    *,
    weights: InitialWeights | None = None,
    device: str | None = None,
) -> float:
    """Seconds that a run would take on a device: its steps, and its evaluations."""
    dataset = as_named(dataset, run.data)
    settings = settings_on(device, dataset)
    keep_freed_memory()
    state = start(run, dataset, settings.device, weights)
    seconds = median(_step_seconds(state, run, dataset, settings, allowed))
    an_image = _evaluation_seconds(state, run, dataset, settings.device, allowed)
    seen = run.recipe.epochs * len(curve_images(dataset.watched)) + len(dataset.test)
    return run.recipe.epochs * state.steps_per_epoch * seconds + seen * an_image


def _evaluation_seconds(
    state: State, run: Run, dataset: Dataset, device: str, allowed: Allowance
) -> float:
    """Of one image."""
    few = dataset.test.take(torch.arange(min(EVALUATED, allowed.images, len(dataset.test))))
    judge = partial(evaluate, state.judged, dataset, few, device=device, precision=run.precision)
    return taken(judge).wall / len(few)


def _step_seconds(
    state: State, run: Run, dataset: Dataset, settings: Settings, allowed: Allowance
) -> list[float]:
    times: list[float] = []
    first = began = time.perf_counter()
    found = training_batches(state, run, dataset, settings)
    step = step_of(state, run, dataset, settings)
    for images, targets in islice(found, allowed.warmup + allowed.steps):
        there = time.perf_counter()
        few = images[: _of_equal_parts(allowed.images, run.recipe.accumulate)]
        step(few, targets[: len(few)]).item()  # waits for the device
        state.step += 1
        now = time.perf_counter()
        times.append(there - began + (now - there) * len(images) / len(few))
        if now - first > allowed.seconds:
            break
        began = now
    return times[allowed.warmup :] or times


def _of_equal_parts(images: int, parts: int) -> int:
    """The most images, of so many, that make equal parts of a batch, as a whole one does."""
    return max(images // parts, 1) * parts
