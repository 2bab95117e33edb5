"""What a network knows: accuracy, likelihood and calibration on the test images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.data import Dataset, ImageFiles, Images, batches, permuted
from nextify.data.augment import evaluation_view
from nextify.designs import Precision
from nextify.records import ClassCounts
from nextify.training.replayed import Replayed
from nextify.training.world import ALONE, World

BINS = 15
CURVE_IMAGES = 1000
_BATCH, _PIXELS = 500, 11_000_000  # at most at once: images, and pixels (of 146 a side, as many)


@dataclass(frozen=True, eq=False)
class Scores:
    """What one evaluation found; see `records.Result` for the units."""

    accuracy: float
    nll: float
    calibration_error: float
    correct: Tensor  # (N,) bool, on the CPU
    per_class: ClassCounts

    @property
    def answered(self) -> int:
        """How many classes it ever answered."""
        return sum(count > 0 for count in self.per_class.answered)

    @property
    def packed(self) -> bytes:
        """`correct` with one bit an image."""
        return np.packbits(self.correct.numpy()).tobytes()


def evaluate(
    network: nn.Module,
    dataset: Dataset,
    images: Images | ImageFiles,
    *,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    workers: int = 0,
    answers: "Answers | None" = None,
    world: World = ALONE,
) -> Scores:
    """Score a network on labelled images.

    The network's mode (training or evaluation) is left as it was found.

    Args:
        answers: how it answers, `answers_of` these; given by who asks again and again.
        world: of processes that have the network and the images: each answers its share, and all
            get the scores.
    """
    answers = answers or answers_of(network, dataset, precision)
    return _scores(network, images, answers, device, workers, world)[0]


def evaluate_copies(
    network: nn.Module,
    images: Images | ImageFiles,
    answers: "Answers",
    *,
    device: torch.device | str = "cpu",
    workers: int = 0,
) -> list[Scores]:
    """Score each copy of a stack, by the `answers_of` as many copies."""
    return _scores(network, images, answers, device, workers)


Answers = Callable[[Tensor], Tensor]
"""Of pixels (B, C, S, S), uint8, the logarithms of probabilities, (B, copies, classes) float32."""


def answers_of(
    network: nn.Module,
    dataset: Dataset,
    precision: Precision = "float32",
    *,
    copies: int = 1,
    replayed: bool = False,
) -> Answers:
    """How a network answers, or a stack of so many copies, which all see the same images.

    Args:
        replayed: on a GPU, whole batches by a CUDA graph, which lives as long as what is returned.
    """

    def answer(pixels: Tensor) -> Tensor:
        view = evaluation_view(pixels, dataset.test_size, dataset.mean, dataset.std)
        seen = permuted(view, dataset.origin.permuted)
        if copies > 1:
            seen = seen.repeat(1, copies, 1, 1)
        narrow = precision == "bfloat16"  # nothing is kept: what is would belong to a graph
        with torch.autocast(pixels.device.type, torch.bfloat16, narrow, cache_enabled=False):
            logits = network(seen)
        return F.log_softmax(logits.float(), -1).view(len(pixels), copies, -1)

    return Replayed(answer, _rows(dataset.test)) if replayed else answer


def _rows(images: Images | ImageFiles) -> int:
    """How many are answered at once."""
    side = images.stored_size if isinstance(images, ImageFiles) else images.pixels.shape[-1]
    return max(1, min(_BATCH, _PIXELS // side**2))


def _scores(
    network: nn.Module,
    images: Images | ImageFiles,
    answers: Answers,
    device: torch.device | str,
    workers: int,
    world: World = ALONE,
) -> list[Scores]:
    said, losses, labels = [], [], []
    if world.size > 1:
        images = images.take(world.share(len(images)))
    with _evaluating(network):
        for pixels, truth in batches(
            images, _rows(images), generator=None, device=device, workers=workers
        ):
            log_probability = answers(pixels)
            own = truth[:, None, None].expand(-1, log_probability.shape[1], 1)
            said.append(log_probability.exp().max(2))  # all would be gigabytes of many classes
            losses.append(-log_probability.gather(2, own)[:, :, 0])
            labels.append(truth)
    # Fetched at once: each time, everything that a GPU has still to do is waited for.
    confident, answered = ([of[at] for of in said] for at in (0, 1))
    found = [torch.cat(of).cpu() for of in (confident, answered, losses)]
    truths, classes = torch.cat(labels).cpu(), log_probability.shape[2]
    each = zip(*(of.unbind(1) for of in found), strict=True)
    return [_scored([of.contiguous() for of in one], truths, classes, world) for one in each]


def _scored(found: list[Tensor], labels: Tensor, classes: int, world: World) -> Scores:
    """Of a network whose confidence, answers and losses (N,) these are in each process."""
    confidence, predicted, losses, labels = (world.in_order(of) for of in (*found, labels))
    correct = predicted == labels
    accuracy, nll = (of.double().mean().item() for of in (correct, losses))
    per_class = _counted(labels, predicted, classes)
    return Scores(accuracy, nll, calibration_error(confidence, correct), correct, per_class)


def _counted(labels: Tensor, predicted: Tensor, classes: int) -> ClassCounts:
    """The images by class, of labels and answers (N,)."""
    each = (labels, predicted, labels[predicted == labels])
    true, answered, right = (of.bincount(minlength=classes).tolist() for of in each)
    return ClassCounts(true=tuple(true), answered=tuple(answered), right=tuple(right))


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Inside, the network is in evaluation mode; outside every module is in its own, since a frozen
    body has another than the head."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


def calibration_error(confidence: Tensor, correct: Tensor) -> float:
    """Expected calibration error with 15 equal-width bins (arXiv 1706.04599, equation 3).

    The mean over images of |accuracy - mean confidence| of the image's bin; 0 to 1.

    Args:
        confidence: (N,) probability of the predicted class. correct: (N,) bool.
    """
    bins = (confidence.double() * BINS).ceil().long().clamp(1, BINS) - 1
    gap = torch.zeros(BINS, dtype=torch.float64)
    gap.index_add_(0, bins, correct.double() - confidence.double())
    return (gap.abs().sum() / len(confidence)).item()


def curve_images(images: Images | ImageFiles) -> Images | ImageFiles:
    """About a thousand test images, evenly spread: enough for a curve, at little cost."""
    step = max(1, len(images) // CURVE_IMAGES)
    return images.take(torch.arange(0, len(images), step))
