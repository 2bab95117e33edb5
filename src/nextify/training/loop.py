"""Training one run: from a run and its data to a record."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.data import Dataset, ImageFiles, Images, as_named, class_weights
from nextify.designs import Recipe, Run
from nextify.designs.run import require_single, same_images
from nextify.errors import InputError
from nextify.machine.facts import environment
from nextify.machine.use import forget_peak, peak
from nextify.network.modules import PartOfDraws
from nextify.network.summed import summed_batch_norms
from nextify.records import EpochPoint, Measured, Record, Result
from nextify.training.ema import measure_norms
from nextify.training.evaluate import Answers, Scores, answers_of, curve_images, evaluate
from nextify.training.feed import fed
from nextify.training.initial import InitialWeights, as_seen
from nextify.training.logs import Log
from nextify.training.machine import (
    current_card,
    default_device,
    deterministic,
    keep_freed_memory,
    loaders_for,
)
from nextify.training.memory import held
from nextify.training.optimizer import clip_gradient
from nextify.training.schedule import learning_rate_at
from nextify.training.state import State, generator_for, restore, save, start
from nextify.training.step import Captured, Eager, Step, Update
from nextify.training.sums import SummedGradients
from nextify.training.world import ALONE, World

CHECK_EVERY = 50  # steps after which the losses are looked at


OnProgress = Callable[[int, int], None]
"""Called with the number of epochs, or of steps, that are done and of all."""
OnEpoch = Callable[[EpochPoint, int], None]
"""Called with an epoch that has ended and the number of all."""


class Diverged(Exception):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class Settings:
    """How a run is carried out: nothing here changes what it computes, but by rounding on a GPU,
    where a captured step has its learning rate in float32 and draws its stochastic depth at once.

    Attributes:
        device: where the network trains. workers: processes that decode streamed images.
        checkpoint: file to write after each epoch and to go on from; None for none.
        checkpoint_steps: it is written after every so many steps, too.
        on_start: called before the first step, when nothing is left to be refused.
        on_epoch, on_step: called after each of them.
        on_best: called with the state whenever the accuracy on the validation images, if there are
            some, is the best so far: the test images choose nothing.
        captured: whether a step is captured once and replayed, where one process carries the run
            out; None: on a GPU.
        log: takes each epoch before its checkpoint is written.
        deterministic: whether the same run gives the same bits on the same GPU, for which some
            operators are slower.
        world: of the processes that carry it out together; the first writes all files.
    """

    device: str = "cpu"
    workers: int = 0
    checkpoint: Path | None = None
    checkpoint_steps: int | None = None
    on_start: Callable[[], None] | None = None
    on_epoch: OnEpoch | None = None
    on_step: OnProgress | None = None
    on_best: Callable[[State], None] | None = None
    captured: bool | None = None
    log: Log | None = None
    deterministic: bool = True
    world: World = ALONE


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
    run: Run,
    dataset: Dataset,
    on_progress: OnProgress | None = None,
    weights: InitialWeights | None = None,
) -> tuple[Record, State]:
    """As `train`, with the state that the network is in."""
    return train_with_network(run, dataset, told_by_epoch(dataset, on_progress), weights)


def told_by_epoch(dataset: Dataset, on_progress: OnProgress | None) -> Settings:
    """Settings that suit the machine, with `on_progress` called after each epoch."""
    settings = settings_on(None, dataset)
    if on_progress is None:
        return settings
    return replace(settings, on_epoch=lambda point, epochs: on_progress(point.epoch, epochs))


def settings_on(device: str | None, dataset: Dataset, loaders: int | None = None) -> Settings:
    """Settings for a device and so many processes that decode; None for what suits the machine.

    Images in memory need no process. Streamed ones get none on a CPU, whose cores train, and
    `loaders_for` a GPU.
    """
    chosen = device or default_device()
    if loaders is None:
        on_gpu = torch.device(chosen).type == "cuda"
        loaders = loaders_for(chosen) if dataset.is_streamed and on_gpu else 0
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
    dataset = the_runs_own(dataset, run)
    keep_freed_memory()
    forget_peak(settings.device)
    require_single(run)
    device = settings.device
    with current_card(device), deterministic(device, settings.deterministic):
        state = start(run, dataset, device, weights)
        _join(state, run, dataset, settings)
        if settings.checkpoint is not None:
            restore(state, run, settings.checkpoint, settings.world)
        if settings.log is not None:
            settings.log.begin(state.curve)
        if settings.on_start is not None:
            settings.on_start()
        seen = held(as_seen(dataset, run), device)
        found = _carried_out(state, run, seen, settings)
        return record_of(run, state, settings, found), state


def _join(state: State, run: Run, dataset: Dataset, settings: Settings) -> None:
    """Let a fresh state be one that several processes train together."""
    world, size = settings.world, run.recipe.part_size
    world.by_all(lambda: require_parts(run, dataset, settings))
    if world.size > 1:
        world.make_equal(state.tensors)
        summed_batch_norms(state.network, settings.device)
        drop = PartOfDraws(state.generators["drop"], size, world.part(size))
        state.network.use_generator(drop)
        state.processes = [world.size]


def require_parts(run: Run, dataset: Dataset, settings: Settings) -> None:
    """Check that as many processes as there are can carry out a run. Raises `InputError`."""
    processes, size = settings.world.size, run.recipe.part_size
    if run.processes != processes:
        raise InputError(f"the run is one of {run.processes} processes, and here are {processes}; "
                         "start it with `torchrun ... -m nextify train`")  # fmt: skip
    if processes == 1:
        return
    scored = min(len(dataset.watched), len(dataset.test))
    of_batch = f"batches of {size} images, of which each takes at least two"
    for what, most in ((of_batch, size // 2), (f"{scored} images to score on", scored)):
        if most < processes:
            raise InputError(f"{processes} processes are too many for {what}; start at most {most}")


def the_runs_own(dataset: Dataset, run: Run) -> Dataset:
    """The data set, by the name that the run has for it.

    Raises:
        InputError: it is another one.
    """
    dataset = as_named(dataset, run.data)
    if not same_images(run.data, dataset.identity()):
        raise InputError(f"data set {dataset.name!r} is not the one that the run names; load it "
                         "with the same arguments")  # fmt: skip
    return dataset


def _carried_out(state: State, run: Run, dataset: Dataset, settings: Settings) -> Scores | str:
    """Train to the end; the scores, or in what way the run diverged."""
    replayed = is_captured(settings)
    answers = answers_of(state.judged, dataset, run.precision, replayed=replayed)
    try:
        _epochs(state, answers, run, dataset, settings)
    except Diverged as error:
        return str(error)
    return scored_or_lost(_evaluate(state, answers, dataset, dataset.test, settings))


def scored_or_lost(scores: Scores) -> Scores | str:
    """The scores, or that they are those of a run that diverged."""
    return scores if math.isfinite(scores.nll) else "the loss on the test images is not finite"


def _epochs(state: State, answers: Answers, run: Run, dataset: Dataset, settings: Settings) -> None:
    """Train from where the state stands to the last epoch, or to the end of a run's patience."""
    watched = curve_images(dataset.watched)
    images = len(watched)
    step = step_of(state, run, dataset, settings)  # of what a checkpoint has restored
    while state.epoch < run.recipe.epochs and not is_out_of_patience(state.curve, run.recipe):
        seconds, steps = state.seconds, state.step
        loss = _epoch(state, step, run, dataset, settings)
        if state.of_epochs is not None:
            _average_epochs(state, run, dataset, settings)
            state.count_seconds()
        rate = (state.step - steps) * run.recipe.batch_size / (state.seconds - seconds)
        accuracy = _evaluate(state, answers, dataset, watched, settings).accuracy
        state.end_epoch()
        point = add_point(state, run.recipe, loss, accuracy, images)
        if accuracy > state.best_accuracy:
            state.best_accuracy = accuracy
            keeps = dataset.validation is not None and settings.world.is_first
            if settings.on_best is not None and keeps:
                settings.on_best(state)
        if settings.log is not None:
            settings.log.add(point, rate)
        _save(state, run, settings)
        if settings.on_epoch is not None:
            settings.on_epoch(point, run.recipe.epochs)


