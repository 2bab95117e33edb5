"""Results in Python, ready for use: images that were loaded, and networks that were trained. In a
notebook they show themselves.

>>> import nextify as nx
>>> images = nx.load("embedded", train_limit=100)
>>> len(images.dataset.train), images.dataset.classes[:2]
(100, ('T-shirt/top', 'Trouser'))
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from io import IOBase
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from nextify.commands.exporting import ExportedNetwork, export
from nextify.commands.sizes import EvaluatedSizes, evaluate_at
from nextify.commands.training import Evaluated, Predictions
from nextify.commands.watch import ON_STDERR, QUIET, Watch
from nextify.data import Dataset, batches
from nextify.data.pictures import picture
from nextify.errors import InputError
from nextify.machine.lines import hushed
from nextify.network import Card
from nextify.network.export.files import load_answering
from nextify.records import Record
from nextify.report.announce import announced_images
from nextify.report.cells.designs import in_words
from nextify.report.notebook import MOST_ROWS, Shown, View, view_of_training
from nextify.requests import (
    DataSpec,
    Evaluate,
    Export,
    Predict,
    accepted,
    command_of,
    entries,
    made,
    require_used,
)
from nextify.training.classify import Picture, image_files
from nextify.training.machine import as_a_guest, plain_torch, usable_device
from nextify.words import in_short

Q = TypeVar("Q")
R = TypeVar("R")
Given = str | PathLike[str] | Image.Image | NDArray[np.uint8]
_SAMPLES, _SIDE = 6, 56  # pictures of a class in a notebook, and their side in pixels


@dataclass(frozen=True, eq=False, repr=False)
class LoadedImages(Shown):
    """A data set, and how it was asked for: every `data=` takes it."""

    spec: DataSpec
    dataset: Dataset

    @plain_torch()
    def _view(self, *, pictures: bool) -> View:
        train, test = self.dataset.counts()
        rows: list[list[str | bytes]] = [
            [name, f"{n:,}", f"{m:,}"]
            for name, n, m in zip(self.dataset.classes, train, test, strict=True)
        ]
        for label, row in enumerate(rows[:MOST_ROWS]):
            row.append(self._samples(label) if pictures else "")
        head = ("class", "training", "test", "some of them")
        return View(announced_images(self.dataset).splitlines(), head, rows)

    def _samples(self, label: int) -> bytes:
        """Some training images of a class in a row."""
        own = (self.dataset.train.labels == label).nonzero().flatten()
        some = own[:: max(1, len(own) // _SAMPLES)][:_SAMPLES]
        chosen = self.dataset.train.take(some)
        ((pixels, _),) = batches(chosen, _SAMPLES, generator=None, device="cpu")
        return picture(*pixels, side=_SIDE)


def with_images(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a kind of request, with what asks for the images in the place of `data`.

    Raises:
        InputError: it asks for what such a request has no option for.
    """
    match options.get("data"):
        case LoadedImages(spec=spec) | (DataSpec() as spec):
            usual, said = asdict(DataSpec(source=spec.source)), asdict(spec)
            said = {name: value for name, value in said.items() if value != usual[name]}
            for name in sorted(said.keys() - {entry.key for entry in entries(kind)}):
                raise InputError(f"data has {name}={said[name]}, and {command_of(kind)} has no "
                                 "such option; leave it out")  # fmt: skip
            return {**said, **options, "data": spec.source}
    return dict(options)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AtWork(Shown):
    """A trained network, ready for work.

    Attributes:
        file: of the network; None where its training did not finish. data: the images that it is
            scored on, if there are some that it has not seen.
    """

    file: Path | None
    data: DataSpec | None = None

    @cached_property
    @plain_torch()
    def _opened(self) -> tuple[nn.Module, Card]:
        """What answers images: not `network`, which may be moved, trained and changed."""
        return load_answering(self._file)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is read of the file when it is asked for: a runtime cannot be pickled."""
        return {name: of for name, of in vars(self).items() if name not in ("_opened", "network")}

    @property
    def _file(self) -> Path:
        if self.file is None:
            raise InputError(
                "there is no network: none was chosen, or its training did not "
                "finish; see .record or .choice"
            )
        return self.file

    @cached_property
    @plain_torch()
    def network(self) -> nn.Module:
        """The network, a torch.nn.Module in evaluation mode, on the CPU: of normalised images
        (N, 3, S, S) to logits (N, classes). What is done to it changes no answer of `predict`."""
        return load_answering(self._file)[0]

    @property
    def card(self) -> Card:
        """What belongs to its weights: classes, size and normalisation of images, temperature."""
        return self._opened[1]

    def evaluate(self, *, quiet: bool = False, **options: Any) -> Evaluated | EvaluatedSizes:
        """Score it on test images; see `nextify.requests.Evaluate` for options. Without `data`, on
        those of its training."""
        asked = self._with_images(Evaluate, options)
        if "data" not in asked:
            raise InputError("there are no images that this network is known not to have seen; "
                             "name some with data=...")  # fmt: skip
        request = require_used(made(Evaluate, {**asked, "network": str(self._file)}))
        found = carried_out(evaluate_at, request, quiet)
        self.__dict__.pop("_opened", None)  # its temperature may be another now
        return found

    def export(
        self, output: str | PathLike[str], *, quiet: bool = False, **options: Any
    ) -> ExportedNetwork:
        """Write it for another runtime; see `nextify.requests.Export` for options. Without `data`,
        it is checked on the images of its training."""
        places = {"network": str(self._file), "output": str(output)}
        request = require_used(made(Export, {**self._with_images(Export, options), **places}))
        return carried_out(export, request, quiet)

    def _with_images(self, kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options, where they name no images with what asks for those that it is scored on."""
        known = {} if self.data is None or "data" in options else {"data": self.data}
        return with_images(kind, {**known, **options})

    def predict(
        self, *images: Given | Iterable[Given], top: int = 3, skip_unreadable: bool = False
    ) -> Predictions:
        """Classify image files, folders of them, Pillow's images and arrays (H, W, 3) of uint8,
        each by itself, in lists or from a generator.

        Args:
            top: so many classes an image. skip_unreadable: leave out images that cannot be read.

        Raises:
            InputError: no such file, or something that is no image.
        """
        top = next(accepted(entry, top) for entry in entries(Predict) if entry.key == "top")
        every: list[Picture] = []
        for each in each_of(images):
            if isinstance(each, str | PathLike):
                every += image_files([Path(each)]).paths
            else:
                every.append(each if isinstance(each, Image.Image) else _of_array(each))
        return Predictions(*self._opened, every, top, usable_device(), skip_unreadable)


