"""`Record`: what happened in one training run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["finished", "diverged", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochPoint:
    """One point of a training curve.

    Attributes:
        epoch: passes over the training images so far.
        learning_rate: at the end of the epoch.
        train_loss: mean loss over the epoch's batches, with the recipe's augmentation and targets.
        accuracy: on the test images (see `images`), 0 to 1; None where it was not measured.
        images: how many test images `accuracy` was measured on.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    accuracy: float | None = None
    images: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run's key determines: equal for equal runs on one machine and torch build.

    Attributes:
        accuracy: top-1 on the whole test set, 0 to 1.
        nll: mean negative log-likelihood of the true class, in nats.
        calibration_error: expected calibration error with 15 equal-width bins
            (arXiv 1706.04599), 0 to 1.
        images: how many test images.
        correct: one bit an image in the test set's order, most significant bit first
            (`numpy.packbits`): whether it was classified correctly.
        curve: a point per epoch.
        steps: optimiser steps taken.
    """

    accuracy: float
    nll: float
    calibration_error: float
    images: int
    correct: bytes
    curve: tuple[EpochPoint, ...] = ()
    steps: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What the machine determines: differs from time to time.

    Attributes:
        seconds: wall time of training, without evaluation.
        evaluation_seconds: wall time of all evaluations.
        images_per_second: training images seen per second of training.
        peak_memory: of the process (CPU) or of the device (GPU), in bytes.
    """

    seconds: float
    evaluation_seconds: float
    images_per_second: float
    peak_memory: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A run and what became of it.

    Attributes:
        key, run: `Run.key` and `Run.as_dict()`, as they were when it was carried out.
        cells: names of the plan's cells that it belongs to, with the run's seed: one, or more where
            a choice changes nothing. Empty for a run of no plan, and in files that do not say it.
        outcome: `diverged` - the loss became infinite or not a number, a result like any other;
            `failed` - the run could not be carried out (out of memory, an error).
        result: None unless finished. A diverged run's curve is in `curve`.
        message: what happened, for a run that diverged or failed.
        environment: versions and machine.
    """

    key: str
    run: Mapping[str, Any]
    outcome: Outcome
    result: Result | None = None
    curve: tuple[EpochPoint, ...] = ()
    measured: Measured | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    cells: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        """Of the run."""
        return int(self.run["seed"])

    @property
    def revision(self) -> int:
        """Of the training code that carried the run out; see `nextify.designs.run.REVISION`."""
        return int(self.run.get("revision", 1))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; the bits of `correct` as hexadecimal text."""
        values = asdict(self)
        if not self.cells:
            del values["cells"]
        if self.result is not None:
            values["result"]["correct"] = self.result.correct.hex()
        return values
