"""`Record`: what happened in one training run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nextify.designs.run import key_of
from nextify.designs.values import (
    Amount,
    Count,
    Float,
    Positive,
    Seed,
    Share,
    from_values,
    read_value,
)
from nextify.errors import InputError
from nextify.words import in_short

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

    epoch: Count
    learning_rate: Float
    train_loss: Float
    accuracy: Share | None = None
    images: Count = 0


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
        answered: how many classes it ever answered; None where that is not known.
    """

    accuracy: Share
    nll: Amount
    calibration_error: Share
    images: Count
    correct: bytes
    curve: tuple[EpochPoint, ...] = ()
    steps: Count = 0
    answered: Positive | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What the machine determines: differs from time to time.

    Attributes:
        seconds: wall time of training, without evaluation.
        evaluation_seconds: wall time of all evaluations.
        images_per_second: training images seen per second of training.
        peak_memory: of the process (CPU) or of the device (GPU), in bytes.
    """

    seconds: Amount
    evaluation_seconds: Amount
    images_per_second: Amount
    peak_memory: Count


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
            if self.result.answered is None:  # as in records from before it was kept
                del values["result"]["answered"]
        return values


def record_from_dict(values: Any) -> Record:
    """The record that `Record.as_dict` described.

    Raises:
        InputError: the values describe no record, or one that does not agree with itself.
    """
    record = from_values(Record, values)
    _require_run(record)
    if (record.outcome == "finished") != (record.result is not None):
        there = "no result" if record.result is None else "a result"
        raise InputError(f"field 'outcome' is {record.outcome!r}, and there is {there}")
    if record.result is not None:
        _require_sum(record.result)
    return record


def _require_run(record: Record) -> None:
    """Check that a record's key is that of its run."""
    read_value(Seed, record.run.get("seed"), "run.seed")
    for name in {"initial"} & set(record.run):
        read_value(Mapping[str, Any], record.run[name], f"run.{name}")
    if record.key != key_of(record.run):
        raise InputError(
            f"field 'key' is {in_short(record.key)}, which is not the key of its 'run'"
        )


def _require_sum(result: Result) -> None:
    """Check that an accuracy is the share of right answers."""
    right = int.from_bytes(result.correct, "big").bit_count()
    if not result.correct:
        return
    if len(result.correct) != -(-result.images // 8):
        raise InputError(f"field 'result.images' is {result.images}, and 'result.correct' is of "
                         f"{8 * len(result.correct)} images")  # fmt: skip
    if round(result.accuracy * result.images) != right:
        raise InputError(f"field 'result.accuracy' is {result.accuracy}, but {right} of "
                         f"{result.images} answers are right")  # fmt: skip
