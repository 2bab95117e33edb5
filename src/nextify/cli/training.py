"""The commands train, evaluate and predict."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nextify.blueprint import require_image_size
from nextify.cli.folders import make_folder
from nextify.cli.memory import require_memory
from nextify.cli.show import note, note_skipped, print_json, print_table, say
from nextify.data import (
    SUFFIXES,
    Dataset,
    UnreadableImage,
    View,
    decode,
    load,
    stored_size,
)
from nextify.data.augment import evaluation_view
from nextify.data.dataset import ImageFiles, Images
from nextify.designs import AnyDesign, Design, Precision, Recipe, Run, design, recipe
from nextify.designs.fields import read_fields, with_fields
from nextify.designs.run import require_weights
from nextify.errors import InputError, unknown
from nextify.network import Card, Network, load_network, save_network
from nextify.network.weights.preprocessing import from_about
from nextify.records import Record
from nextify.study.kinds.path import require_batch
from nextify.study.running.failure import is_out_of_memory
from nextify.training import (
    InitialWeights,
    Settings,
    State,
    as_seen,
    default_device,
    design_of,
    evaluate,
    initial_weights,
    train_with_network,
)


def run(options: Namespace) -> int:
    """Carry out train, evaluate or predict."""
    return {"train": _train, "evaluate": _evaluate, "predict": _predict}[options.command](options)


def device_from(options: Namespace) -> str:
    """The device asked for, checked; by default a GPU where there is one."""
    chosen: str = options.device or default_device()
    if chosen.partition(":")[0] not in ("cpu", "cuda"):
        raise unknown("device", chosen, ("cpu", "cuda"))
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {chosen} cannot be used ({reason}); use cpu") from None
    if getattr(options, "threads", None) is not None:
        torch.set_num_threads(options.threads)
    return chosen


def precision_from(options: Namespace, device: str) -> Precision:
    """The precision asked for; by default mixed on a GPU."""
    if options.precision is not None:
        chosen: Precision = options.precision
        return chosen
    return "bfloat16" if device.startswith("cuda") else "float32"


def _load(
    options: Namespace, image_size: int | None = None, test_image_size: int | None = None
) -> Dataset:
    dataset = load(
        options.data,
        image_size=options.image_size or image_size,
        test_image_size=options.test_image_size or test_image_size,
        split_seed=options.split_seed,
        skip_unreadable=options.skip_unreadable,
        train_limit=options.train_limit,
    )
    note_skipped(dataset.skipped)
    return dataset


def _train(options: Namespace) -> int:
    name, overrides = _name_and_overrides(options)
    kind = Design if name is None else type(design(name))
    design_fields, recipe_fields = read_fields(overrides, kind, Recipe)
    trained = recipe(options.recipe).changed(recipe_fields)
    require_weights(trained, options.weights)
    chosen = _chosen(name, design_fields, options.weights)
    device = device_from(options)
    dataset = _load(options)
    require_image_size(chosen, dataset.image_size)
    require_image_size(chosen, dataset.test_size, dataset.image_size)
    weights = _weights(options, chosen, dataset.classes)
    run = Run(
        design=chosen,
        recipe=trained,
        data=dataset.identity(),
        seed=options.seed,
        precision=precision_from(options, device),
        initial=weights.about if weights else None,
    )
    dataset = as_seen(dataset, run)
    require_batch(run.recipe, len(dataset.train))
    folder = Path(options.output or f"runs/{name or 'network'}-{options.recipe}-{run.key[:8]}")
    there = _finished(folder, run)
    if there is not None:
        note(f"{folder} holds this run already; nothing to do")
        return _say_trained(there, folder, options.json)
    if device == "cpu":
        require_memory(run)
    record = _carry_out(run, dataset, weights, folder, device, options)
    return _say_trained(record.as_dict(), folder, options.json)


def _name_and_overrides(options: Namespace) -> tuple[str | None, list[str]]:
    """The design's name, which may be left out before FIELD=VALUE where weights tell it."""
    if options.design is not None and "=" in options.design:
        return None, [options.design, *options.overrides]
    return options.design, options.overrides


def _chosen(name: str | None, changes: dict[str, Any], source: str | None) -> AnyDesign:
    if name is not None:
        return design(name, **changes)
    if source is None:
        raise InputError("no design is named; give one (`nextify designs` lists them), or the "
                         "weights to start from with --weights")  # fmt: skip
    return with_fields(design_of(source), changes)


def _weights(
    options: Namespace, chosen: AnyDesign, classes: tuple[str, ...]
) -> InitialWeights | None:
    if options.weights is None:
        if options.new_head:
            raise InputError("--new-head is for weights to start from; give --weights, or leave it "
                             "out: without weights the head is new")  # fmt: skip
        return None
    weights = initial_weights(options.weights, chosen, classes, new_head=options.new_head)
    kept = [] if weights.loaded.head_is_new else ["the head is kept: --new-head draws a new one"]
    note("; ".join((f"weights: {weights.loaded}", *kept, *weights.notes)))
    return weights


