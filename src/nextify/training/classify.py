"""A network from a file at work: classifying images, and scored on a data set.

Both see images as the network's training did: a card that `convert` wrote states how the published
weights look at them; nextify's own networks see centre squares (`nextify.data.decode`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from nextify.data import (
    SUFFIXES,
    Dataset,
    ImageFiles,
    Images,
    UnreadableImage,
    View,
    decode,
    in_order,
    load,
    permuted,
)
from nextify.data.augment import evaluation_view
from nextify.data.decoding import as_rgb, decode_opened
from nextify.data.walk import Found, images_below
from nextify.designs import Precision
from nextify.errors import InputError
from nextify.network import Card
from nextify.network.weights.namings import listed
from nextify.network.weights.preprocessing import from_about
from nextify.requests import DataSpec, stored_size
from nextify.training.calibration import Answered
from nextify.training.evaluate import answers_of, evaluate
from nextify.training.machine import plain_torch
from nextify.training.seen import split_seed_of, was_trained_on


@dataclass(frozen=True, slots=True)
class Classified:
    """An image with its most likely classes, the best first, each with its probability.

    Attributes:
        error: of an image that cannot be read, and has no classes: why.
    """

    image: "Picture"
    classes: tuple[tuple[str, float], ...] = ()
    error: UnreadableImage | None = None


Picture = Path | Image.Image
"""A file, or an image that Pillow has opened."""


def classify(
    network: nn.Module,
    card: Card,
    images: Sequence[Picture],
    *,
    top: int = 3,
    device: str = "cpu",
    batch_size: int | None = None,
) -> Iterator[Classified]:
    """Classify images, one batch after another; an unreadable one has an error and no classes.

    Args:
        batch_size: None: one image on a CPU, whose cores share its work, and 64 on a GPU.
    """
    network = network.to(device)
    count = batch_size or (64 if torch.device(device).type == "cuda" else 1)
    for at in range(0, len(images), count):
        with plain_torch():  # not around what is done with an answer
            found = [(image, pixels_of(image, card)) for image in images[at : at + count]]
            readable = [pixels for _, pixels in found if isinstance(pixels, Tensor)]
            stacked = [torch.stack(readable).to(device)] if readable else []
            answers = iter([best for some in stacked for best in _best(network, card, some, top)])
        for image, pixels in found:
            if isinstance(pixels, Tensor):
                yield Classified(image, next(answers))
            else:
                yield Classified(image, error=pixels)


def pixels_of(image: Picture, card: Card) -> Tensor | UnreadableImage:
    """An image as (3, S, S) uint8, as a network's view is taken of it; or why there are none."""
    view, size = published_view(card), stored_size(card.image_size)
    try:
        if isinstance(image, Path):
            return decode(image, size) if view is None else view.of_file(image)
        return decode_opened(image, size) if view is None else view(as_rgb(image))
    except UnreadableImage as error:
        return error


