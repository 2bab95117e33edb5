"""Commands train, evaluate and predict: one network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nextify.commands.studying import load_images
from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, UnreadableImage
from nextify.designs import Design, Precision, design, recipe
from nextify.designs import Recipe as RecipeFields
from nextify.designs.fields import read_fields
from nextify.designs.run import require_weights
from nextify.network import Card, Network, load_network
from nextify.requests import Evaluate, Machine, Predict, Train
from nextify.training import InitialWeights, Scores, Trained, prepare, train_in_folder
from nextify.training.classify import (
    Classified,
    classify,
    image_files,
    load_for,
    score,
    was_trained_on,
)
from nextify.training.folder import default_folder, design_to_train
from nextify.training.machine import default_precision, thread_count, usable_device


def train(request: Train, watch: Watch = QUIET) -> Trained:
    """Train one network into a folder, from scratch or from weights; an interrupted training goes
    on from its last whole epoch, and a folder that holds the run already is left as it is.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C, with how to go on.
    """
    name, texts = request.design, request.changes
    if request.design is not None and "=" in request.design:  # left out: the weights tell it
        name, texts = None, (request.design, *texts)
    kind = Design if name is None else type(design(name))
    design_fields, recipe_fields = read_fields(texts, kind, RecipeFields)
    how = recipe(request.recipe, **recipe_fields)
    require_weights(how, request.weights)
    chosen = design_to_train(name, design_fields, request.weights)
    with on_machine(request.machine) as (device, precision):
        spec = replace(request.data, test_image_size=request.test_image_size)
        images = load_images(spec, watch)
        ready = prepare(
            chosen,
            how,
            images,
            weights=request.weights,
            new_head=request.new_head,
            seed=request.seed,
            precision=precision,
        )
        if ready.weights is not None:
            watch.note(_about(ready.weights))
        folder = Path(request.output or default_folder(name, request.recipe, ready.run))
        with watch.steps() as on_step:
            trained = train_in_folder(
                ready.run,
                images,
                folder,
                weights=ready.weights,
                device=device,
                loaders=request.machine.loaders,
                on_step=on_step,
                note=watch.note,
            )
    if trained.was_there:
        watch.note(f"{folder} holds this run already; nothing to do")
    return trained


@contextmanager
def on_machine(asked: Machine) -> Iterator[tuple[str, Precision]]:
    """The device and precision asked for, checked; inside, as many threads as asked for."""
    device = usable_device(asked.device)
    with thread_count(asked.threads):
        yield device, asked.precision or default_precision(device)


def _about(weights: InitialWeights) -> str:
    kept = [] if weights.loaded.head_is_new else ["the head is kept: --new-head draws a new one"]
    return "; ".join((f"weights: {weights.loaded}", *kept, *weights.notes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """A network's scores, and the images that they are of."""

    scores: Scores
    images: Dataset


def evaluate(request: Evaluate, watch: Watch = QUIET) -> Evaluated:
    """Score a trained network on test images.

    Raises:
        InputError: no network, no such images, or other classes.
    """
    (network, card), on = load_network(Path(request.network)), request.machine
    with on_machine(on) as (device, precision):
        images = load_for(card, replace(request.data, test_image_size=request.test_image_size))
        watch.skipped(images.skipped)
        found = score(network, card, images, device=device, precision=precision, loaders=on.loaders)
    if not was_trained_on(card, images):
        watch.note(
            "these are not the images, or not the split, that the network was trained and tested "
            "with: some test images may be among its training images"
        )
    return Evaluated(scores=found, images=images)


@dataclass(frozen=True, slots=True)
class Predictions:
    """A network's answers, an image each, made one after the other while they are read."""

    network: Network
    card: Card
    images: list[Path]
    top: int
    device: str

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Classified | UnreadableImage]:
        return classify(self.network, self.card, self.images, top=self.top, device=self.device)


def predict(request: Predict) -> Predictions:
    """Classify images: iterated over, one answer an image, as soon as it is there.

    Raises:
        InputError: no network, or no such images.
    """
    network, card = load_network(Path(request.network))
    device = usable_device(request.device)
    images = image_files(map(Path, request.images))
    return Predictions(network, card, images, request.top, device)
