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
    confidence, predicted = torch.cat(probabilities).max(1)
    correct = predicted == torch.cat(labels)
    accuracy, nll = (of.double().mean().item() for of in (correct, torch.cat(losses)))
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
