"""One training in a folder: its network, what came of it, and what an interrupted one goes on from.

>>> from tempfile import TemporaryDirectory
>>> from nextify.data import load
>>> from nextify.designs import design, recipe
>>> ready = prepare(design("convnext-mini"), recipe("modern-small", epochs=1),
...                 load("embedded", train_limit=64))
>>> with TemporaryDirectory() as folder:
...     trained = train_in_folder(ready.run, ready.dataset, Path(folder))
...     again = train_in_folder(ready.run, ready.dataset, Path(folder))
>>> trained.network.name, again.was_there, again.record.result == trained.record.result
('network.safetensors', True, True)
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nextify.blueprint import require_image_size
from nextify.costs.batch import require_values
from nextify.data import Dataset
from nextify.designs import AnyDesign, Precision, Recipe, Run, design
from nextify.designs.fields import with_fields
from nextify.designs.run import content_key, require_batch
from nextify.errors import InputError, is_out_of_memory
from nextify.files import alone, forget_drafts, make_folder, read_json, write_json
from nextify.network import Card, save_network
from nextify.records import Record, record_from_dict
from nextify.training.initial import InitialWeights, Source, as_seen, design_of, initial_weights
from nextify.training.logs import Form, Log, log_in
from nextify.training.loop import (
    OnEpoch,
    OnProgress,
    Settings,
    require_parts,
    settings_on,
    train_with_network,
)
from nextify.training.memory import require_memory
from nextify.training.seen import draw_of
from nextify.training.state import State, Unreadable
from nextify.training.world import ALONE, World

RECORD, NETWORK, BEST = "record.json", "network.safetensors", "best.safetensors"
_CHECKPOINT = "checkpoint.pt"
_ELSEWHERE = "name another folder with --output"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run with its images and, where it starts from some, its weights."""

    run: Run
    dataset: Dataset
    weights: InitialWeights | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A run's record and the folder that it is in.

    Attributes:
        was_there: whether the folder held this run already, so that nothing was done.
    """

    record: Record
    folder: Path
    was_there: bool = False

    @property
    def network(self) -> Path | None:
        """The file of the trained network; None if the run did not finish."""
        return None if self.record.result is None else self.folder / NETWORK


def design_to_train(
    name: str | None, changes: Mapping[str, Any], weights: Source | None = None
) -> AnyDesign:
    """The design of a name, or else that of the weights to start from, with some fields changed.

    Raises:
        InputError: neither is given; an unknown name or field; what the weights are is not known.
    """
    if name is not None:
        return design(name, **changes)
    if weights is None:
        raise InputError("no design is named; give one (`nextify designs` lists them), or the "
                         "weights to start from with --weights")  # fmt: skip
    return with_fields(design_of(weights), changes)


def prepare(
    chosen: AnyDesign,
    recipe: Recipe,
    dataset: Dataset,
    *,
    weights: Source | None = None,
    new_head: bool = False,
    seed: int = 0,
    precision: Precision = "float32",
) -> Prepared:
    """The run of a design under a recipe on a data set.

    Args:
        weights, new_head: to start from, as `initial_weights` takes them.

    Raises:
        InputError: the images are too small for the design or fewer than a batch, the weights are
            of another design, or the recipe needs some.
    """
    require_image_size(chosen, dataset.image_size)
    require_image_size(chosen, dataset.test_size, dataset.image_size)
    if new_head and weights is None:
        raise InputError("--new-head is for weights to start from; give --weights, or leave it "
                         "out: without weights the head is new")  # fmt: skip
    initial = None
    if weights is not None:
        initial = initial_weights(weights, chosen, dataset.classes, new_head=new_head)
    require_batch(recipe, len(dataset.train))
    if recipe.trainable != "head":  # a frozen body keeps its statistics
        require_values(chosen, recipe.part_size, dataset.image_size)
    data, about = dataset.identity(), initial.about if initial else None
    run = Run(
        design=chosen, recipe=recipe, data=data, seed=seed, precision=precision, initial=about
    )
    return Prepared(run, dataset, initial)


def default_folder(design_name: str | None, recipe_name: str, run: Run) -> Path:
    """Where a run goes that is given no folder, by however many processes."""
    key = replace(run, processes=1).key
    return Path(f"runs/{design_name or 'network'}-{recipe_name}-{key[:8]}")


def train_in_folder(
    run: Run,
    dataset: Dataset,
    folder: str | Path,
    *,
    weights: InitialWeights | None = None,
    device: str | None = None,
    loaders: int | None = None,
    log: Form | None = None,
    checkpoint_steps: int | None = None,
    on_start: Callable[[], None] | None = None,
    on_step: OnProgress | None = None,
    on_epoch: OnEpoch | None = None,
    note: Callable[[str], None] = lambda line: None,
    world: World = ALONE,
) -> Trained:
    """Train a run, unless the folder holds it already; an interrupted one goes on from its last
    whole epoch, or from the last of every so many steps.

    The folder gets `network.safetensors`, `record.json` and, of a data set with validation images,
    `best.safetensors`: the network after the epoch that was best on these. Until then it holds a
    checkpoint.

    Args:
        device, loaders: where it trains and how many processes decode streamed images; None for
            what suits the machine. checkpoint_steps, on_start, on_step, on_epoch: as in `Settings`.
        log: the form in which the folder gets each epoch's numbers; None for no log.
        note: takes a line for people.
        world: the processes that train it together; the folder is the first one's.

    Raises:
        InputError: the folder holds another run or cannot be written; the run does not fit the
            memory; as `train_with_network` does.
        KeyboardInterrupt: that says how to go on.
    """
    folder, run = Path(folder), replace(run, processes=world.size)
    if (there := world.by_first(lambda: _finished(folder, run))) is None:
        settings = replace(
            settings_on(device, dataset, loaders),
            checkpoint_steps=checkpoint_steps,
            on_start=on_start,
            on_step=on_step,
            on_epoch=on_epoch,
            world=world,
        )
        own = world.by_all(lambda: _checked(run, dataset, folder, settings, log))
        with ExitStack() as held:

            def hold() -> Record | None:
                make_folder(folder)
                held.enter_context(alone(folder, _ELSEWHERE))
                return _finished(folder, run)  # by another process, in this moment

            if (there := world.by_first(hold)) is None:
                return _train(run, dataset, folder, replace(settings, log=own), weights, note)
    if world.is_first:
        with suppress(InputError), alone(folder, _ELSEWHERE):
            forget_checkpoint(folder / RECORD)  # a kill may have come before
    return Trained(there, folder, was_there=True)


def _checked(
    run: Run, dataset: Dataset, folder: Path, settings: Settings, form: Form | None
) -> Log | None:
    """Check that a run can be carried out so; what the first process writes epochs into."""
    require_parts(run, dataset, settings)
    require_fit(run, settings)
    if form is None or not settings.world.is_first:
        return None
    return log_in(folder, form, "test" if dataset.validation is None else "validation")


def _train(
    run: Run,
    dataset: Dataset,
    folder: Path,
    settings: Settings,
    weights: InitialWeights | None,
    note: Callable[[str], None],
) -> Trained:
    about = {"run": run.key, "data": run.data, **draw_of(dataset)}

    def keep_best(state: State) -> None:
        reached = {"epoch": state.epoch, "curve_accuracy": state.best_accuracy}
        save_network(
            state.judged, card_of(run, dataset, {**reached, **about}, weights), folder / BEST
        )

    best = replace(settings, on_best=keep_best)
    try:
        record, state = train_from_checkpoint(run, dataset, folder, best, weights, note)
    finally:
        if settings.log is not None:
            settings.log.close()
    accuracy = None if record.result is None else record.result.accuracy
    card = card_of(run, dataset, {"accuracy": accuracy, **about}, weights)
    settings.world.by_first(lambda: keep(folder / RECORD, record.as_dict(), record, state, card))
    return Trained(record, folder)


def _finished(folder: Path, run: Run) -> Record | None:
    """The record in a folder, if it is this run's; None if the run is still to be carried out."""
    file = folder / RECORD
    values = read_json(file)
    if values is None:
        return None
    try:
        record = record_from_dict(values)
    except InputError as error:
        raise InputError(
            f"file {file} is no record, or damaged ({error}); remove it to train again, or "
            f"{_ELSEWHERE}"
        ) from None
    ours = run.as_dict()
    if "validation_fingerprint" not in record.run["data"]:  # of before it was told
        ours["data"].pop("validation_fingerprint", None)
    if record.key != run.key and content_key(record.run) != content_key(ours):
        raise InputError(
            f"{folder} holds another run (other design, recipe, weights, data, precision or seed); "
            f"{_ELSEWHERE}"
        )
    is_whole = record.result is None or (folder / NETWORK).exists()
    return record if is_whole else None


