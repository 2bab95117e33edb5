"""Training runs that differ in their seeds alone as one network: a stack.

Each copy has what its run has: initial weights, order, augmentation, mixing and stochastic depth by
the same draws, its own loss, clipping, average and curve. Sums are taken in another order than in a
single run, so that a stack's records are those of single runs up to rounding, and not to the bit.
"""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.data import Dataset, ImageFiles, Images
from nextify.designs import Design, Recipe, Run
from nextify.errors import InputError
from nextify.machine.use import forget_peak
from nextify.network import Network, copy_of, stack_of
from nextify.network.stack import Stack
from nextify.records import Record
from nextify.training.ema import WeightAverage
from nextify.training.evaluate import Answers, Scores, answers_of, curve_images, evaluate_copies
from nextify.training.feed import fed_to_copies
from nextify.training.loop import (
    CHECK_EVERY,
    Look,
    Settings,
    add_point,
    autocast_of,
    image_weights,
    is_captured,
    lost_by,
    record_of,
    scored_or_lost,
    settings_on,
    step_by,
    the_runs_own,
    weights_of,
)
from nextify.training.machine import current_card, deterministic, keep_freed_memory
from nextify.training.memory import held
from nextify.training.optimizer import clip_copies, make_optimizer
from nextify.training.schedule import learning_rate_at
from nextify.training.state import State, average_of, fresh_generators, fresh_network
from nextify.training.step import Step, Update


def stackable(run: Run) -> str | None:
    """Why a run cannot be one of a stack; None if it can."""
    if not isinstance(run.design, Design):
        return "its design is a transformer"
    if run.initial is not None:
        return "it starts from trained weights"
    if not run.recipe.stacks:
        return "it may end early, or averages its last epochs"
    return None


def train_stack(
    runs: Sequence[Run], dataset: Dataset, settings: Settings | None = None
) -> list[tuple[Record, Network]]:
    """Train runs that are equal but for their seeds at once; of each the record, and the network
    that was judged.

    A record is that of a single run. Its seconds are the stack's divided by the number of copies:
    what a run took of the machine; the peak of memory is the stack's. A copy whose loss is not
    finite has diverged and gets the outcome and the message of a single run; the others go on, and
    not one bit of them is another.

    >>> from nextify.data import load
    >>> from nextify.designs import design, recipe
    >>> images = load("embedded", train_limit=64)
    >>> runs = [Run(design=design("convnext-mini"), data=images.identity(), seed=seed,
    ...             recipe=recipe("modern-small", epochs=1)) for seed in (3, 5)]
    >>> [(record.seed, record.outcome) for record, _ in train_stack(runs, images)]
    [(3, 'finished'), (5, 'finished')]

    Args:
        settings: by default what suits the machine. `on_epoch` is called once for all copies, with
            the point of the first that has not diverged. There are no checkpoints, and no best
            states: `checkpoint` and `on_best` are not used.

    Raises:
        InputError: the runs differ in more than their seeds, or are of a kind that is not stacked;
            as `train_with_network` does.
    """
    _require_alike(runs)
    settings = settings or settings_on(None, dataset)
    dataset = the_runs_own(dataset, runs[0])
    keep_freed_memory()
    forget_peak(settings.device)
    device = settings.device
    with current_card(device), deterministic(device, settings.deterministic):
        stack = _started(runs, dataset, settings)
        if settings.on_start is not None:
            settings.on_start()
        found = _carried_out(stack, held(dataset, device), settings)
        judged = [copy_of(stack.judged, at) for at in range(len(runs))]
        each = zip(runs, stack.states, found, judged, strict=True)
        return [
            (record_of(run, state, settings, scores), network)
            for run, state, scores, network in each
        ]


def _require_alike(runs: Sequence[Run]) -> None:
    if not runs:
        raise InputError("no runs are given; a stack has at least one")
    if (reason := stackable(runs[0])) is not None:
        raise InputError(f"the run cannot be one of a stack: {reason}; train it by itself")
    if any(replace(run, seed=runs[0].seed) != runs[0] for run in runs):
        raise InputError("the runs of a stack differ in more than their seeds; stack those that "
                         "have the same design, recipe, data and precision")  # fmt: skip


@dataclass
class _Stacked:
    """What changes while a stack trains.

    Attributes:
        states: of each copy its own generators, curve and counters; these of one that has diverged
            stand where that was found. Network, optimiser and average are those of the stack.
        lost: in what way copies have diverged.
        step: counts what is done.
    """

    runs: Sequence[Run]
    network: Stack
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    states: list[State]
    lost: dict[int, str] = field(default_factory=dict)
    step: int = 0

    @property
    def recipe(self) -> Recipe:
        """Of all runs."""
        return self.runs[0].recipe

    @property
    def judged(self) -> Stack:
        """The network that is evaluated and kept: the average where there is one."""
        return self.network if self.average is None else self.average.network  # type: ignore[return-value]

    @property
    def living(self) -> list[int]:
        """The copies that have not diverged."""
        return [at for at in range(len(self.runs)) if at not in self.lost]


