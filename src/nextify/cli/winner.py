"""Training the network that was chosen, on all images."""

from pathlib import Path
from typing import Any

from nextify.cli.memory import require_memory
from nextify.cli.training import card_of, step_bar, train_in_folder
from nextify.data import Dataset
from nextify.data.whole import whole
from nextify.designs import Run
from nextify.files import read_json, write_json
from nextify.network import save_network
from nextify.records import Plan, Record
from nextify.study import Finalist
from nextify.training import Settings, default_device, default_loaders

SEEN = (
    "all images, the test images among them: no test accuracy can be stated for this network; "
    "'expected' is what the same design and recipe reached on test images that they had not seen, "
    "trained on the training images alone"
)


def train_winner(dataset: Dataset, finals: Plan, chosen: Finalist, folder: Path) -> dict[str, Any]:
    """Train the chosen design on training and test images together, for the recipe's number of
    epochs, with a seed that no other run has; what came of it, as plain values.

    Each image is seen as often as in the finals, so the steps, the warmup and the schedule are
    longer in proportion to the images. An interrupted training goes on from its last whole epoch,
    one that has ended is not done again.

    Raises:
        InputError: it does not fit the memory, or nothing can be written.
    """
    cell = next(each for each in finals.cells if each.name == chosen.name)
    everything = whole(dataset)
    run = Run(
        design=chosen.design,
        recipe=cell.recipe,
        data=everything.identity(),
        seed=max(finals.all_seeds) + 1,
        precision=finals.precision,
    )
    there = _ended(folder / "winner.json", run.key)
    if there is not None:
        return there
    record = _trained(run, everything, chosen, folder)
    values = _values(run, record)
    write_json(folder / "winner.json", values)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return values


def _trained(run: Run, dataset: Dataset, chosen: Finalist, folder: Path) -> Record:
    device = default_device()
    if device == "cpu":
        require_memory(run)
    with step_bar() as on_step:
        settings = Settings(
            device=device,
            workers=default_loaders(dataset, device),
            checkpoint=folder / "checkpoint.pt",
            on_step=on_step,
        )
        record, state = train_in_folder(run, dataset, settings, None, folder)
    if record.result is not None:
        about = {"run": run.key, "data": run.data, "seen": SEEN, "expected": expected(chosen)}
        save_network(state.judged, card_of(run, dataset, about), folder / "network.safetensors")
    return record


def expected(chosen: Finalist) -> dict[str, Any]:
    """The accuracy that the finals found, as plain values."""
    found = chosen.wide or chosen.interval
    return {
        "accuracy": chosen.mean,
        "interval": None if found is None else [found.low, found.high],
        "covers": "new seeds and new test images" if chosen.wide else "new seeds",
        "runs": chosen.finished,
    }


def _values(run: Run, record: Record) -> dict[str, Any]:
    """Without accuracies: they were measured on images that the network had seen."""
    curve = record.result.curve if record.result else record.curve
    return {
        "key": run.key,
        "outcome": record.outcome,
        "message": record.message,
        "seed": run.seed,
        "epochs": run.recipe.epochs,
        "images": run.data["train"],
        "train_loss": [point.train_loss for point in curve] if record.result else [],
        "seconds": record.measured.seconds if record.measured else None,
        "environment": dict(record.environment),
    }


def _ended(file: Path, key: str) -> dict[str, Any] | None:
    """What came of this run, if it has ended; another run's is not looked at."""
    values = read_json(file)
    if values is None or values.get("key") != key:
        return None
    has_network = (file.parent / "network.safetensors").exists()
    return values if has_network or values.get("outcome") != "finished" else None
