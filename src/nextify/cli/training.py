"""The commands train, evaluate and predict."""

from argparse import Namespace
from pathlib import Path

import torch

from nextify.cli.bars import step_bar
from nextify.cli.images import precision_of, source_of
from nextify.cli.show import note, note_skipped, print_json, print_table, say
from nextify.data import UnreadableImage, load
from nextify.designs import Design, Recipe, design, recipe
from nextify.designs.fields import read_fields
from nextify.designs.run import require_weights
from nextify.errors import InputError
from nextify.network import load_network
from nextify.records import Measured, Result
from nextify.requests import DataSpec
from nextify.training import InitialWeights
from nextify.training.classify import (
    Classified,
    classify,
    image_files,
    load_for,
    score,
    was_trained_on,
)
from nextify.training.folder import (
    Trained,
    default_folder,
    design_to_train,
    prepare,
    train_in_folder,
)
from nextify.training.machine import usable_device


def run(options: Namespace) -> int:
    """Carry out train, evaluate or predict."""
    return {"train": _train, "evaluate": _evaluate, "predict": _predict}[options.command](options)


def device_from(options: Namespace) -> str:
    """The device asked for, checked, with as many threads as asked for."""
    device = usable_device(options.device)
    if getattr(options, "threads", None) is not None:
        torch.set_num_threads(options.threads)
    return device


def _train(options: Namespace) -> int:
    name, overrides = options.design, options.overrides
    if name is not None and "=" in name:  # left out, since the weights tell it
        name, overrides = None, [name, *overrides]
    kind = Design if name is None else type(design(name))
    design_fields, recipe_fields = read_fields(overrides, kind, Recipe)
    how = recipe(options.recipe, **recipe_fields)
    require_weights(how, options.weights)
    chosen = design_to_train(name, design_fields, options.weights)
    device = device_from(options)
    dataset = load(**source_of(options), test_image_size=options.test_image_size)
    note_skipped(dataset.skipped)
    ready = prepare(
        chosen,
        how,
        dataset,
        weights=options.weights,
        new_head=options.new_head,
        seed=options.seed,
        precision=precision_of(options, device),
    )
    if ready.weights is not None:
        note(_about(ready.weights))
    folder = options.output or default_folder(name, options.recipe, ready.run)
    with step_bar() as on_step:
        trained = train_in_folder(
            ready.run,
            dataset,
            Path(folder),
            weights=ready.weights,
            device=device,
            loaders=options.loaders,
            on_step=on_step,
        )
    return _say_trained(trained, options.json)


def _about(weights: InitialWeights) -> str:
    kept = [] if weights.loaded.head_is_new else ["the head is kept: --new-head draws a new one"]
    return "; ".join((f"weights: {weights.loaded}", *kept, *weights.notes))


def _say_trained(trained: Trained, as_json: bool) -> int:
    record = trained.record
    if trained.was_there:
        note(f"{trained.folder} holds this run already; nothing to do")
    if as_json:
        print_json({**record.as_dict(), "folder": str(trained.folder)})
    elif record.result is None or record.measured is None:
        say(f"{record.outcome}: {record.message}")
    else:
        _say_result(record.result, record.measured)
        say(f"network: {trained.network}")
    return 0 if record.result is not None else 1


def _say_result(result: Result, measured: Measured) -> None:
    print_table(
        ["epoch", "training loss", "test accuracy", "of images"],
        [
            [str(p.epoch), f"{p.train_loss:.4f}", f"{p.accuracy:.2%}", str(p.images)]
            for p in result.curve
        ],
    )
    say(
        f"\naccuracy {result.accuracy:.2%} on {result.images:,} test images, negative "
        f"log-likelihood {result.nll:.4f} nats, calibration error "
        f"{result.calibration_error:.2%}\n{measured.images_per_second:,.0f} images/s in "
        f"training, {measured.seconds:.0f} s"
    )


def _evaluate(options: Namespace) -> int:
    network, card = load_network(Path(options.network))
    device = device_from(options)
    spec = DataSpec(**source_of(options), test_image_size=options.test_image_size)
    dataset = load_for(card, spec)
    note_skipped(dataset.skipped)
    scores = score(
        network,
        card,
        dataset,
        device=device,
        precision=precision_of(options, device),
        loaders=options.loaders,
    )
    if not was_trained_on(card, dataset):
        note("these are not the images, or not the split, that the network was trained and tested "
             "with: some test images may be among its training images")  # fmt: skip
    names = ("accuracy", "nll", "calibration_error")
    if options.json:
        values = {name: getattr(scores, name) for name in names}
        print_json({**values, "images": len(scores.correct)})
    else:
        say(
            f"accuracy {scores.accuracy:.2%} on {len(scores.correct):,} test images of "
            f"{dataset.name}, negative log-likelihood {scores.nll:.4f} nats, calibration error "
            f"{scores.calibration_error:.2%}"
        )
    return 0


def _predict(options: Namespace) -> int:
    network, card = load_network(Path(options.network))
    device = device_from(options)
    images = image_files(map(Path, options.images))
    answered: list[Classified] = []
    unreadable: list[UnreadableImage] = []
    for found in classify(network, card, images, top=options.top, device=device):
        if isinstance(found, UnreadableImage):
            unreadable.append(found)
            continue
        answered.append(found)
        if not options.json:
            classes = (f"{name} {probability:.1%}" for name, probability in found.classes)
            say(f"{found.image}: {', '.join(classes)}")
    if options.json:
        answers = [_values(one) for one in answered]
        print_json({"images": answers, "skipped": [error.path for error in unreadable]})
    if unreadable and not options.skip_unreadable:
        first = unreadable[0]
        raise InputError(  # the others have been answered
            f"{len(unreadable)} of {len(images)} images cannot be read, the first {first.path!r}: "
            f"{first.why}; replace or remove it, or use --skip-unreadable to leave it out and "
            "count it"
        )
    note_skipped([error.path for error in unreadable])
    return 0


def _values(one: Classified) -> dict[str, object]:
    classes = [{"class": name, "probability": value} for name, value in one.classes]
    return {"image": str(one.image), "classes": classes}
