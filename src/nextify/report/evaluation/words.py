"""What is said of a network's answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from nextify.experiments.intervals import Interval
from nextify.findings.failures import wilson
from nextify.records import Cell
from nextify.report.details import MOSTLY_LARGE, upper_first
from nextify.report.evaluation.content import Calibration, ClassLine, EvaluationContent, Scaled
from nextify.words import MISSING, hundred, percent, plural

HEAD = ("Class", "Images", "Right, %", "95 %", "Precision, %", "F1, %", "Most often instead")
MOST_LINES = 60  # classes in the page; of more, those with the least share of right answers


BEST = "the best network"
NOT_KEPT = (
    "No network of the design that is best here was kept. With --keep-weights they are, and what "
    "one of them answers is shown here."
)
HELD_OUT = (
    "Not shown: this study judges by held-out images and leaves the test images to be seen later. "
    "Of a network that is kept (--keep-weights), nextify evaluate shows its answers to them."
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a page says of a network's answers.

    Attributes:
        said: what limits them, or why none are shown; may be empty.
        are_there: on a page of their own, in the folder `network` beside.
    """

    said: str
    are_there: bool = False

    @classmethod
    def of(cls, worth: str | None) -> "Answers":
        """Those that are there, with what limits them, if anything does."""
        return cls(f"{upper_first(worth)}." if worth else "", are_there=True)


def not_shown(error: Exception) -> str:
    """That a network is kept, but not what it answers."""
    return f"Not shown: {error}."


def of_best(cell: Cell, seed: int) -> str:
    """What limits the answers of a network of a study's best design."""
    made = "" if cell.made is None else f" ({cell.changed})"
    return (
        f"this is the network of {cell.network or cell.name}{made} that was trained with seed "
        f"{seed}, of the design with the highest mean accuracy here; the design was chosen by "
        "these test images, so that its accuracy is likely a little high"
    )


def answer(content: EvaluationContent) -> Iterator[str]:
    """How often it is right, in sentences."""
    n, right = content.images, content.right
    yield (
        f"Right about {percent(100 * right / n)} % of {n:,} test images (95 % interval "
        f"{between(wilson(right, n))} %, for this network on new images of the same kind)."
    )
    sizes = content.counts.sum(1)
    if content.by_class.unequal:
        yield (
            f"Classes have {sizes.min():,} to {sizes.max():,} images, so that {MOSTLY_LARGE}. With "
            "every class counted the same: balanced accuracy "
            f"{percent(100 * content.balanced_accuracy)} %, macro F1 "
            f"{percent(100 * content.macro_f1)} %."
        )
    yield f"Always to answer the largest class scores {percent(100 * sizes.max() / n)} %."
    if content.worth:
        yield f"{upper_first(content.worth)}."


def at_temperature(scaled: Scaled) -> str:
    """Of what the likelihood and the calibration beside an accuracy are."""
    return (
        f"likelihood and calibration with the temperature {scaled.temperature:.3f} that is kept "
        f"with the network, on the {scaled.after.images:,} images that had no part in fitting it"
    )


def between(of: Interval | None) -> str:
    """An interval in per cent."""
    return MISSING if of is None else f"{100 * of.low:.1f} to {100 * of.high:.1f}"


def shown(content: EvaluationContent) -> list[ClassLine]:
    """The classes of the page's table: all, or those with the least share of right answers."""
    lines = content.lines
    if len(lines) <= MOST_LINES:
        return lines
    known = [line for line in lines if line.recall is not None]
    return sorted(known, key=lambda line: line.recall or 0.0)[:MOST_LINES]


def row(line: ClassLine) -> list[str]:
    """A class under `HEAD`."""
    instead = MISSING if line.instead is None else f"{line.instead[0]} ({line.instead[1]:,})"
    return [
        line.name,
        f"{line.n:,}",
        percent(hundred(line.recall), 1),
        between(line.interval),
        percent(hundred(line.precision), 1),
        percent(hundred(line.f1), 1),
        instead,
    ]


def probability(of: float) -> str:
    """
    >>> probability(0.9996), probability(0.0004)
    ('> 99.9 %', '< 0.1 %')
    """
    if of > 0.999:
        return "> 99.9 %"
    return "< 0.1 %" if of < 0.001 else f"{100 * of:.1f} %"


def calibrated(content: EvaluationContent) -> Iterator[str]:
    """Whether its probabilities are what they say, in sentences."""
    before, scaled = content.before, content.scaled
    if scaled is None:
        yield f"As the network is, on {plural(before.images, 'image')}: {_numbers(before)}."
        if content.calibrates:
            yield (
                "One temperature for all probabilities, which changes no answer, is fitted and "
                "kept with the network by:"
            )
        return
    what = "validation images" if scaled.part == "validation" else "other test images"
    fitted = "" if scaled.images is None else f", fitted on {scaled.images:,} {what}"
    change = scaled.change
    yield (
        f"With the network is kept a temperature of {scaled.temperature:.3f}{fitted}: its "
        f"probabilities are {'less' if scaled.temperature > 1 else 'more'} extreme by it, and no "
        f"answer changes. On {plural(before.images, 'image')} that had no part in fitting it:"
    )
    yield f"Before: {_numbers(before)}."
    yield f"After: {_numbers(scaled.after)}."
    if change is not None:
        yield (
            f"The negative log-likelihood changes by {_signed(change.low)} to "
            f"{_signed(change.high)} nats (95 %, over images)."
        )


def _numbers(of: Calibration) -> str:
    return (
        f"calibration error {percent(100 * of.error)} % (were every probability right, so many "
        f"images would show {percent(100 * of.by_chance)} % on average), negative log-likelihood "
        f"{of.nll:.4f} nats"
    )


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "−")
