"""The commands train, evaluate and predict."""

import json
import sys
from argparse import Namespace
from contextlib import nullcontext
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

from nextify.blueprint import require_fit
from nextify.cli.show import note, print_json, print_table
from nextify.data import SUFFIXES, Dataset, UnreadableImage, decode, load, stored_size
from nextify.data.augment import evaluation_view
from nextify.designs import Design, Precision, Recipe, Run, design, recipe
from nextify.designs.fields import read_fields
from nextify.errors import InputError
from nextify.network import Card, Network, load_network, save_network
from nextify.records import Record
from nextify.training import Settings, State, default_device, evaluate, train_with_network


def run(options: Namespace) -> int:
    """Carry out train, evaluate or predict."""
    return {"train": _train, "evaluate": _evaluate, "predict": _predict}[options.command](options)


def device_from(options: Namespace) -> str:
    """The device asked for, checked; by default a GPU where there is one."""
    chosen = options.device or default_device()
    try:
        kind = torch.device(chosen).type
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {chosen} cannot be used ({reason}); use cpu") from None
    if getattr(options, "threads", None) is not None:
        if options.threads < 1:
            raise InputError(f"--threads is {options.threads}; it must be at least 1")
        torch.set_num_threads(options.threads)
    return "cuda" if kind == "cuda" and chosen == "cuda" else str(chosen)


def precision_from(options: Namespace, device: str) -> Precision:
    """The precision asked for; by default mixed on a GPU."""
    if options.precision is not None:
        chosen: Precision = options.precision
        return chosen
    return "bfloat16" if device.startswith("cuda") else "float32"


def _load(options: Namespace, image_size: int | None = None) -> Dataset:
    dataset = load(
        options.data,
        image_size=options.image_size or image_size,
        split_seed=options.split_seed,
        skip_unreadable=options.skip_unreadable,
        train_limit=options.train_limit,
    )
    if dataset.skipped:
        note(f"{len(dataset.skipped)} unreadable images left out, the first {dataset.skipped[0]}")
    return dataset


def _train(options: Namespace) -> int:
    design_fields, recipe_fields = read_fields(options.overrides, Design, Recipe)
    chosen, trained = design(options.design, **design_fields), recipe(options.recipe)
    device = device_from(options)
    dataset = _load(options)
    require_fit(chosen, dataset.image_size)
    run = Run(
        design=chosen,
        recipe=trained.changed(recipe_fields),
        data=dataset.identity(),
        seed=options.seed,
        precision=precision_from(options, device),
    )
    folder = Path(options.output or f"runs/{options.design}-{options.recipe}-{run.key[:8]}")
    there = _finished(folder, run)
    if there is not None:
        note(f"{folder} holds this run already; nothing to do")
        return _say_trained(there, folder, options.json)
    record = _carry_out(run, dataset, folder, device, options)
    return _say_trained(record.as_dict(), folder, options.json)


def _finished(folder: Path, run: Run) -> dict[str, Any] | None:
    """The record in a folder, if it is this run's."""
    file = folder / "record.json"
    if not file.exists():
        return None
    try:
        values: dict[str, Any] = json.loads(file.read_text())
        key = values["key"]
    except (ValueError, KeyError, TypeError, OSError):
        raise InputError(f"{file} is no record; name another folder with --output") from None
    if key != run.key:
        raise InputError(
            f"{folder} holds another run (other design, recipe, data or seed); name another "
            "folder with --output"
        )
    return values


def _carry_out(run: Run, dataset: Dataset, folder: Path, device: str, options: Namespace) -> Record:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make folder {folder}: {error.strerror}; name another with "
                         "--output") from error  # fmt: skip

    def keep_best(state: State) -> None:
        about = {"epoch": state.epoch, "curve_accuracy": state.best_accuracy}
        save_network(state.judged, _card(run, dataset, about), folder / "best.safetensors")

    progress = _progress()
    with progress if progress is not None else nullcontext():
        task = None if progress is None else progress.add_task("training", total=None)

        def on_step(step: int, steps: int) -> None:
            if progress is not None and task is not None:
                progress.update(task, completed=step, total=steps)

        settings = Settings(
            device=device,
            workers=options.loaders,
            checkpoint=folder / "checkpoint.pt",
            on_step=on_step,
            on_best=keep_best,
        )
        try:
            record, state = train_with_network(run, dataset, settings)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted; the same command goes on from the last whole epoch in {folder}"
            ) from None
    if record.result is not None:
        about = {"accuracy": record.result.accuracy, "run": record.key}
        save_network(state.judged, _card(run, dataset, about), folder / "network.safetensors")
    _write_record(folder / "record.json", record)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return record