def is_out_of_patience(curve: Sequence[EpochPoint], recipe: Recipe) -> bool:
    """Whether the last `Recipe.patience` epochs were not better than the best before them."""
    best = max(range(len(curve)), key=lambda at: curve[at].accuracy or 0.0, default=0)  # the first
    return 0 < recipe.patience < len(curve) - best


def _average_epochs(state: State, run: Run, dataset: Dataset, settings: Settings) -> None:
    """Take an epoch that has ended into the average of epochs. Batch-norm statistics that belong to
    the mean weights are those of a pass over the training images, augmented by draws of its own."""
    average, epoch = state.of_epochs, state.epoch + 1
    assert average is not None
    average.take(state.network, epoch)
    if epoch <= average.first:  # the weights are the last ones, and so are the statistics
        return
    names = (f"{name} of the average after {epoch}" for name in ("order", "augment", "mix"))
    own = {name.split()[0]: generator_for(run.seed, name) for name in names}
    device, workers = settings.device, settings.workers
    seen = fed(dataset, run.recipe, own, device=device, workers=workers)
    parts = (part for images, _ in seen for part in torch.split(images, run.recipe.part_size))
    with autocast_of(run, torch.device(device)):
        measure_norms(average.network, state.network, parts)


def _save(state: State, run: Run, settings: Settings) -> None:
    if settings.checkpoint is not None and settings.world.is_first:
        save(state, run, settings.checkpoint)


