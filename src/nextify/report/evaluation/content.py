"""All that the page of an evaluation shows."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from nextify.experiments.intervals import Interval
from nextify.findings.calibration import Bin
from nextify.findings.confusion import Counts, by_class, confused
from nextify.findings.failures import wilson
from nextify.records import ClassCounts


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """An image that is answered wrongly.

    Attributes:
        name: of its file, or its place among the test images. answer, label: names of classes, each
            with its probability. picture: a JPEG.
    """

    name: str
    answer: str
    probability: float
    label: str
    own: float
    picture: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """How far probabilities are what they say, on `images` that fitted no temperature.

    Attributes:
        nll: in nats. error: expected calibration error, 0 to 1. by_chance: what it would be on
            average if every probability were right. bins: of the reliability curve.
    """

    images: int
    nll: float
    error: float
    by_chance: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """What a temperature does.

    Attributes:
        temperature: of the network's card. images: that it was fitted on; None: not stated.
        part: what these are. after: with it. change: of the negative log-likelihood, paired.
    """

    temperature: float
    images: int | None
    part: Literal["half", "validation"]
    after: Calibration
    change: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassLine:
    """A class: its images, which share of them is answered right, and what else is said of them.

    Attributes:
        n: images. answers: how often it is answered. instead: the wrong answer that its images get
            most often, and how many.
    """

    name: str
    n: int
    answers: int
    right: int
    recall: float | None
    interval: Interval | None
    precision: float | None
    f1: float | None
    instead: tuple[str, int] | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EvaluationContent:
    """A network's answers to the test images of a data set.

    Attributes:
        network: as it was asked for. design: in words. data: name of the images. source: where they
            are from. counts: the confusion matrix. wrong: the most confident ones.
        before: calibration of the network as it is. scaled: with its temperature; None: it has
            none. calibrates: whether `--calibrate` would fit one and keep it. worth: what limits
            the score, in words, if anything does. command: that asks for it.
    """

    network: str
    design: str
    params: int
    data: str
    source: str
    classes: tuple[str, ...]
    counts: Counts
    wrong: tuple[Wrong, ...]
    before: Calibration
    scaled: Scaled | None = None
    calibrates: bool = True
    worth: str | None = None
    command: str = ""

    @property
    def title(self) -> str:
        """Of the page."""
        return f"What {self.network} answers"

    @property
    def images(self) -> int:
        """How many."""
        return int(self.counts.sum())

    @property
    def right(self) -> int:
        """How many are answered right."""
        return int(self.counts.trace())

    @property
    def by_class(self) -> ClassCounts:
        """The images by class."""
        return by_class(self.counts)

    @property
    def balanced_accuracy(self) -> float:
        """Each class counted the same, 0 to 1."""
        return self.by_class.balanced_accuracy

    @property
    def macro_f1(self) -> float:
        """Each class counted the same, 0 to 1."""
        return self.by_class.macro_f1

    @property
    def lines(self) -> list[ClassLine]:
        """A line a class, in the order of the outputs."""
        instead: dict[int, tuple[str, int]] = {}
        for label, answer, n in confused(self.counts):
            instead.setdefault(label, (self.classes[answer], n))
        of = self.by_class
        columns = (of.true, of.answered, of.right, of.recall, of.precision, of.f1)
        return [
            ClassLine(
                name=self.classes[at], n=n, answers=answers, right=right, recall=recall,
                interval=wilson(right, n), precision=precision, f1=f1, instead=instead.get(at),
            )
            for at, (n, answers, right, recall, precision, f1) in enumerate(
                zip(*columns, strict=True)
            )
        ]  # fmt: skip


def as_values(content: EvaluationContent) -> dict[str, Any]:
    """The numbers as plain values, ready for JSON, without pictures."""
    sure = wilson(content.right, content.images)
    wrong = [{n: v for n, v in asdict(one).items() if n != "picture"} for one in content.wrong]
    return {
        "network": content.network,
        "design": content.design,
        "data": content.data,
        "images": content.images,
        "accuracy": content.right / content.images,
        "accuracy_interval": sure and asdict(sure),
        "balanced_accuracy": content.balanced_accuracy,
        "macro_f1": content.macro_f1,
        "classes": [asdict(line) for line in content.lines],
        "wrong": wrong,
        "calibration": asdict(content.before),
        "scaled": content.scaled and asdict(content.scaled),
        "worth": content.worth,
        "command": content.command,
    }