def require_fit(run: Run, settings: Settings) -> None:
    """Check that a run on the processor fits the memory. Raises `InputError`."""
    if settings.device == "cpu":
        require_memory(run)


def train_from_checkpoint(
    run: Run,
    dataset: Dataset,
    folder: Path,
    settings: Settings,
    weights: InitialWeights | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> tuple[Record, State]:
    """As `train_with_network`, with a checkpoint in a folder that nobody else writes into.

    From one that is damaged it cannot go on: it is noted, and the training starts again.

    Raises:
        InputError: the run takes more memory than there is.
        KeyboardInterrupt: that says how to go on.
    """
    try:
        kept = replace(settings, checkpoint=folder / _CHECKPOINT)
        try:
            return train_with_network(run, dataset, kept, weights)
        except Unreadable:
            note(f"{kept.checkpoint} is damaged: the training starts again from its first epoch")
            settings.world.by_first(lambda: forget_checkpoint(folder / RECORD))
            return train_with_network(run, dataset, kept, weights)
    except KeyboardInterrupt:
        last = "whole epoch" if settings.checkpoint_steps is None else "checkpoint"
        raise KeyboardInterrupt(
            f"interrupted; the same command goes on from the last {last} in {folder}"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"training with batch_size={run.recipe.batch_size} took more memory than there is; "
            "set a smaller batch_size, or choose a narrower design or smaller images"
        ) from error


def keep(file: Path, values: Mapping[str, Any], record: Record, state: State, card: Card) -> None:
    """Keep what came of a training: the network beside a file of values, if it finished."""
    if record.result is not None:
        save_network(state.judged, card, file.with_name(NETWORK))
    write_json(file, values)
    forget_checkpoint(file)


def forget_checkpoint(file: Path) -> None:
    """Remove what is needed no more when all is kept beside a file of values, if that can be done:
    the checkpoint, and what kills have left of files that were being written."""
    with suppress(OSError):
        file.with_name(_CHECKPOINT).unlink()
    for name in (file.name, NETWORK, BEST, _CHECKPOINT):
        forget_drafts(file.with_name(name))


def card_of(
    run: Run, dataset: Dataset, about: dict[str, Any], weights: InitialWeights | None = None
) -> Card:
    """What belongs to the weights of a run's network, which started from weights if it names any;
    what these have seen, it has seen, too."""
    if run.initial is not None:
        about = {**about, "weights": run.initial.source}
    if weights is not None and weights.saw:
        about = {**about, "weights_saw": list(weights.saw)}
    seen = as_seen(dataset, run)
    if "permuted_pixels" in run.data:  # so that it sees images as in its training
        about = {**about, "permuted_pixels": run.data["permuted_pixels"]}
    return Card(run.design, dataset.classes, dataset.test_size, seen.mean, seen.std, about)