def _started(runs: Sequence[Run], dataset: Dataset, settings: Settings) -> _Stacked:
    recipe, device = runs[0].recipe, settings.device
    each = [fresh_network(run, dataset, device) for run in runs]
    network = stack_of(each, recipe.stochastic_depth).train()
    steps = len(dataset.train) // recipe.batch_size
    optimizer, average = make_optimizer(network, recipe), average_of(network, recipe, steps)
    generators = [fresh_generators(run, device) for run in runs]
    network.use_generators([own["drop"] for own in generators])
    states = [State(network, optimizer, average, own, steps) for own in generators]
    return _Stacked(runs, network, optimizer, average, states)


def _carried_out(stack: _Stacked, dataset: Dataset, settings: Settings) -> list[Scores | str]:
    """Train to the end; for each copy the scores, or in what way it diverged."""
    watched = curve_images(dataset.watched)
    epochs, copies = stack.recipe.epochs, len(stack.runs)
    replayed, precision = is_captured(settings), stack.runs[0].precision
    answers = answers_of(stack.judged, dataset, precision, copies=copies, replayed=replayed)
    step = step_by(_update(stack, dataset, settings), settings)
    for _ in range(epochs):
        began = time.perf_counter()
        losses = _epoch(stack, step, dataset, settings)
        seconds = time.perf_counter() - began
        if not stack.living:
            return [stack.lost[at] for at in range(copies)]
        scores = _evaluate(stack, answers, watched, settings)
        for at in stack.living:
            state = stack.states[at]
            state.seconds += seconds / copies
            state.epoch += 1
            add_point(state, stack.recipe, losses[at], scores[at].accuracy, len(watched))
        if settings.on_epoch is not None:
            settings.on_epoch(stack.states[stack.living[0]].curve[-1], epochs)
    found = _evaluate(stack, answers, dataset.test, settings)
    return [stack.lost.get(at) or scored_or_lost(scores) for at, scores in enumerate(found)]


def _update(stack: _Stacked, dataset: Dataset, settings: Settings) -> Update:
    """What a step of all copies is made of."""
    recipe, network, per_epoch = stack.recipe, stack.network, stack.states[0].steps_per_epoch
    weights = weights_of(recipe, dataset, settings)

    def loss(images: Tensor, targets: Tensor) -> Tensor:
        with autocast_of(stack.runs[0], images.device):
            return loss_of(network, images, targets, weights)

    return Update(
        network=network,
        optimizer=stack.optimizer,
        average=stack.average,
        loss_of=loss,
        rate=lambda: learning_rate_at(recipe, stack.step, per_epoch),
        clip=lambda: clip_copies(network.parameters(), recipe.gradient_clip, network.copies),
        generators=[state.generators["drop"] for state in stack.states],
        draw_from=network.use_generators,
        parts=recipe.accumulate,
    )


def loss_of(
    network: Stack, images: Tensor, targets: Tensor, weights: Tensor | None = None
) -> Tensor:
    """The loss of each copy (S,), on images (B, S 3, H, W) with soft targets (B, S, classes)."""
    logits = network(images).flatten(0, 1)
    each = F.cross_entropy(logits, targets.flatten(0, 1), reduction="none")
    if weights is not None:
        each = each * image_weights(targets.flatten(0, 1), weights)
    return each.view(len(images), -1).mean(0)


def _epoch(stack: _Stacked, step: Step, dataset: Dataset, settings: Settings) -> list[float]:
    """One pass of every copy over the training images; the mean losses."""
    losses: list[Tensor] = []
    looks: deque[Look] = deque()
    steps = stack.recipe.epochs * stack.states[0].steps_per_epoch
    generators = [state.generators for state in stack.states]
    device, workers = settings.device, settings.workers
    for batch in fed_to_copies(dataset, stack.recipe, generators, device=device, workers=workers):
        losses.append(step(*batch))
        stack.step += 1
        if len(losses) % CHECK_EVERY == 0:
            looks.append(Look(losses[-CHECK_EVERY:], stack.step))
            if len(looks) > looks[0].is_coming:
                _judge(stack, looks.popleft())
        if not stack.living:
            break
        if settings.on_step is not None:
            settings.on_step(stack.step, steps)
    for look in looks:
        _judge(stack, look)
    return _judge(stack, Look(losses, stack.step))


def _judge(stack: _Stacked, look: Look) -> list[float]:
    """The mean losses; copies whose mean is not finite have diverged."""
    means = look.means()
    for at in stack.living:
        stack.states[at].step = look.step
        if not math.isfinite(means[at]):
            stack.lost[at] = lost_by(look.step)
    return means


def _evaluate(
    stack: _Stacked, answers: Answers, images: Images | ImageFiles, settings: Settings
) -> list[Scores]:
    began = time.perf_counter()
    device, workers = settings.device, settings.workers
    scores = evaluate_copies(stack.judged, images, answers, device=device, workers=workers)
    for at in stack.living:
        stack.states[at].evaluation_seconds += (time.perf_counter() - began) / len(stack.runs)
    return scores
