"""The commands train, evaluate and predict."""

from nextify.cli.show import file_values, print_json, print_table, say
from nextify.commands.sizes import EvaluatedSizes, evaluate_at
from nextify.commands.training import Evaluated, predict, train
from nextify.commands.watch import ON_STDERR
from nextify.data import UnreadableImage
from nextify.errors import InputError
from nextify.records import ClassCounts, Measured, Result
from nextify.report.details import CHANGE
from nextify.report.evaluation.words import at_temperature
from nextify.report.page import ends_of
from nextify.requests import Evaluate, Predict, Train
from nextify.training import Trained
from nextify.training.classify import Classified
from nextify.words import MISSING, hundred, percent, signed, span


def run(request: Train | Evaluate | Predict, as_json: bool) -> int:
    """Carry out train, evaluate or predict."""
    if isinstance(request, Train):
        return _say_trained(train(request, ON_STDERR), as_json)
    if isinstance(request, Evaluate):
        found = evaluate_at(request, ON_STDERR)
        if isinstance(found, EvaluatedSizes):
            return _say_sizes(found, as_json)
        return _say_evaluated(found, as_json)
    return _predict(request, as_json)


def _say_trained(trained: Trained, as_json: bool) -> int:
    record = trained.record
    if as_json:
        print_json({**record.as_dict(), "folder": str(trained.folder)})
    elif record.result is None or record.measured is None:
        say(f"{record.outcome}: {record.message}")
    else:
        watched = "validation" if record.run["data"].get("validation") else "test"
        _say_result(record.result, record.measured, watched)
        _say_answered(record.result.answered, record.result.accuracy)
        if record.message:
            say(record.message)
        say(f"network: {trained.network}")
    return 0 if record.result is not None else 1


def _say_result(result: Result, measured: Measured, watched: str) -> None:
    rows = [
        [str(at.epoch), f"{at.train_loss:.4f}", f"{at.accuracy:.2%}", str(at.images)]
        for at in result.curve
    ]
    print_table(["epoch", "training loss", f"{watched} accuracy", "of images"], rows)
    say(
        f"\naccuracy {result.accuracy:.2%} on {result.images:,} test images"
        f"{_by_class(result.per_class)}, negative log-likelihood {result.nll:.4f} nats, "
        f"calibration error {result.calibration_error:.2%}\n"
        f"{measured.images_per_second:,.0f} images/s in training, {measured.seconds:.0f} s"
    )


def _by_class(counts: ClassCounts | None) -> str:
    """The scores in which all classes count alike, where classes are unequal."""
    if counts is None or not counts.unequal:
        return ""
    return f", balanced accuracy {counts.balanced_accuracy:.2%}, macro F1 {counts.macro_f1:.2%}"


def _say_answered(classes: int | None, accuracy: float) -> None:
    """That a network answers one class only; it may be right where there is one class only."""
    if classes == 1 and accuracy < 1:
        say(
            "the network answers one class only, whatever it sees: it learned nothing; train it "
            f"again with {CHANGE}"
        )


_BY_CLASS = ("balanced_accuracy", "macro_f1")


def _say_evaluated(found: Evaluated, as_json: bool) -> int:
    scores, scaled = found.scores, found.content.scaled
    if as_json:
        names = ("accuracy", "nll", "calibration_error", "answered")
        values = {name: getattr(scores, name) for name in names}
        of_classes = {name: getattr(scores.per_class, name) for name in _BY_CLASS}
        warmth = {} if scaled is None else {"temperature": scaled.temperature}
        counts = {"images": len(scores.correct), "calibration_images": found.content.before.images}
        print_json({**values, **of_classes, **counts, **warmth, **file_values(found.report)})
    else:
        say(
            f"accuracy {scores.accuracy:.2%} on {len(scores.correct):,} test images of "
            f"{found.images.name}{_by_class(scores.per_class)}, negative log-likelihood "
            f"{scores.nll:.4f} nats, calibration error {scores.calibration_error:.2%}"
        )
        if scaled is not None:
            say(at_temperature(scaled))
        _say_answered(scores.answered, scores.accuracy)
        if found.report is not None:
            say(f"report: {found.report.html}")
    return 0


def _say_sizes(done: EvaluatedSizes, as_json: bool) -> int:
    if as_json:
        print_json({"base": done.base, "sizes": [
            {"size": each.size, "accuracy": each.found.scores.accuracy,
             "images": len(each.found.scores.correct), "difference": each.difference,
             **ends_of("difference", each.interval)}
            for each in done.sizes
        ]})  # fmt: skip
        return 0
    print_table(["pixels a side", "accuracy, %", "difference, points", "95 % interval"], [
        [str(each.size), percent(hundred(each.found.scores.accuracy)),
         signed(hundred(each.difference)),
         MISSING if each.interval is None
         else span(100 * each.interval.low, 100 * each.interval.high)]
        for each in done.sizes
    ])  # fmt: skip
    images = len(done.sizes[0].found.scores.correct)
    say(
        f"\ndifferences are to {done.base} pixels, image by image on {images:,} test images; each "
        "interval is of this network, for new images"
    )
    return 0


def _predict(request: Predict, as_json: bool) -> int:
    found = predict(request, ON_STDERR)
    answers: list[dict[str, object]] = []
    unreadable: list[UnreadableImage] = []
    for one in found:
        if one.error is not None:
            unreadable.append(one.error)
        elif as_json:
            answers.append(_values(one))
        else:
            classes = (f"{name} {probability:.1%}" for name, probability in one.classes)
            say(f"{one.image}: {', '.join(classes)}")
    skipped = [error.path for error in unreadable or found.skipped]
    if as_json:
        print_json({"images": answers, "skipped": skipped})
    if unreadable:
        first = unreadable[0]
        raise InputError(  # the others have been answered
            f"{len(unreadable)} of {len(found)} images cannot be read, the first {first.path!r}: "
            f"{first.why}; replace or remove it, or use --skip-unreadable to leave it out and "
            "count it"
        )
    ON_STDERR.skipped(skipped)
    return 0


def _values(one: Classified) -> dict[str, object]:
    classes = [{"class": name, "probability": value} for name, value in one.classes]
    return {"image": str(one.image), "classes": classes}
