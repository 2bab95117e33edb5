"""What a network knows: accuracy, likelihood and calibration on the test images."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.data import Dataset, ImageFiles, Images, batches, permuted
from nextify.data.augment import evaluation_view
from nextify.designs import Precision
from nextify.network.stack import Stack

BINS = 15
CURVE_IMAGES = 1000
_BATCH = 500


@dataclass(frozen=True, eq=False)
class Scores:
    """What one evaluation found; see `records.Result` for the units."""

    accuracy: float
    nll: float
    calibration_error: float
    correct: Tensor  # (N,) bool, on the CPU
    answered: int  # how many classes it ever answered

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
) -> Scores:
    """Score a network on labelled images.

    The network's mode (training or evaluation) is left as it was found.
    """
    probabilities, losses, labels = [], [], []
    found = batches(images, _BATCH, generator=None, device=device, workers=workers)
    kind = torch.device(device).type
    with _evaluating(network):
        for pixels, truth in found:
            view = evaluation_view(pixels, dataset.test_size, dataset.mean, dataset.std)
            seen = permuted(view, dataset.origin.permuted)
            with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = network(seen)
            log_probability = F.log_softmax(logits.float(), 1)
            probabilities.append(log_probability.exp().cpu())
            losses.append(F.nll_loss(log_probability, truth, reduction="none").cpu())
            labels.append(truth.cpu())
    return _scores(torch.cat(probabilities), torch.cat(losses), torch.cat(labels))


def evaluate_stack(
    network: Stack,
    dataset: Dataset,
    images: Images | ImageFiles,
    *,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    workers: int = 0,
) -> list[Scores]:
    """As `evaluate`, of every copy in a stack, on the same images."""
    probabilities, losses, labels = [], [], []
    found = batches(images, _BATCH, generator=None, device=device, workers=workers)
    kind = torch.device(device).type
    with _evaluating(network):
        for pixels, truth in found:
            view = evaluation_view(pixels, dataset.test_size, dataset.mean, dataset.std)
            seen = permuted(view, dataset.origin.permuted).repeat(1, network.copies, 1, 1)
            with torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = network(seen)
            log_probability = F.log_softmax(logits.float(), 2).movedim(1, 2)  # (B, classes, S)
            each = truth[:, None].expand(-1, network.copies)
            probabilities.append(log_probability.exp().cpu())
            losses.append(F.nll_loss(log_probability, each, reduction="none").cpu())
            labels.append(truth.cpu())
    of_all = torch.cat(probabilities).unbind(2), torch.cat(losses).unbind(1)
    return [_scores(*each, torch.cat(labels)) for each in zip(*of_all, strict=True)]


def _scores(probabilities: Tensor, losses: Tensor, labels: Tensor) -> Scores:
    """Of the probabilities (N, classes) of N images, their losses and true classes."""
    confidence, predicted = probabilities.max(1)
    correct = predicted == labels
    accuracy, nll = (of.double().mean().item() for of in (correct, losses))
    answered = len(set(predicted.tolist()))
    return Scores(accuracy, nll, calibration_error(confidence, correct), correct, answered)


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