def _finished(folder: Path, run: Run) -> dict[str, Any] | None:
    """The record in a folder, if it is this run's; None if the run is still to be carried out."""
    file = folder / "record.json"
    try:
        text = file.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error}); name another folder with "
                         "--output") from None  # fmt: skip
    try:
        values: dict[str, Any] = json.loads(text)
        key, result = values["key"], values["result"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} is no record; name another folder with --output") from None
    if key != run.key:
        raise InputError(
            f"{folder} holds another run (other design, recipe, weights, data or seed); name "
            "another folder with --output"
        )
    is_whole = result is None or (folder / "network.safetensors").exists()
    return values if is_whole else None


def _carry_out(
    run: Run,
    dataset: Dataset,
    weights: InitialWeights | None,
    folder: Path,
    device: str,
    options: Namespace,
) -> Record:
    make_folder(folder, "--output")

    def keep_best(state: State) -> None:
        about = {"epoch": state.epoch, "curve_accuracy": state.best_accuracy}
        save_network(state.judged, card_of(run, dataset, about), folder / "best.safetensors")

    with step_bar() as on_step:
        settings = Settings(
            device=device,
            workers=options.loaders,
            checkpoint=folder / "checkpoint.pt",
            on_step=on_step,
            on_best=keep_best,
        )
        record, state = train_in_folder(run, dataset, settings, weights, folder)
    if record.result is not None:
        about = {"accuracy": record.result.accuracy, "run": record.key, "data": run.data}
        if run.initial is not None:
            about["weights"] = run.initial.source
        save_network(state.judged, card_of(run, dataset, about), folder / "network.safetensors")
    _write_record(folder / "record.json", record)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return record


def train_in_folder(
    run: Run, dataset: Dataset, settings: Settings, weights: InitialWeights | None, folder: Path
) -> tuple[Record, State]:
    """Train a run whose checkpoint is in a folder.

    Raises:
        InputError: it took more memory than there is.
        KeyboardInterrupt: that says how to go on.
    """
    try:
        return train_with_network(run, dataset, settings, weights)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; the same command goes on from the last whole epoch in {folder}"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"training with batch_size={run.recipe.batch_size} took more memory than there is; "
            "set a smaller batch_size, or choose a narrower design or smaller images"
        ) from error


def _write_record(path: Path, record: Record) -> None:
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(record.as_dict(), indent=2))
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # where the parent is no folder, there is nothing to remove
            partial.unlink()
        raise InputError(f"cannot write {path}: {error.strerror}; free space there and repeat "
                         "the command, which goes on from the checkpoint") from error  # fmt: skip


def card_of(run: Run, dataset: Dataset, about: dict[str, Any]) -> Card:
    """What belongs to the weights of a run's network."""
    return Card(
        design=run.design,
        classes=dataset.classes,
        image_size=dataset.test_size,
        mean=dataset.mean,
        std=dataset.std,
        about=about,
    )


@contextmanager
def step_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error, where someone watches; what `Settings.on_step` takes."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("training", total=None)
        yield lambda step, steps: progress.update(task, completed=step, total=steps)


def _say_trained(record: dict[str, Any], folder: Path, as_json: bool) -> int:
    result, measured = record["result"], record["measured"]
    if as_json:
        print_json({**record, "folder": str(folder)})
    elif result is None:
        say(f"{record['outcome']}: {record['message']}")
    else:
        _say_result(result, measured, folder)
    return 0 if result is not None else 1


def _say_result(result: dict[str, Any], measured: dict[str, Any], folder: Path) -> None:
    print_table(
        ["epoch", "training loss", "test accuracy", "of images"],
        [
            [str(p["epoch"]), f"{p['train_loss']:.4f}", f"{p['accuracy']:.2%}", str(p["images"])]
            for p in result["curve"]
        ],
    )
    say(
        f"\naccuracy {result['accuracy']:.2%} on {result['images']:,} test images, negative "
        f"log-likelihood {result['nll']:.4f} nats, calibration error "
        f"{result['calibration_error']:.2%}\n{measured['images_per_second']:,.0f} images/s in "
        f"training, {measured['seconds']:.0f} s\nnetwork: {folder / 'network.safetensors'}"
    )