def carried_out(work: Callable[[Q, Watch], R], request: Q, quiet: bool) -> R:
    """What a function makes of a request, in a process that is its caller's: `as_a_guest`. Quietly,
    nothing is told, nor by who reads images."""
    with as_a_guest(), hushed(quiet):
        return work(request, QUIET if quiet else ON_STDERR)


def each_of(given: Iterable[Any]) -> Iterator[Any]:
    """What is given, one after another, those in lists and from generators, too. An open file
    would give its lines, and is one."""
    for one in given:
        if isinstance(one, list | tuple | Iterator) and not isinstance(one, IOBase):
            yield from each_of(one)
        else:
            yield one


def _of_array(pixels: Any) -> Image.Image:
    if not isinstance(pixels, np.ndarray):
        raise InputError(
            f"{in_short(pixels)} is no image; give a file, a folder, an image that Pillow has "
            "opened, an array of uint8, or a list of these"
        )
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not fits or pixels.dtype != np.uint8 or not pixels.size:
        raise InputError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is no image; give (height, "
            "width), (height, width, 3) or (height, width, 4) of uint8, 0 to 255"
        )
    return Image.fromarray(pixels)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Classifier(AtWork):
    """The network in a file, also an exported one, or in the folder that training made."""

    def _view(self, *, pictures: bool) -> View:
        card = self.card
        seen = f"images of {card.image_size} pixels a side; {len(card.classes)} classes"
        return View([str(self.file), f"{in_words(card.design)}; {seen}"])


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainedNetwork(AtWork):
    """A network and the record of its training, in a folder.

    Attributes:
        was_there: whether the folder held this run already, so that nothing was done.
    """

    record: Record
    folder: Path
    was_there: bool

    def _view(self, *, pictures: bool) -> View:
        return view_of_training(self.record, str(self.folder), pictures=pictures)
