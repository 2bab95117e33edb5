"""`Record`: what happened in one training run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
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


def is_unequal(images: Iterable[int]) -> bool:
    """Whether the largest of some classes has more than twice the images of the smallest that has
    any: then accuracy is mostly that of the large classes."""
    some = [count for count in images if count]
    return bool(some) and max(some) > 2 * min(some)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassCounts:
    """Test images by class, a number each in the classes' order.

    >>> counts = ClassCounts(true=(90, 10), answered=(95, 5), right=(88, 3))
    >>> counts.unequal, round(counts.balanced_accuracy, 3), round(counts.macro_f1, 3)
    (True, 0.639, 0.676)

    Attributes:
        true: that are of the class. answered: that were taken for it. right: that are both.
    """

    true: tuple[Count, ...]
    answered: tuple[Count, ...]
    right: tuple[Count, ...]

    @property
    def unequal(self) -> bool:
        """Whether the scores below stand beside accuracy."""
        return is_unequal(self.true)

    @property
    def recall(self) -> tuple[float | None, ...]:
        """The share of each class's images that are answered right; None of one without images."""
        return _shares(self.right, self.true)

    @property
    def precision(self) -> tuple[float | None, ...]:
        """The share of each class's answers that are right; None of one that is never answered."""
        return _shares(self.right, self.answered)

    @property
    def f1(self) -> tuple[float | None, ...]:
        """2 right / (true + answered), the harmonic mean of recall and precision; None of a class
        that is neither there nor answered."""
        each = zip(self.true, self.answered, strict=True)
        return _shares([2 * right for right in self.right], [sum(both) for both in each])

    @property
    def balanced_accuracy(self) -> float:
        """The mean over classes of `recall`; those that have none are left out (as scikit-learn's
        `balanced_accuracy_score`)."""
        return fmean(share for share in self.recall if share is not None)

    @property
    def macro_f1(self) -> float:
        """The mean over classes of `f1`; those that have none are left out (as scikit-learn's
        `f1_score` with `average="macro"` and `zero_division=0`)."""
        return fmean(share for share in self.f1 if share is not None)

    @property
    def of_the_largest(self) -> "ClassCounts":
        """Of a network that always answers the largest class."""
        largest = self.true.index(max(self.true))
        only = [at == largest for at in range(len(self.true))]
        answered = tuple(sum(self.true) * here for here in only)
        right = tuple(count * here for count, here in zip(self.true, only, strict=True))
        return ClassCounts(true=self.true, answered=answered, right=right)


def _shares(parts: Sequence[int], wholes: Sequence[int]) -> tuple[float | None, ...]:
    pairs = zip(parts, wholes, strict=True)
    return tuple(part / whole if whole else None for part, whole in pairs)


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
        per_class: the test images by class; None where they were not counted.
    """

    accuracy: Share
    nll: Amount
    calibration_error: Share
    images: Count
    correct: bytes
    curve: tuple[EpochPoint, ...] = ()
    steps: Count = 0
    answered: Positive | None = None
    per_class: ClassCounts | None = None


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
        message: what happened, for a run that diverged, failed, or ended before its last epoch.
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
            for name in ("answered", "per_class"):  # as in records from before they were kept
                if getattr(self.result, name) is None:
                    del values["result"][name]
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
        _require_counts(record.result)
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


def _require_counts(result: Result) -> None:
    """Check that the images by class are all of them, and the right answers, too."""
    if (counts := result.per_class) is None:
        return
    each = [counts.true, counts.answered, counts.right]
    sums = (result.images, result.images, round(result.accuracy * result.images))
    if len(set(map(len, each))) > 1 or tuple(map(sum, each)) != sums:
        raise InputError(
            f"field 'result.per_class' adds up to {', '.join(str(sum(of)) for of in each)} images, "
            f"answers and right answers, and 'result' says {', '.join(map(str, sums))}"
        )
