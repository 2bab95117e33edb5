"""Command evaluate with several sizes of the test images: what a network makes of each."""

from dataclasses import dataclass
from pathlib import Path

from nextify.blueprint import require_image_size
from nextify.commands.training import Evaluated, evaluate
from nextify.commands.watch import QUIET, Watch
from nextify.errors import InputError
from nextify.experiments.intervals import Interval
from nextify.findings.paired import paired_loss
from nextify.network.export.files import load_answering
from nextify.requests import Evaluate, changed


@dataclass(frozen=True, kw_only=True, slots=True)
class AtSize:
    """A network's scores on test images of one size.

    Attributes:
        size: pixels a side. difference: in accuracy, to the size that the others are compared with,
            image by image; None there. interval: of it, for new images.
    """

    size: int
    found: Evaluated
    difference: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedSizes:
    """One network at several sizes of the test images, from the smallest; `base`: the one that the
    others are compared with, which is that of its training where it is among them."""

    base: int
    sizes: tuple[AtSize, ...]


def evaluate_sizes(request: Evaluate, watch: Watch = QUIET) -> EvaluatedSizes:
    """Score a trained network on its test images at each size.

    Raises:
        InputError: a size that the network cannot see, as a ViT all but its own; or what `evaluate`
            raises.
    """
    sizes, card = request.test_sizes, load_answering(Path(request.network))[1]
    for size in sizes:
        require_image_size(card.design, size, card.image_size)
    found: dict[int, Evaluated] = {}
    for size in sizes:
        at = changed(request, test_image_size=str(size))
        found[size] = evaluate(at, QUIET if found else watch)
    base = card.image_size if card.image_size in sizes else sizes[0]
    every = tuple(_compared(size, each, found[base]) for size, each in found.items())
    return EvaluatedSizes(base=base, sizes=every)


def evaluate_at(request: Evaluate, watch: Watch = QUIET) -> Evaluated | EvaluatedSizes:
    """Score a trained network on its test images, at the one size or the several that are asked
    for.

    Raises:
        InputError: several sizes with a report or a calibration, which are of one; or as above.
    """
    if len(request.test_sizes) < 2:
        return evaluate(request, watch)
    for name, given in (("--report", request.report), ("--calibrate", request.calibrate)):
        if given:
            raise InputError(
                f"{name} is of one size of the test images, and --test-image-size is "
                f"{request.test_image_size}; give one size, or leave {name} out"
            )
    return evaluate_sizes(request, watch)


def _compared(size: int, found: Evaluated, base: Evaluated) -> AtSize:
    if found is base:
        return AtSize(size=size, found=found)
    here, there = (each.scores.correct.numpy() for each in (found, base))
    value = found.scores.accuracy - base.scores.accuracy
    return AtSize(size=size, found=found, difference=value, interval=paired_loss(here, there))
