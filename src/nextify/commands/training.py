"""Commands train, evaluate and predict: one network."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

from torch import nn

from nextify.blueprint import require_image_size
from nextify.commands.judging import calibrated, evaluation
from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, UnreadableImage, load, set_aside, with_validation
from nextify.data.pictures import picture
from nextify.data.walk import is_own
from nextify.designs import Design, Precision, Run, design, recipe
from nextify.designs import Recipe as RecipeFields
from nextify.designs.fields import read_fields
from nextify.designs.run import require_weights, telling
from nextify.designs.suited import suited_fields, suited_recipe
from nextify.errors import InputError
from nextify.machine import cores
from nextify.machine.ranks import rank_here
from nextify.network import Card, Network, save_network
from nextify.network.export.files import load_answering
from nextify.network.files import network_file
from nextify.report.announce import (
    announced_left_out,
    announced_predictions,
    announced_recipes,
    calibrated_note,
    evaluated_note,
)
from nextify.report.evaluation.content import EvaluationContent
from nextify.report.evaluation.figures import confusion_figure
from nextify.report.evaluation.files import write_evaluation
from nextify.report.evaluation.words import HEAD, answer, probability, row
from nextify.report.notebook import MOST_ROWS, Shown, View
from nextify.report.page import ReportFiles
from nextify.requests import Evaluate, Machine, Predict, Train, command_line
from nextify.training import InitialWeights, Prepared, Scores, Trained, prepare, train_in_folder
from nextify.training.calibration import Answered
from nextify.training.classify import (
    Classified,
    Picture,
    answered,
    classify,
    image_files,
    load_for,
    pixels_of,
    published_view,
)
from nextify.training.folder import default_folder, design_to_train
from nextify.training.machine import (
    default_precision,
    loaders_for,
    thread_count,
    usable_device,
)
from nextify.training.seen import (
    has_seen_tested,
    require_unseen,
    told_seen,
    was_trained_on,
)
from nextify.training.timing import Allowance, time_run
from nextify.training.world import World, together
from nextify.words import duration, plural


def train(request: Train, watch: Watch = QUIET) -> Trained:
    """Train one network into a folder, from scratch or from weights; an interrupted training goes
    on from its last whole epoch, and a folder that holds the run already is left as it is. The
    processes that torchrun starts train it together, and the first one tells of it.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C, with how to go on.
    """
    asked = _shared_out(request.machine)
    with on_machine(asked) as (device, precision), together(device) as world:
        watch = watch if world.is_first else QUIET
        ready, recipe_name = world.by_all(lambda: _prepared(request, precision))
        _require_same(ready.run, world)
        if ready.weights is not None:
            watch.note(_about(ready.weights, ready.dataset))
        folder = Path(request.output or default_folder(request.design, recipe_name, ready.run))
        _require_apart(folder, request.data.source)

        def on_start() -> None:
            watch.images(ready.dataset)
            used = (recipe_name, ready.run.recipe, len(ready.dataset.train))
            watch.note(announced_recipes([used]))
            watch.note(f"about {duration(_seconds(ready, device, world))}")

        with watch.steps() as shown:
            trained = train_in_folder(
                ready.run,
                ready.dataset,
                folder,
                weights=ready.weights,
                device=device,
                loaders=_loaders(request.machine, device),
                log=request.log,
                checkpoint_steps=request.checkpoint_steps,
                on_start=on_start,
                on_step=shown.step,
                on_epoch=shown.epoch,
                note=watch.note,
                world=world,
            )
    if trained.was_there:
        watch.note(f"{folder} holds this run already; nothing to do")
    return trained


def _require_apart(folder: Path, source: str) -> None:
    """Check that a run does not go among the images, which would then be taken for its results."""
    is_among = Path(source).resolve() in (folder.resolve(), *folder.resolve().parents)
    if is_among and folder.is_dir() and not is_own(folder) and any(folder.iterdir()):
        raise InputError(
            f"--output {folder} is a folder of the images in {source}; give one of its own, as "
            "runs/mine"
        )


def _shared_out(asked: Machine) -> Machine:
    """With this process's share of the cores, where it is one of several and no threads are asked
    for: torchrun would have each use one."""
    rank = rank_here()
    if rank.size == 1 or asked.threads is not None:
        return asked
    return replace(asked, threads=max(1, cores() // rank.local_size))


def _require_same(run: Run, world: World) -> None:
    """Check that all processes have the same run. Raises `InputError`."""
    told = run.as_dict()
    images = told.pop("data")
    told["fingerprint of the images"] = images.get("fingerprint")
    told["data set"] = telling(images)
    world.require_same(told, "give all of them the same command and the same images")


def _prepared(request: Train, precision: Precision) -> tuple[Prepared, str]:
    """What is asked for, and the name of its recipe."""
    name = request.design  # left out: the weights tell it
    kind = Design if name is None else type(design(name))
    design_fields, recipe_fields = read_fields(request.changes, kind, RecipeFields)
    if request.recipe is not None:  # before images, which take longer
        require_weights(recipe(request.recipe, **recipe_fields), request.weights)
    chosen = design_to_train(name, design_fields, request.weights)
    spec = replace(request.data, test_image_size=request.test_image_size)
    images = with_validation(load(spec), spec)
    recipe_name, how = _recipe(request, recipe_fields, images)
    if how.patience and images.validation is None:
        images = set_aside(images, spec.split_seed)
    ready = prepare(
        chosen,
        how,
        images,
        weights=request.weights,
        new_head=request.new_head,
        seed=request.seed,
        precision=precision,
    )
    return ready, recipe_name


def _seconds(ready: Prepared, device: str, world: World) -> float:
    """That a training will take, by two of its steps; of several processes, each with its part, and
    if they did not wait for one another."""
    part = len(world.part(ready.run.recipe.batch_size))
    allowed = Allowance(warmup=1, steps=2, images=part, seconds=3.0)
    whole = time_run(ready.run, ready.dataset, allowed, weights=ready.weights, device=device)
    return whole / world.size


def _recipe(request: Train, fields: Mapping[str, Any], images: Dataset) -> tuple[str, RecipeFields]:
    """The recipe that is named, as it is; else what suits the images."""
    if request.recipe is not None:
        return request.recipe, recipe(request.recipe, **fields)
    count, side = len(images.train), images.image_size
    name = suited_recipe(count, pretrained=request.weights is not None)
    batch, epochs, crop = map(fields.get, ("batch_size", "epochs", "crop"))
    suited = suited_fields(name, count, side, batch=batch, epochs=epochs, crop=crop)
    return name, recipe(name, **{**suited, **fields})


@contextmanager
def on_machine(asked: Machine) -> Iterator[tuple[str, Precision]]:
    """The device and precision asked for, checked; inside, as many threads as asked for."""
    device = usable_device(asked.device)
    with thread_count(asked.threads):
        yield device, asked.precision or default_precision(device)


def _loaders(asked: Machine, device: str) -> int:
    """As many as asked for; else what suits the device."""
    return loaders_for(device) if asked.loaders is None else asked.loaders


def _about(weights: InitialWeights, images: Dataset) -> str:
    kept = [] if weights.loaded.head_is_new else ["the head is kept: --new-head draws a new one"]
    seen = {"weights_saw": weights.saw}
    note = [f"they {told_seen(seen, images)}"] if has_seen_tested(seen, images) else []
    return "; ".join((f"weights: {weights.loaded}", *kept, *weights.notes, *note))


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Evaluated(Shown):
    """A network's scores, and the images that they are of.

    Attributes:
        scores: likelihood and calibration with the network's temperature, where it has one, on
            images that did not fit it. content: all that a page tells. report: the files that were
            written, if any were asked for.
    """

    scores: Scores
    images: Dataset
    content: EvaluationContent
    report: ReportFiles | None = None

    def _view(self, *, pictures: bool) -> View:
        told = self.content
        lines = sorted(told.lines, key=lambda line: 1.0 if line.recall is None else line.recall)
        rows = [row(line) for line in lines]
        figure = confusion_figure(told).png if pictures else None
        return View(list(answer(told)), HEAD, rows, figure)


def _asked(request: Evaluate) -> tuple[nn.Module, Card]:
    network, card = load_answering(Path(request.network))
    if request.calibrate and not isinstance(network, Network):
        raise InputError(
            f"{request.network} is an exported file, which cannot keep a temperature; "
            "calibrate the network that it was exported from, and export it again"
        )
    return network, card


def evaluate(request: Evaluate, watch: Watch = QUIET) -> Evaluated:
    """Score a trained network on test images; where that is asked for, fit its temperature first
    and keep it with the network.

    Raises:
        InputError: no network, no such images, other classes, or no temperature fits.
    """
    on, size = request.machine, next(iter(request.test_sizes), None)
    spec = replace(request.data, test_image_size=size)
    with on_machine(on) as (device, precision):
        network, card = _asked(request)
        images = load_for(card, spec)
        require_image_size(card.design, images.test_size, card.image_size)
        watch.images(images)
        require_unseen(card, images)

        def ask(about: Dataset) -> Answered:
            loaders = _loaders(on, device)
            return answered(
                network, card, about, device=device, precision=precision, loaders=loaders
            )

        found = ask(images)
        if request.calibrate:
            card = calibrated(card, spec, images, found, ask)
            file = network_file(request.network)
            assert isinstance(network, Network)
            save_network(network, card, file)
            watch.note(calibrated_note(card.temperature, str(file)))
    note = evaluated_note(was_trained_on(card, images), images)
    if note:
        watch.note(note)
    keeps, command = isinstance(network, Network), command_line(request)
    content = evaluation(request.network, card, images, found, note, command, keeps=keeps)
    report = write_evaluation(content, request.report) if request.report else None
    scores = found.scores
    if (scaled := content.scaled) is not None:
        scores = replace(scores, nll=scaled.after.nll, calibration_error=scaled.after.error)
    return Evaluated(scores=scores, images=images, content=content, report=report)


@dataclass(frozen=True, slots=True, repr=False)
class Predictions(Shown):
    """A network's answers, an image each, made one after the other while they are read.

    Attributes:
        skip_unreadable: whether images that cannot be read are left out, where answers are read one
            after the other. skipped: why, of those that the last reading has left out.
    """

    network: nn.Module
    card: Card
    images: Sequence[Picture]
    top: int
    device: str
    skip_unreadable: bool = False
    skipped: list[UnreadableImage] = field(default_factory=list, init=False)

    def __len__(self) -> int:
        """Of all images, those that cannot be read among them."""
        return len(self.images)

    def __iter__(self) -> Iterator[Classified]:
        self.skipped.clear()
        for one in classify(self.network, self.card, self.images, top=self.top, device=self.device):
            if one.error is not None and self.skip_unreadable:
                self.skipped.append(one.error)
            else:
                yield one

    @overload
    def __getitem__(self, at: int) -> Classified: ...
    @overload
    def __getitem__(self, at: slice) -> "Predictions": ...
    def __getitem__(self, at: int | slice) -> "Classified | Predictions":
        """The answer to one of the images, whether or not it can be read, or those to some."""
        if isinstance(at, slice):
            return replace(self, images=self.images[at])
        (one,) = replace(self, images=[self.images[at]], skip_unreadable=False)
        return one

    def _view(self, *, pictures: bool) -> View:
        rows = [self._row(found, pictures) for found in self[:MOST_ROWS]]
        said = [f"{plural(len(self), 'image')}, the most likely classes of each"]
        return View(said, ("image", "classes", "name"), rows, of=len(self))

    def _row(self, found: Classified, pictures: bool) -> list[str | bytes]:
        name = str(found.image) if isinstance(found.image, Path) else "in memory"
        pixels = pixels_of(found.image, self.card) if pictures else None
        if found.error is not None or isinstance(pixels, UnreadableImage):
            return ["", "cannot be read", name]
        said = (f"{known} {probability(value)}" for known, value in found.classes)
        shown = "" if pixels is None else picture(pixels, side=96)
        return [shown, ", ".join(said), name]


def predict(request: Predict, watch: Watch = QUIET) -> Predictions:
    """Classify images: one answer an image, made when it is read.

    Raises:
        InputError: no network, or no such images.
    """
    network, card = load_answering(Path(request.network))
    published_view(card)  # refuses a damaged one before anything is said
    device = usable_device(request.device)
    images = image_files(map(Path, request.images))
    for found in images.found:
        for line in announced_left_out(found.left_out, found.outside):
            watch.note(line)
    watch.note(announced_predictions(len(images.paths), card.classes, card.image_size))
    return Predictions(network, card, images.paths, request.top, device, request.skip_unreadable)