def _write_record(path: Path, record: Record) -> None:
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(record.as_dict(), indent=2))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}; free space there and repeat "
                         "the command, which goes on from the checkpoint") from error  # fmt: skip


def _card(run: Run, dataset: Dataset, about: dict[str, Any]) -> Card:
    return Card(
        design=run.design,
        classes=dataset.classes,
        image_size=dataset.image_size,
        mean=dataset.mean,
        std=dataset.std,
        about=about,
    )


def _progress() -> Progress | None:
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _say_trained(record: dict[str, Any], folder: Path, as_json: bool) -> int:
    if as_json:
        print_json({**record, "folder": str(folder)})
        return 0
    result, measured = record["result"], record["measured"]
    if result is None:
        print(f"{record['outcome']}: {record['message']}")
        return 0
    print_table(
        ["epoch", "training loss", "test accuracy", "of images"],
        [
            [str(p["epoch"]), f"{p['train_loss']:.4f}", f"{p['accuracy']:.2%}", str(p["images"])]
            for p in result["curve"]
        ],
    )
    print(
        f"\naccuracy {result['accuracy']:.2%} on {result['images']:,} test images, negative "
        f"log-likelihood {result['nll']:.4f} nats, calibration error "
        f"{result['calibration_error']:.2%}\n{measured['images_per_second']:,.0f} images/s in "
        f"training, {measured['seconds']:.0f} s\nnetwork: {folder / 'network.safetensors'}"
    )
    return 0


def _evaluate(options: Namespace) -> int:
    network, card = load_network(Path(options.network))
    device = device_from(options)
    dataset = _load(options, card.image_size)
    if dataset.classes != card.classes:
        raise InputError(
            f"the network's classes ({_few(card.classes)}) are not those of data set "
            f"{dataset.name!r} ({_few(dataset.classes)}); use the data that it was trained for"
        )
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
        print(
            f"accuracy {scores.accuracy:.2%} on {len(scores.correct):,} test images of "
            f"{dataset.name}, negative log-likelihood {scores.nll:.4f} nats, calibration error "
            f"{scores.calibration_error:.2%}"
        )
    return 0


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown}, ... {len(names)} in all"


def _predict(options: Namespace) -> int:
    if options.top < 1:
        raise InputError(f"--top is {options.top}; it must be at least 1")
    network, card = load_network(Path(options.network))
    device = device_from(options)
    answers, skipped = [], []
    for path in _image_files(options.images):
        try:
            answers.append(_classify(network.to(device), card, path, options.top, device))
        except UnreadableImage as error:
            if not options.skip_unreadable:
                raise
            skipped.append(error)
    if options.json:
        print_json({"images": answers, "skipped": [str(error.path) for error in skipped]})
    else:
        for answer in answers:
            best = ", ".join(f"{p['class']} {p['probability']:.1%}" for p in answer["classes"])
            print(f"{answer['image']}: {best}")
    if skipped:
        note(f"{len(skipped)} unreadable images left out, the first {skipped[0].path}")
    return 0


def _image_files(arguments: list[str]) -> list[Path]:
    """The images named, and those in the folders named, in order."""
    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise InputError(f"folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"image {path} does not exist; give an image file or a folder")
    return found


@torch.inference_mode()
def _classify(network: Network, card: Card, path: Path, top: int, device: str) -> dict[str, Any]:
    pixels = decode(path, stored_size(card.image_size))[None].to(device)
    view = evaluation_view(pixels, card.image_size, card.mean, card.std)
    probabilities = network(view).float().softmax(1)[0].cpu()
    best = probabilities.topk(min(top, len(card.classes)))
    classes = [
        {"class": card.classes[index], "probability": value}
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
    return {"image": str(path), "classes": classes}
