"""What a network said of labelled images, and the one temperature by which its probabilities are
what they say (`nextify.findings.calibration`)."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nextify.data import ImageFiles, Images
from nextify.data.dataset import told_apart
from nextify.errors import InputError
from nextify.findings.calibration import temperature_of
from nextify.training.evaluate import Scores, calibration_error

LEAST = 30  # images that a temperature is fitted on


@dataclass(frozen=True, eq=False)
class Answered:
    """A network's answers to N labelled images, in their order, on the CPU.

    Attributes:
        scores: of the network as it is. log_probabilities: (N, classes) float32, of the same.
        labels: (N,) int64. answers: (N,) int64.
    """

    scores: Scores
    log_probabilities: Tensor
    labels: Tensor
    answers: Tensor

    def take(self, which: Tensor) -> "Answered":
        """Those of some images (N,) bool, with the scores of all."""
        return Answered(
            self.scores, self.log_probabilities[which], self.labels[which], self.answers[which]
        )

    def probabilities(self, temperature: float) -> Tensor:
        """(N, classes) float32 at a temperature."""
        return (self.log_probabilities / temperature).softmax(1)

    def confidence(self, temperature: float) -> Tensor:
        """(N,) the probability of each answer: no temperature changes which that is."""
        return self.probabilities(temperature).gather(1, self.answers[:, None])[:, 0]

    def losses(self, temperature: float) -> Tensor:
        """(N,) the negative log-likelihood of each label, in nats."""
        said = (self.log_probabilities / temperature).log_softmax(1)
        return -said.gather(1, self.labels[:, None])[:, 0]

    def scored(self, temperature: float) -> Scores:
        """The scores, with likelihood and calibration at a temperature."""
        nll = self.losses(temperature).double().mean().item()
        right = self.answers == self.labels
        error = calibration_error(self.confidence(temperature), right)
        return replace(self.scores, nll=nll, calibration_error=error)

    def temperature(self) -> float:
        """The temperature that fits these answers best.

        Raises:
            InputError: there are too few images, or none does.
        """
        count = len(self.labels)
        if count < LEAST:
            raise InputError(
                f"{count} images are too few to calibrate by (at least {LEAST}); give more test "
                "images, or leave out --calibrate"
            )
        found = temperature_of(self.log_probabilities.double().numpy(), self.labels.numpy())
        if found is None:
            why = "every one is answered right, or they are answered no better than by chance"
            raise InputError(f"no temperature fits the {count} images to calibrate by ({why}); "
                             "give more and other images, or leave out --calibrate")  # fmt: skip
        return found


def fitting_half(images: Images | ImageFiles) -> Tensor:
    """Which images a temperature is fitted on where none are set apart for it: (N,) bool.

    About half of them, drawn by their files' contents: an image is in the same half whatever else
    is beside it and wherever it lies, and so are its copies. So none that has fitted a temperature
    ever judges it.
    """
    keys = (key for _, key in told_apart(images))
    return torch.tensor([hashlib.sha256(key.encode()).digest()[0] % 2 == 1 for key in keys])
