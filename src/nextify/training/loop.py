"""Training one run: from a run and its data to a record."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.data import Dataset, ImageFiles, Images, as_named, batches, permuted
from nextify.data.augment import Augment, Mix
from nextify.designs import Recipe, Run
from nextify.designs.run import require_single, same_images
from nextify.errors import InputError
from nextify.machine.facts import environment
from nextify.machine.limits import cores
from nextify.machine.use import forget_peak, peak
from nextify.records import EpochPoint, Measured, Record, Result
from nextify.training.evaluate import Scores, curve_images, evaluate
from nextify.training.initial import InitialWeights, as_seen
from nextify.training.machine import default_device, deterministic, keep_freed_memory
from nextify.training.optimizer import clip_gradient, set_learning_rate
from nextify.training.schedule import learning_rate_at
from nextify.training.state import State, restore, save, start

# How often the loss is looked at: each look makes a GPU wait for it.
CHECK_EVERY = 50


OnProgress = Callable[[int, int], None]
"""Called with the number of epochs, or of steps, that are done and of all."""
OnEpoch = Callable[[EpochPoint, int], None]
"""Called with an epoch that has ended and the number of all."""


class Diverged(Exception):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class Settings:
    """How a run is carried out: nothing here changes what it computes.

    Attributes:
        device: where the network trains. workers: processes that decode streamed images.
        checkpoint: file to write after each epoch and to go on from; None for none.
        on_start: called before the first step, when nothing is left to be refused.
        on_epoch, on_step: called after each of them.
        on_best: called with the state whenever the accuracy on the validation images, if there are
            some, is the best so far: the test images choose nothing.
    """

    device: str = "cpu"
    workers: int = 0
    checkpoint: Path | None = None
    on_start: Callable[[], None] | None = None
    on_epoch: OnEpoch | None = None
    on_step: OnProgress | None = None
    on_best: Callable[[State], None] | None = None


def train(
    run: Run,
    dataset: Dataset,
    on_progress: OnProgress | None = None,
    weights: InitialWeights | None = None,
) -> Record:
    """Train a run and record what happened; what a study's workers call.

    `weights` are those that the run names as `initial`, if it starts from any.

    >>> from nextify.data import load
    >>> from nextify.designs import design, recipe
    >>> images = load("embedded", train_limit=64)
    >>> run = Run(design=design("convnext-mini"), data=images.identity(),
    ...           recipe=recipe("modern-small", epochs=1))
    >>> train(run, images).outcome
    'finished'
    """
    return train_with_network(run, dataset, told_by_epoch(dataset, on_progress), weights)[0]


def train_for_probes(
    run: Run, dataset: Dataset, on_progress: OnProgress | None = None
) -> tuple[Record, State]:
    """As `train`, with the state that the network is in."""
    return train_with_network(run, dataset, told_by_epoch(dataset, on_progress))


def told_by_epoch(dataset: Dataset, on_progress: OnProgress | None) -> Settings:
    """Settings that suit the machine, with `on_progress` called after each epoch."""
    settings = settings_on(None, dataset)
    if on_progress is None:
        return settings
    return replace(settings, on_epoch=lambda point, epochs: on_progress(point.epoch, epochs))


def settings_on(device: str | None, dataset: Dataset, loaders: int | None = None) -> Settings:
    """Settings for a device and so many processes that decode; None for what suits the machine.

    Images in memory need no process. Streamed ones get none on a CPU, whose cores train, and a
    GPU's share of the cores (at most 8) on a GPU.
    """
    chosen = device or default_device()
    if loaders is None:
        on_gpu = torch.device(chosen).type == "cuda"
        share = cores() // max(1, torch.cuda.device_count())
        loaders = max(1, min(8, share)) if dataset.is_streamed and on_gpu else 0
    return Settings(chosen, loaders)


def train_with_network(
    run: Run, dataset: Dataset, settings: Settings, weights: InitialWeights | None = None
) -> tuple[Record, State]:
    """Train a run; the record, and the final state with the trained network.

    A loss that is not finite ends the run with the outcome `diverged`.

    Raises:
        InputError: the data or the weights are not the run's, a batch is larger than the data,
            or a checkpoint cannot be read or written.
    """
    dataset = as_named(dataset, run.data)
    if not same_images(run.data, dataset.identity()):
        raise InputError(f"data set {dataset.name!r} is not the one that the run names; load it "
                         "with the same arguments")  # fmt: skip
    keep_freed_memory()
    forget_peak(settings.device)
    require_single(run)
    with deterministic(settings.device):
        state = start(run, dataset, settings.device, weights)
        if settings.checkpoint is not None and settings.checkpoint.exists():
            restore(state, run, settings.checkpoint)
        if settings.on_start is not None:
            settings.on_start()
        seen = as_seen(dataset, run).to(settings.device)
        found = _carried_out(state, run, seen, settings)
        return _record(run, state, settings, found), state


def _carried_out(state: State, run: Run, dataset: Dataset, settings: Settings) -> Scores | str:
    """Train to the end; the scores, or in what way the run diverged."""
    try:
        _epochs(state, run, dataset, settings)
    except Diverged as error:
        return str(error)
    scores = _evaluate(state, run, dataset, dataset.test, settings)
    return scores if math.isfinite(scores.nll) else "the loss on the test images is not finite"


def _epochs(state: State, run: Run, dataset: Dataset, settings: Settings) -> None:
    """Train from where the state stands to the last epoch."""
    watched = curve_images(dataset.watched)
    images = len(watched)
    while state.epoch < run.recipe.epochs:
        began = time.perf_counter()
        loss = _epoch(state, run, dataset, settings)
        state.seconds += time.perf_counter() - began
        accuracy = _evaluate(state, run, dataset, watched, settings).accuracy
        state.epoch += 1
        rate = learning_rate_at(run.recipe, state.step - 1, state.steps_per_epoch)
        point = EpochPoint(
            epoch=state.epoch, learning_rate=rate, train_loss=loss, accuracy=accuracy, images=images
        )
        state.curve.append(point)
        if accuracy > state.best_accuracy:
            state.best_accuracy = accuracy
            if settings.on_best is not None and dataset.validation is not None:
                settings.on_best(state)
        if settings.checkpoint is not None:
            save(state, run, settings.checkpoint)
        if settings.on_epoch is not None:
            settings.on_epoch(point, run.recipe.epochs)


def _epoch(state: State, run: Run, dataset: Dataset, settings: Settings) -> float:
    """One pass over the training images; the mean loss."""
    losses = []
    for images, targets in training_batches(state, run, dataset, settings):
        losses.append(update(state, run, images, targets))
        if len(losses) % CHECK_EVERY == 0:
            _require_finite(losses[-CHECK_EVERY:], state.step)
        if settings.on_step is not None:
            settings.on_step(state.step, run.recipe.epochs * state.steps_per_epoch)
    return _require_finite(losses, state.step)


def training_batches(
    state: State, run: Run, dataset: Dataset, settings: Settings
) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches: augmented images (B, C, S, S) and soft targets (B, classes)."""
    recipe = run.recipe
    augment = augmentation(recipe, dataset)
    mix = Mix(recipe.mixup, recipe.cutmix, recipe.label_smoothing, len(dataset.classes))
    for pixels, labels in batches(
        dataset.train,
        recipe.batch_size,
        generator=state.generators["order"],
        device=settings.device,
        workers=settings.workers,
        drop_last=True,
    ):
        images = augment(pixels, state.generators["augment"])
        mixed, targets = mix(images, labels, state.generators["mix"])
        yield permuted(mixed, dataset.origin.permuted), targets