def add_point(
    state: State, recipe: Recipe, loss: float, accuracy: float, images: int
) -> EpochPoint:
    """The point of an epoch that has ended, which the curve gets."""
    rate = learning_rate_at(recipe, state.step - 1, state.steps_per_epoch)
    point = EpochPoint(
        epoch=state.epoch, learning_rate=rate, train_loss=loss, accuracy=accuracy, images=images
    )
    state.curve.append(point)
    return point


def _epoch(state: State, step: Step, run: Run, dataset: Dataset, settings: Settings) -> float:
    """One pass over the training images; the mean loss."""
    done, losses = state.begin_epoch(), state.losses
    looks: deque[Look] = deque()
    for images, targets in training_batches(state, run, dataset, settings, skip=done):
        losses.append(step(images, targets))
        state.step += 1
        if len(losses) % CHECK_EVERY == 0:
            looks.append(Look(losses[-CHECK_EVERY:], state.step))
            if len(looks) > looks[0].is_coming:
                _require_finite(looks.popleft())
        if settings.on_step is not None:
            settings.on_step(state.step, run.recipe.epochs * state.steps_per_epoch)
        if _is_due(state, settings):
            state.count_seconds()
            _save(state, run, settings)
    for look in looks:
        _require_finite(look)
    mean = _require_finite(Look(losses, state.step))
    state.count_seconds()
    return mean


def _is_due(state: State, settings: Settings) -> bool:
    """Whether a checkpoint is to be written after this step; after an epoch there is one anyway."""
    every, within = settings.checkpoint_steps, state.step % state.steps_per_epoch > 0
    return every is not None and within and state.step % every == 0


