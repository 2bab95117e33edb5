"""A network from a file at work: classifying images, and scored on a data set.

Both see images as the network's training did: a card that `convert` wrote states how the published
weights look at them; nextify's own networks see centre squares (`nextify.data.decode`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nextify.data import SUFFIXES, Dataset, Images, UnreadableImage, View, decode, load, stored_size
from nextify.data.augment import evaluation_view
from nextify.data.folder import images_below
from nextify.designs import Precision
from nextify.errors import InputError
from nextify.network import Card, Network
from nextify.network.weights.pairing import listed
from nextify.network.weights.preprocessing import from_about
from nextify.requests import DataSpec
from nextify.training.evaluate import Scores, evaluate


@dataclass(frozen=True, slots=True)
class Classified:
    """An image with its most likely classes, the best first, each with its probability."""

    image: Path
    classes: tuple[tuple[str, float], ...]


def classify(
    network: Network,
    card: Card,
    images: Sequence[Path],
    *,
    top: int = 3,
    device: str = "cpu",
    batch_size: int | None = None,
) -> Iterator[Classified | UnreadableImage]:
    """Classify image files, one batch after another; an unreadable one is answered by its error.

    Args:
        batch_size: None: one image on a CPU, whose cores share its work, and 64 on a GPU.
    """
    network = network.to(device)
    count = batch_size or (64 if torch.device(device).type == "cuda" else 1)
    for at in range(0, len(images), count):
        found = [(path, _pixels(path, card)) for path in images[at : at + count]]
        readable = [pixels for _, pixels in found if isinstance(pixels, Tensor)]
        answers = iter(_best(network, card, torch.stack(readable), top) if readable else ())
        for path, pixels in found:
            yield Classified(path, next(answers)) if isinstance(pixels, Tensor) else pixels


def _pixels(path: Path, card: Card) -> Tensor | UnreadableImage:
    """An image as (3, S, S) uint8."""
    view = published_view(card)
    try:
        return decode(path, stored_size(card.image_size)) if view is None else view.of_file(path)
    except UnreadableImage as error:
        return error


@torch.inference_mode()
def _best(
    network: Network, card: Card, pixels: Tensor, top: int
) -> list[tuple[tuple[str, float], ...]]:
    """The best classes of (N, 3, S, S) uint8 images."""
    device = next(network.parameters()).device
    view = evaluation_view(pixels.to(device), card.image_size, card.mean, card.std)
    probabilities = network(view).float().softmax(1).cpu()
    values, indices = probabilities.topk(min(top, len(card.classes)))
    return [
        tuple((card.classes[index], value) for value, index in zip(*one, strict=True))
        for one in zip(values.tolist(), indices.tolist(), strict=True)
    ]


def image_files(paths: Iterable[Path]) -> list[Path]:
    """The images of these paths, and those in the folders among them, in order.

    Raises:
        InputError: there is no such file, or a folder without images.
    """
    return [image for path in paths for image in _images_at(path)]


def _images_at(path: Path) -> list[Path]:
    try:
        found = [path / name for name in images_below(path)] if path.is_dir() else [path]
        if not path.exists():
            raise InputError(f"image {path} does not exist; give an image file or a folder")
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); give an image file or a "
                         "folder") from error  # fmt: skip
    if not found:
        raise InputError(f"folder {path} holds no images ({', '.join(sorted(SUFFIXES))}); give an "
                         "image file or a folder of them")  # fmt: skip
    return found


def published_view(card: Card, image_size: int | None = None) -> View | None:
    """How published weights look at images, if they are some; nextify's own see centre squares."""
    images = from_about(card.about)
    if images is None:
        return None
    return View(image_size or images.image_size, images.crop, images.interpolation)


def load_for(card: Card, spec: DataSpec) -> Dataset:
    """A data set, as `nextify.data.load` gives it, with its test images as a network sees them; by
    default of the sizes that it was trained with."""
    view = published_view(card, spec.test_image_size or spec.image_size)
    if view is not None:
        # The files themselves, not squares that are kept of them.
        files = replace(spec, image_size=None, test_image_size=None, memory_limit=0)
        return _seen(load(files), view)
    trained_at = card.about.get("data", {}).get("image_size", card.image_size)
    test_size = spec.test_image_size or card.image_size
    return load(replace(spec, image_size=spec.image_size or trained_at, test_image_size=test_size))


def _seen(dataset: Dataset, view: View) -> Dataset:
    test = dataset.test
    seen = view.of_images(test) if isinstance(test, Images) else replace(test, view=view)
    return replace(dataset, test=seen, test_image_size=view.image_size)


def score(
    network: Network,
    card: Card,
    dataset: Dataset,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    loaders: int = 0,
) -> Scores:
    """Score a network on the test images of a data set that `load_for` gave.

    Raises:
        InputError: its classes are others.
    """
    if dataset.classes != card.classes:
        raise InputError(
            f"the network's classes ({listed(card.classes)}) are not those of data set "
            f"{dataset.name!r} ({listed(dataset.classes)}); name images of its classes with --data"
        )
    seen = replace(dataset, mean=card.mean, std=card.std)
    return evaluate(
        network.to(device), seen, dataset.test, device=device, precision=precision, workers=loaders
    )


def was_trained_on(card: Card, dataset: Dataset) -> bool:
    """Whether these are the images, in the split, that a network was trained and tested with, as
    far as that can be told: their fingerprint covers their pixels, which another test size
    changes. A card that does not say is believed."""
    here = dataset.identity()
    there: Mapping[str, Any] = card.about.get("data", here)
    if there.get("test_image_size") == here.get("test_image_size"):
        return dict(there) == here
    names = ("name", "image_size", "classes", "train", "test")
    return all(there.get(name) == here[name] for name in names)