def update(state: State, run: Run, images: Tensor, targets: Tensor) -> Tensor:
    """One optimiser step on a batch of images with soft targets; the loss, still on the device."""
    recipe = run.recipe
    set_learning_rate(state.optimizer, learning_rate_at(recipe, state.step, state.steps_per_epoch))
    with torch.autocast(images.device.type, torch.bfloat16, enabled=run.precision == "bfloat16"):
        loss = F.cross_entropy(state.network(images), targets)
    loss.backward()  # type: ignore[no-untyped-call]
    clip_gradient(state.network.parameters(), recipe.gradient_clip)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if state.average is not None:
        state.average.update(state.network)
    state.step += 1
    return loss.detach()


def _require_finite(losses: list[Tensor], step: int) -> float:
    """The mean loss, or `Diverged`."""
    mean = torch.stack(losses).double().mean().item()
    if not math.isfinite(mean):
        raise Diverged(f"the training loss was not finite by step {step}")
    return mean


def augmentation(recipe: Recipe, dataset: Dataset) -> Augment:
    """The recipe's augmentation for a data set. Streamed images come already cropped."""
    streamed = isinstance(dataset.train, ImageFiles)
    return Augment(
        image_size=dataset.image_size,
        crop="none" if streamed else recipe.crop,
        flip=recipe.flip,
        randaugment_magnitude=recipe.randaugment,
        randaugment_probability=recipe.randaugment_probability,
        erasing=recipe.random_erasing,
        mean=dataset.mean,
        std=dataset.std,
    )


def _evaluate(
    state: State, run: Run, dataset: Dataset, images: Images | ImageFiles, settings: Settings
) -> Scores:
    began = time.perf_counter()
    device, workers = settings.device, settings.workers
    scores = evaluate(
        state.judged, dataset, images, device=device, precision=run.precision, workers=workers
    )
    state.evaluation_seconds += time.perf_counter() - began
    return scores


def _record(run: Run, state: State, settings: Settings, found: Scores | str) -> Record:
    curve, result = tuple(state.curve), None
    if isinstance(found, Scores):
        correct, steps = found.packed, state.step
        names = ("accuracy", "nll", "calibration_error", "answered")
        scores = {name: getattr(found, name) for name in names}
        count = len(found.correct)
        result = Result(**scores, images=count, correct=correct, curve=curve, steps=steps)
    trained = state.step * run.recipe.batch_size
    return Record(
        key=run.key,
        run=run.as_dict(),
        outcome="diverged" if result is None else "finished",
        result=result,
        curve=curve,
        measured=Measured(
            seconds=state.seconds,
            evaluation_seconds=state.evaluation_seconds,
            images_per_second=trained / state.seconds if state.seconds else 0.0,
            peak_memory=peak(settings.device),
        ),
        environment=environment(settings.device),
        message=found if isinstance(found, str) else "",
    )