def _evaluate(options: Namespace) -> int:
    network, card = load_network(Path(options.network))
    device = device_from(options)
    view = _published_view(card, options.test_image_size or options.image_size)
    dataset = _load(options, *_sizes(card)) if view is None else _load_seen(options, view)
    if dataset.classes != card.classes:
        raise InputError(
            f"the network's classes ({_few(card.classes)}) are not those of data set "
            f"{dataset.name!r} ({_few(dataset.classes)}); use the data that it was trained for"
        )
    trained_on = card.about.get("data", dataset.identity())
    if not _is_same(trained_on, dataset.identity()):
        note("these are not the images, or not the split, that the network was trained and tested "
             "with: some test images may be among its training images")  # fmt: skip
    seen = replace(dataset, mean=card.mean, std=card.std)
    scores = evaluate(
        network.to(device),
        seen,
        dataset.test,
        device=device,
        precision=precision_from(options, device),
        workers=options.loaders,
    )
    values = {
        "accuracy": scores.accuracy,
        "nll": scores.nll,
        "calibration_error": scores.calibration_error,
        "images": len(scores.correct),
    }
    if options.json:
        print_json(values)
    else:
        say(
            f"accuracy {scores.accuracy:.2%} on {len(scores.correct):,} test images of "
            f"{dataset.name}, negative log-likelihood {scores.nll:.4f} nats, calibration error "
            f"{scores.calibration_error:.2%}"
        )
    return 0


def _published_view(card: Card, image_size: int | None = None) -> View | None:
    """How published weights look at images, if they are some; nextify's own see centre squares."""
    images = from_about(card.about)
    if images is None:
        return None
    return View(image_size or images.image_size, images.crop, images.interpolation)


def _load_seen(options: Namespace, view: View) -> Dataset:
    """The data set with its test images as published weights look at them."""
    dataset = load(
        options.data,
        split_seed=options.split_seed,
        skip_unreadable=options.skip_unreadable,
        train_limit=options.train_limit,
        memory_limit=0,  # the files themselves, not the squares that would be kept of them
    )
    note_skipped(dataset.skipped)
    match dataset.test:
        case Images() as images:
            seen: Images | ImageFiles = view.of_images(images)
        case ImageFiles() as images:
            seen = replace(images, view=view)
    return replace(dataset, test=seen, test_image_size=view.image_size)


def _is_same(trained_on: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether these are the images that a network was trained and tested with, as far as that can
    be told: their fingerprint covers their pixels, which another test size changes."""
    if trained_on.get("test_image_size") == here.get("test_image_size"):
        return trained_on == here
    names = ("name", "image_size", "classes", "train", "test")
    return all(trained_on.get(name) == here[name] for name in names)


def _sizes(card: Card) -> tuple[int, int]:
    """The sides in pixels of the training images, where the card tells them, and of the test
    images."""
    return card.about.get("data", {}).get("image_size", card.image_size), card.image_size


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown}, ... {len(names)} in all"


def _predict(options: Namespace) -> int:
    network, card = load_network(Path(options.network))
    device = device_from(options)
    network = network.to(device)
    answers: list[dict[str, Any]] = []
    unreadable: list[UnreadableImage] = []
    for path in _image_files(options.images):
        try:
            answer = _classify(network, card, path, options.top, device)
        except UnreadableImage as error:
            unreadable.append(error)
            continue
        answers.append(answer)
        if not options.json:
            say(_in_words(answer))
    if options.json:
        print_json({"images": answers, "skipped": [error.path for error in unreadable]})
    if unreadable:
        _report_unreadable(unreadable, len(answers), options.skip_unreadable)
    return 0


def _in_words(answer: dict[str, Any]) -> str:
    classes = (f"{best['class']} {best['probability']:.1%}" for best in answer["classes"])
    return f"{answer['image']}: {', '.join(classes)}"


def _report_unreadable(unreadable: list[UnreadableImage], answered: int, is_fine: bool) -> None:
    first, count = unreadable[0], len(unreadable)
    if is_fine:
        note_skipped([error.path for error in unreadable])
        return
    raise InputError(  # the others have been answered
        f"{count} of {count + answered} images cannot be read, the first {first.path!r}: "
        f"{first.why}; replace or remove it, or use --skip-unreadable to leave it out and count it"
    )


def _image_files(arguments: list[str]) -> list[Path]:
    """The images named, and those in the folders named, in order."""
    return [image for argument in arguments for image in _images_at(Path(argument))]


def _images_at(path: Path) -> list[Path]:
    try:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            found = [p for p in inside if p.is_file() and not p.name.startswith(".")]
        elif path.exists():
            return [path]
        else:
            raise InputError(f"image {path} does not exist; give an image file or a folder")
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); give an image file or a "
                         "folder") from error  # fmt: skip
    if not found:
        raise InputError(f"folder {path} holds no images ({', '.join(sorted(SUFFIXES))}); give an "
                         "image file or a folder of them")  # fmt: skip
    return found


@torch.inference_mode()
def _classify(network: Network, card: Card, path: Path, top: int, device: str) -> dict[str, Any]:
    published = _published_view(card)
    if published is None:
        pixels = decode(path, stored_size(card.image_size))
    else:
        pixels = published.of_file(path)
    view = evaluation_view(pixels[None].to(device), card.image_size, card.mean, card.std)
    probabilities = network(view).float().softmax(1)[0].cpu()
    best = probabilities.topk(min(top, len(card.classes)))
    classes = [
        {"class": card.classes[index], "probability": value}
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
    return {"image": str(path), "classes": classes}