@torch.inference_mode()
def _best(
    network: nn.Module, card: Card, pixels: Tensor, top: int
) -> list[tuple[tuple[str, float], ...]]:
    """The best classes of (N, 3, S, S) uint8 images on the network's device."""
    view = evaluation_view(pixels, card.image_size, card.mean, card.std)
    seen = permuted(view, card.about.get("permuted_pixels"))
    logits = network(seen).float()
    require_finite(logits)
    values, indices = logits.softmax(1).topk(min(top, len(card.classes)))
    if card.temperature != 1.0:  # the answers stay what they are, to the last digit
        values = (logits / card.temperature).softmax(1).gather(1, indices)
    return [
        tuple((card.classes[index], value) for value, index in zip(*one, strict=True))
        for one in zip(values.tolist(), indices.tolist(), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class ImagePaths:
    """Images to classify.

    Attributes:
        paths: in order. found: for each folder, what it holds that was not taken.
    """

    paths: list[Path]
    found: tuple[Found, ...]


def image_files(paths: Iterable[Path]) -> ImagePaths:
    """The images of these paths, and those in the folders among them, in order.

    Raises:
        InputError: there is no such file, or a folder without images.
    """
    images: list[Path] = []
    found: list[Found] = []
    for path in paths:
        try:
            if path.is_dir():
                found.append(Found.below(path))
                images += _images_in(path, found[-1])
            elif path.exists():
                images.append(path)
            else:
                raise InputError(f"image {path} does not exist; give an image file or a folder")
        except OSError as error:
            raise InputError(f"{path} cannot be opened ({error.strerror}); give an image file or "
                             "a folder") from error  # fmt: skip
    return ImagePaths(images, tuple(found))


def _images_in(folder: Path, found: Found) -> list[Path]:
    images = [folder / name for name in images_below(folder, found)]
    if not images:
        raise InputError(
            f"folder {folder} holds no images ({', '.join(SUFFIXES[:3])} or one of "
            f"{len(SUFFIXES) - 3} other endings); give an image file or a folder of them"
        )
    return images


def published_view(card: Card, image_size: int | None = None) -> View | None:
    """How published weights look at images, if they are some; nextify's own see centre squares."""
    images = from_about(card.about)
    if images is None:
        return None
    fill = tuple(round(255 * value) for value in images.mean)
    size = image_size or images.image_size
    return View(size, images.crop, images.interpolation, images.crop_mode, fill)


def load_for(
    card: Card,
    spec: DataSpec,
    *,
    any_classes: bool = False,
    part: Callable[[Dataset], Dataset] = lambda dataset: dataset,
) -> Dataset:
    """A data set, as `nextify.data.load` gives it, with its test images as a network sees them; by
    default of the sizes that it was trained with, and with the pixels in that order.

    Of images that are in no splits, every one is a test image, unless the network was trained on
    these very images: then the part that its training set apart is. Classes of the same names
    stand in the order of the network's.

    Args:
        any_classes: take images of other classes, too: of what does not ask whether an answer is
            right. part: takes some of its images.

    Raises:
        InputError: its classes are others.
    """
    if spec.permute_pixels is None:
        spec = replace(spec, permute_pixels=card.about.get("permuted_pixels"))
    view = published_view(card, spec.test_image_size or spec.image_size)
    if view is not None:
        # The files themselves, not squares that are kept of them.
        spec = replace(spec, image_size=None, test_image_size=None, memory_limit=0)
    else:
        trained_at = card.about.get("data", {}).get("image_size", card.image_size)
        other = spec.image_size if spec.image_size != trained_at else None
        test_size = spec.test_image_size or other or card.image_size
        image_size = spec.image_size or trained_at
        spec = replace(spec, image_size=image_size, test_image_size=test_size)
    dataset = part(in_order(_unseen(card, spec), card.classes))
    if not any_classes:
        _require_classes(card, dataset)
    return dataset if view is None else _seen(dataset, view)


def _unseen(card: Card, spec: DataSpec) -> Dataset:
    """The data set, of which the test images are those that the network was not trained on, as far
    as its card tells."""
    every = load(spec, test_on_all=True)
    if not every.origin.all_tested:
        return every
    seed = split_seed_of(card, every.origin.content)
    if seed is not None:
        return load(replace(spec, split_seed=seed))
    if "images" not in card.about and _may_be_of(card, every):  # of before cards said it
        drawn = load(spec)
        return drawn if was_trained_on(card, drawn) else every
    return every


def _may_be_of(card: Card, every: Dataset) -> bool:
    """Whether a network may have been trained on a part of these images, by their number."""
    data = card.about.get("data", {})
    return bool(data.get("train", 0) + data.get("test", 0) == len(every.test))


def _require_classes(card: Card, dataset: Dataset) -> None:
    if dataset.classes != card.classes:
        raise InputError(
            f"the network's classes ({listed(card.classes)}) are not those of data set "
            f"{dataset.name!r} ({listed(dataset.classes)}); name images of its classes with --data"
        )


def _seen(dataset: Dataset, view: View) -> Dataset:
    origin, test = replace(dataset.origin, crop=view.shorter_side), _through(view, dataset.test)
    return replace(dataset, test=test, test_image_size=view.image_size, origin=origin)


def _through(view: View, images: Images | ImageFiles) -> Images | ImageFiles:
    return view.of_images(images) if isinstance(images, Images) else replace(images, view=view)


def seen_by(card: Card, images: Images | ImageFiles) -> Images | ImageFiles:
    """Images of a data set, of whatever size they are kept, as a network sees test images."""
    if (view := published_view(card)) is not None:
        return _through(view, images)
    size = stored_size(card.image_size)
    return images.resized(size) if isinstance(images, Images) else replace(images, stored_size=size)


def answered(
    network: nn.Module,
    card: Card,
    dataset: Dataset,
    *,
    device: str = "cpu",
    precision: Precision = "float32",
    loaders: int = 0,
) -> Answered:
    """What a network, as it is, answers to the test images of a data set that `load_for` gave.

    Raises:
        InputError: its classes are others, or its answers are no numbers.
    """
    _require_classes(card, dataset)
    seen = replace(dataset, mean=card.mean, std=card.std)
    answers = answers_of(network.to(device), seen, precision)
    heard: list[tuple[Tensor, Tensor]] = []

    def listen(pixels: Tensor) -> Tensor:
        found = answers(pixels)
        heard.append((found[:, 0], found[:, 0].exp().argmax(1)))  # the latter as it is scored
        return found

    scores = evaluate(network, seen, dataset.test, device=device, workers=loaders, answers=listen)
    said, best = (torch.cat(of).cpu() for of in zip(*heard, strict=True))
    require_finite(said)
    return Answered(scores, said, dataset.test.labels.cpu(), best)


def require_finite(answers: Tensor) -> None:
    """Check answers, an image a row.

    Raises:
        InputError: some are infinite or no numbers.
    """
    if lost := int((~answers.isfinite()).any(1).sum()):
        some = "an image" if len(answers) == 1 else f"{lost:,} of {len(answers):,} images"
        raise InputError(
            f"the network's answers to {some} are no finite numbers; train it again, or give one "
            "whose weights are finite"
        )
