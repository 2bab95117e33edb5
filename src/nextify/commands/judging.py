"""What a network's answers to labelled images come to: for a page, and for who asks in Python."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from nextify.costs.form import totals
from nextify.data import Dataset
from nextify.data.dataset import told_apart
from nextify.data.pictures import pictures
from nextify.errors import InputError
from nextify.findings.calibration import error_by_chance, mean_of, reliability
from nextify.findings.confusion import confusion
from nextify.network import Card
from nextify.report.cells.designs import in_words
from nextify.report.evaluation.content import Calibration, EvaluationContent, Scaled, Wrong
from nextify.requests import DataSpec
from nextify.training.calibration import Answered, fitting_half
from nextify.training.classify import load_for
from nextify.training.evaluate import BINS
from nextify.training.seen import saw

_PICTURES = 24


def calibrated(
    card: Card, spec: DataSpec, images: Dataset, found: Answered, ask: Callable[[Dataset], Answered]
) -> Card:
    """A network's card with the temperature that fits the validation images of a folder best, or
    else half of its test images: where there are none, or it has seen them.

    Args:
        found: what was answered to `images`. ask: answers to others.

    Raises:
        InputError: there are too few images, or none fits.
    """
    if _validates(card, images):
        fit, part = ask(load_for(card, replace(spec, hold_out=True))), "validation"
    else:
        fit, part = found.take(fitting_half(images.test)), "half"
    about = {"part": part, "images": len(fit.labels), "data": images.name}
    return replace(card, temperature=fit.temperature(), about={**card.about, "calibration": about})


def judged(card: Card, images: Dataset, found: Answered) -> Answered:
    """The answers to those test images that cannot have fitted the network's temperature.

    Raises:
        InputError: there are none.
    """
    if card.temperature == 1.0 or _fitted(card).get("part") == "validation":
        return found
    rest = found.take(~fitting_half(images.test))
    if not len(rest.labels):
        raise InputError(
            f"all {len(found.labels)} test images may have fitted the network's temperature, and "
            "none is left to judge it by; give more test images"
        )
    return rest


def _fitted(card: Card) -> Mapping[str, object]:
    """What a card says of the images that its temperature was fitted on."""
    told = card.about.get("calibration")
    return told if isinstance(told, Mapping) else {}


def evaluation(
    name: str,
    card: Card,
    images: Dataset,
    found: Answered,
    worth: str | None,
    command: str,
    *,
    keeps: bool = True,
) -> EvaluationContent:
    """All that is told of a network's answers.

    Args:
        name: the network's. worth: what limits the score, if anything does. command: that asks.
        keeps: whether its file can keep a temperature.
    """
    rest = judged(card, images, found)
    before = _calibration(rest, 1.0)
    scaled = None if card.temperature == 1.0 else _scaled(card, rest)
    return EvaluationContent(
        network=name,
        design=in_words(card.design),
        params=totals(card.design, card.image_size, len(card.classes)).params,
        data=images.name,
        source=images.source,
        classes=card.classes,
        counts=confusion(found.labels.numpy(), found.answers.numpy(), len(card.classes)),
        wrong=_wrong(card, images, found),
        before=before,
        scaled=scaled,
        calibrates=keeps and _is_fitting(card, images, found),
        worth=worth,
        command=command,
    )


def _validates(card: Card, images: Dataset) -> bool:
    """Whether a folder has validation images, and the network was not trained on these, too."""
    return bool(images.origin.validation) and not any("whole" in each for each in saw(card.about))


def _is_fitting(card: Card, images: Dataset, found: Answered) -> bool:
    """Whether a temperature fits; of validation images, which are not loaded for that, it is taken
    for granted."""
    with suppress(InputError):
        return bool(_validates(card, images) or found.take(fitting_half(images.test)).temperature())
    return False


def _calibration(found: Answered, temperature: float) -> Calibration:
    scores, confidence = found.scored(temperature), found.confidence(temperature).double().numpy()
    correct = (found.answers == found.labels).numpy()
    return Calibration(
        images=len(correct),
        nll=scores.nll,
        error=scores.calibration_error,
        by_chance=error_by_chance(confidence, BINS),
        bins=tuple(reliability(confidence, correct, BINS)),
    )


def _scaled(card: Card, found: Answered) -> Scaled:
    told = _fitted(card)
    change = (found.losses(card.temperature) - found.losses(1.0)).double().numpy()
    count = told.get("images")
    return Scaled(
        temperature=card.temperature,
        images=count if isinstance(count, int) else None,
        part="validation" if told.get("part") == "validation" else "half",
        after=_calibration(found, card.temperature),
        change=mean_of(change),
    )


def _wrong(card: Card, images: Dataset, found: Answered) -> tuple[Wrong, ...]:
    """The wrong answers of the highest probability."""
    said, confidence = found.probabilities(card.temperature), found.confidence(card.temperature)
    wrong = (found.answers != found.labels).nonzero().flatten()
    first = wrong[confidence[wrong].argsort(descending=True, stable=True)][:_PICTURES].tolist()
    names = told_apart(images.test)
    return tuple(
        Wrong(
            name=names[at][0],
            answer=card.classes[int(found.answers[at])],
            probability=float(confidence[at]),
            label=card.classes[int(found.labels[at])],
            own=float(said[at, found.labels[at]]),
            picture=picture,
        )
        for at, picture in zip(first, pictures(images.test, first), strict=True)
    )
