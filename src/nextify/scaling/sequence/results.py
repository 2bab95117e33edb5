"""What an experiment with next-word models found: numbers, means and intervals. No torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nextify.experiments.intervals import student
from nextify.scaling import saving
from nextify.scaling.saving import Kept
from nextify.scaling.sequence.settings import KINDS, Kind, Settings
from nextify.scaling.sequence.text import SHA256

COUNTING = ("unigram", "bigram, additive", "bigram, Kneser-Ney")
BASELINE = COUNTING[-1]  # what the models are compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a split of the text gives without any training.

    Attributes:
        words: of the vocabulary. train, validation, test: words that are asked in each part.
        unknown: share of <UNK> among the test's.
        perplexities: of the models that count, in the order of `COUNTING`, on the test part.
    """

    seed: int
    words: int
    train: int
    validation: int
    test: int
    unknown: float
    perplexities: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A trained model.

    Attributes:
        perplexity: on the test part of the split of the same seed.
        best_epoch: whose weights were kept. curve: perplexity on validation sentences after each.
        said: sentences drawn from it.
    """

    kind: Kind
    seed: int
    perplexity: float
    parameters: int
    best_epoch: int
    curve: tuple[float, ...]
    said: tuple[str, ...]


OUTCOMES = saving.Kind("nextify scale sequence", "outcomes", Outcome)


def kept(path: Path | None, settings: Settings) -> Kept[Outcome]:
    """The outcomes in a file, of these settings and this text; see `Kept`."""
    return Kept(OUTCOMES, path, {"text": SHA256, **asdict(settings)})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Seconds of a training step: forward and backward, all weights.

    Attributes:
        macs: of the forward pass, all sequences.
        chain: products of the step, forward and backward, that wait for one another: counted as
            it runs, one layer after the other.
        seconds: median of so many rounds. fastest, slowest: their range.
    """

    kind: Kind
    tokens: int
    batch: int
    macs: int
    chain: int
    seconds: float
    fastest: float
    slowest: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Mean:
    """A geometric mean over n seeds and its 95 % interval (Student's, on the logarithms)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Found:
    """Everything: splits, trained models and times of a step."""

    settings: Settings
    counts: tuple[Counts, ...]
    outcomes: tuple[Outcome, ...]
    steps: tuple[StepTime, ...]
    threads: int

    def perplexities(self) -> dict[str, Mean]:
        """Of each model on test sentences, those that count first."""
        return {name: mean(values) for name, values in self._by_model().items()}

    def ratios(self) -> dict[str, Mean]:
        """Perplexity as a multiple of the Kneser-Ney bigram model's, seed by seed."""
        return {name: self._ratio(name, BASELINE) for name in self._by_model()}

    def between(self) -> Mean:
        """The Transformer's perplexity as a multiple of the recurrent model's, seed by seed."""
        return self._ratio("transformer", "recurrent")

    def _ratio(self, one: str, other: str) -> Mean:
        values = self._by_model()
        return mean(np.divide(values[one], values[other]).tolist())

    def _by_model(self) -> dict[str, list[float]]:
        """Perplexities in the order of the seeds."""
        columns = zip(*(each.perplexities for each in self.counts), strict=True)
        counted = {name: list(own) for name, own in zip(COUNTING, columns, strict=True)}
        trained: dict[str, list[float]] = {
            kind: [each.perplexity for each in self.outcomes if each.kind == kind] for kind in KINDS
        }
        return {**counted, **trained}


def mean(values: Sequence[float]) -> Mean:
    """The geometric mean of positive values, two at least.

    >>> round(mean([10.0, 1000.0]).value, 9)
    100.0
    """
    logs = np.log(values)
    center = float(logs.mean())
    half = student(len(logs) - 1) * float(logs.std(ddof=1)) / len(logs) ** 0.5
    value, low, high = (float(np.exp(center + off)) for off in (0.0, -half, half))
    return Mean(value, low, high, len(logs))