def training_batches(
    state: State, run: Run, dataset: Dataset, settings: Settings, skip: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches, without the first: augmented images (B, C, S, S) and soft targets
    (B, classes); of a world of processes, this one's part of them."""
    world, device, workers = settings.world, settings.device, settings.workers
    recipe = run.recipe
    part = None if world.size == 1 else world.part(recipe.batch_size, recipe.accumulate)
    of = dataset, recipe, state.generators
    return fed(*of, device=device, workers=workers, part=part, skip=skip)


def step_of(state: State, run: Run, dataset: Dataset, settings: Settings) -> Step:
    """The step of a run, from where its state stands; `state.step` counts them, and is counted up
    by who takes them. It lives no longer than the state is trained."""
    recipe = run.recipe
    weights = weights_of(recipe, dataset, settings)
    update = Update(
        network=state.network,
        optimizer=state.optimizer,
        average=state.average,
        loss_of=partial(loss_of, state.network, run, weights=weights),
        rate=lambda: learning_rate_at(recipe, state.step, state.steps_per_epoch),
        clip=lambda: clip_gradient(state.network.parameters(), recipe.gradient_clip),
        generators=[state.generators["drop"]],
        draw_from=lambda sources: state.network.use_generator(sources[0]),
        parts=recipe.accumulate,
    )
    if settings.world.size == 1:
        return step_by(update, settings)
    gradients = SummedGradients(state.network.parameters(), passes=recipe.accumulate)
    part = len(settings.world.part(recipe.part_size)) / recipe.part_size

    def clip() -> None:
        gradients.wait()
        update.clip()

    summed = replace(update, clip=clip, loss_of=lambda *batch: update.loss_of(*batch) * part)
    own = Eager(summed)
    return lambda images, targets: settings.world.total(own(images, targets))


def step_by(update: Update, settings: Settings) -> Step:
    """The step of an update, carried out as the settings say."""
    if not is_captured(settings):
        return Eager(update)
    return Captured(update, graph=torch.device(settings.device).type == "cuda")


def is_captured(settings: Settings) -> bool:
    """Whether steps, and answers to whole batches, are captured once and replayed: not those of
    several processes, which wait for one another."""
    if settings.world.size > 1:
        return False
    if settings.captured is None:
        return torch.device(settings.device).type == "cuda"
    return settings.captured


def weights_of(recipe: Recipe, dataset: Dataset, settings: Settings) -> Tensor | None:
    """Of the classes (classes,), where the recipe balances them in the loss: an image's weight is
    their mean by its target. Smoothing, which gives every target a share of all classes, is taken
    out of them: an image of one class has its weight, and a mixed one the mean by what is mixed."""
    if recipe.balance != "loss":
        return None
    weights = class_weights(dataset.train.labels.cpu(), len(dataset.classes))
    smoothing = recipe.label_smoothing
    return ((weights - smoothing * weights.mean()) / (1 - smoothing)).to(settings.device)


def loss_of(
    network: nn.Module, run: Run, images: Tensor, targets: Tensor, weights: Tensor | None = None
) -> Tensor:
    """The training loss on a batch of images with soft targets, in the run's precision: the mean
    over the images, each with its weight where there are some (`weights_of`).

    It is not divided by the sum of the weights that a batch has drawn, as torch's
    `CrossEntropyLoss(weight)` does: so the mean over batches is that over all images, in however
    many parts they come. Nor are weights those of a target's classes one by one, as torch has them
    with smoothed labels: then the share that smoothing gives to a rare class weighs as much as the
    label of a large one, and images of large classes are trained to be answered with rare ones.
    """
    with autocast_of(run, images.device):
        if weights is None:
            return F.cross_entropy(network(images), targets)
        each = F.cross_entropy(network(images), targets, reduction="none")
        return (each * image_weights(targets, weights)).mean()


def image_weights(targets: Tensor, weights: Tensor) -> Tensor:
    """The weight of each image in the loss, (N,), by its target (N, classes)."""
    return (targets * weights).sum(1)


def autocast_of(run: Run, device: torch.device) -> torch.autocast:
    """Inside, a network there computes in the run's precision."""
    narrow = run.precision == "bfloat16"
    # Every weight is used once: nothing to keep, and what is kept would belong to a graph.
    return torch.autocast(device.type, torch.bfloat16, narrow, cache_enabled=False)


class Look:
    """The means of the losses of some steps, on their way here. To ask a GPU for them at once is to
    wait for every step that it has been given, and to leave it without any in the meantime: ask a
    while later.

    Args:
        losses: each of shape (), or (S,) of a stack's copies.
    """

    def __init__(self, losses: list[Tensor], step: int) -> None:
        means = torch.stack(losses).double().mean(0).view(-1)
        self.is_coming, self.step = means.is_cuda, step
        self._means = torch.empty_like(means, device="cpu", pin_memory=means.is_cuda)
        self._means.copy_(means, non_blocking=True)
        self._there = torch.cuda.Event() if means.is_cuda else None  # type: ignore[no-untyped-call]
        if self._there is not None:
            # By itself it would stand in the current card's stream, which may be another's.
            self._there.record(torch.cuda.current_stream(means.device))

    def means(self) -> list[float]:
        """The mean loss of each copy."""
        if self._there is not None:
            self._there.synchronize()
        found: list[float] = self._means.tolist()
        return found


def lost_by(step: int) -> str:
    """In what way a run diverged."""
    return f"the training loss was not finite by step {step}"


def _require_finite(look: Look) -> float:
    """The mean loss, or `Diverged`."""
    mean = look.means()[0]
    if not math.isfinite(mean):
        raise Diverged(lost_by(look.step))
    return mean


def _evaluate(
    state: State,
    answers: Answers,
    dataset: Dataset,
    images: Images | ImageFiles,
    settings: Settings,
) -> Scores:
    began = time.perf_counter()
    device, workers = settings.device, settings.workers
    scores = evaluate(
        state.judged, dataset, images, device=device, workers=workers, answers=answers,
        world=settings.world,
    )  # fmt: skip
    state.evaluation_seconds += time.perf_counter() - began
    return scores


def record_of(run: Run, state: State, settings: Settings, found: Scores | str) -> Record:
    """What happened in a run that ended in this state, with these scores or by diverging so."""
    curve, result = tuple(state.curve), None
    if isinstance(found, Scores):
        correct, steps = found.packed, state.step
        names = ("accuracy", "nll", "calibration_error", "answered", "per_class")
        scores = {name: getattr(found, name) for name in names}
        count = len(found.correct)
        result = Result(**scores, images=count, correct=correct, curve=curve, steps=steps)
    message = found if isinstance(found, str) else ""
    if result is not None and len(curve) < run.recipe.epochs:
        best = max(curve, key=lambda point: point.accuracy or 0.0).epoch
        message = (
            f"ended early, after epoch {len(curve)} of {run.recipe.epochs}: none was better on the "
            f"validation images than epoch {best}"
        )
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
        environment=environment(settings.device) | _carried_out_by(state),
        message=message,
    )


def _carried_out_by(state: State) -> dict[str, list[int]]:
    """How many processes a run had, one number after another; nothing for the usual one."""
    return {} if state.processes == [1] else {"processes": state.processes}
