"""Training the network that was chosen, on all images, or on all but the test images."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nextify.data import Dataset
from nextify.designs import Run
from nextify.designs.values import Amount, Count, Float, Positive, Seed, Share, from_values
from nextify.errors import InputError
from nextify.files import alone, read_json
from nextify.findings.choice import Choice
from nextify.records import Outcome, Plan, Record
from nextify.studies.running.worker import weights_for
from nextify.training.folder import (
    NETWORK,
    card_of,
    forget_checkpoint,
    keep,
    require_fit,
    train_from_checkpoint,
)
from nextify.training.loop import settings_on
from nextify.training.seen import draw_of, seen_in

SEEN = (
    "all images, the test images among them: no test accuracy can be stated for this network; "
    "'expected' is what the same design and recipe reach on images that they have not seen, "
    "trained on the training images alone, corrected for the design's having been chosen by it"
)


SEEN_ONCE = (
    "all images but the test images, which had no part in choosing it: 'accuracy' is of these; "
    "'expected' is what the same design and recipe reach by the finals, on held-out images"
)


def train_winner(
    everything: Dataset,
    finals: Plan,
    choice: Choice,
    folder: Path,
    on_step: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train the chosen design on all images, for the recipe's number of epochs, with a seed that
    no other run has; what came of it, as plain values.

    The test images are among them, unless the finals were judged on held-out images: then it is
    tested on them, which no choice has looked at.

    Each image is seen as often as in the finals, so the steps, the warmup and the schedule are
    longer in proportion to the images. An interrupted training goes on from its last whole epoch,
    one that has ended is not done again.

    Raises:
        InputError: it does not fit the memory, nothing can be written, or another process trains
            it in this folder.
    """
    cell = next(each for each in finals.cells if each.name == choice.winner)
    what = "training images" if finals.held_out else "images"
    run = Run(
        design=cell.design,
        recipe=cell.recipe,
        data={**everything.identity(), "name": f"{finals.data['name']}, all {what}"},
        seed=max(finals.all_seeds) + 1,
        precision=finals.precision,
        initial=cell.initial,
    )
    file = folder / "winner.json"
    settings = replace(settings_on(None, everything), on_step=on_step)
    with alone(folder, "name another folder with --output"):
        there = _ended(file, run.key, note)
        if there is not None:
            forget_checkpoint(file)  # a kill may have come before
            return there
        require_fit(run, settings)
        weights = weights_for(run, everything)
        record, state = train_from_checkpoint(run, everything, folder, settings, weights, note)
        values = _values(run, record, is_tested=finals.held_out)
        about = {"run": run.key, "data": run.data, "seen": SEEN, "expected": expected(choice)}
        about |= seen_in(everything, test_seen=not finals.held_out)
        if values["accuracy"] is not None:
            about |= {"seen": SEEN_ONCE, "accuracy": values["accuracy"], **draw_of(everything)}
        keep(file, values, record, state, card_of(run, everything, about, weights))
        return values


def expected(choice: Choice) -> dict[str, Any]:
    """The accuracy to expect by the finals, as plain values; none with one seed."""
    best, found = choice.finalist(str(choice.winner)), choice.expected
    between = found and found.interval
    return {
        "accuracy": found and found.value,
        "interval": between and [between.low, between.high],
        "covers": "new seeds and new images" if found and found.new_images else "new seeds",
        "measured": best.mean,
        "runs": best.finished,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Winner:
    """What came of it. Without an accuracy where it was measured on images that the network had
    seen.

    Attributes:
        tested: images that the accuracy is of.
    """

    key: str
    outcome: Outcome
    message: str
    seed: Seed
    epochs: Positive
    images: Positive
    train_loss: tuple[Float, ...]
    seconds: Amount | None
    environment: Mapping[str, Any]
    accuracy: Share | None = None
    tested: Count = 0


def _values(run: Run, record: Record, *, is_tested: bool) -> dict[str, Any]:
    result = record.result if is_tested else None
    values = asdict(
        _Winner(
            key=run.key,
            outcome=record.outcome,
            message=record.message,
            seed=run.seed,
            epochs=run.recipe.epochs,
            images=run.data["train"],
            train_loss=tuple(point.train_loss for point in record.curve if record.result),
            seconds=record.measured.seconds if record.measured else None,
            environment=dict(record.environment),
            accuracy=result.accuracy if result else None,
            tested=result.images if result else 0,
        )
    )
    return {**values, "train_loss": list(values["train_loss"])}


def _ended(file: Path, key: str, note: Callable[[str], None]) -> dict[str, Any] | None:
    """What came of this run, if it has ended; another run's is not looked at."""
    try:
        values = read_json(file)
        if values is None or values.get("key") != key:
            return None
        ended = from_values(_Winner, values)
    except InputError as error:
        note(f"{file} is damaged ({error}); the network is trained again")
        return None
    has_network = file.with_name(NETWORK).exists()
    return values if has_network or ended.outcome != "finished" else None
