"""What a data set is: images with labels for training and for testing, and who it is.

Images are kept as uint8 and normalised on the device, with the data set's own mean and deviation.
They are either all in memory (`Images`) or decoded when asked for (`ImageFiles`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from nextify.data.contents import Contents, Listing
from nextify.data.kept import Release, nothing
from nextify.data.splits import stratified_subset
from nextify.errors import InputError
from nextify.machine import memory
from nextify.requests import stored_size
from nextify.words import gibibytes

# Of the training images of ImageNet-1k, as torchvision and the paper use them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LARGE = 1 << 20  # bytes of a file that several threads read faster
_CHUNK = 1 << 22  # values worked on at once: enough to be fast, little enough to need no memory


@dataclass(frozen=True, eq=False)
class Images:
    """Images in memory, on any device. Which of the rows are theirs is only an index until their
    pixels are asked for: a plan needs no copy of them."""

    rows: Tensor  # (M, C, S, S) uint8; C is 1 or 3, S the stored size
    labels: Tensor  # (N,) int64
    index: Tensor | None = None  # (N,) int64: the row of each image; None: all, in order
    release: Release = nothing  # lets go of the memory of rows that are mapped from a file
    files: Contents | None = None  # the file of each row, where it is from one

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def contents_of_files(self) -> Contents | None:
        """The file of each image, where they are from files."""
        return self.files if self.index is None else self.files and self.files.take(self.index)

    def __reduce__(self) -> tuple[type, tuple[Tensor, Tensor, Tensor | None]]:
        return Images, (self.rows, self.labels, self.index)  # elsewhere they are of no file

    @cached_property
    def pixels(self) -> Tensor:
        """(N, C, S, S) uint8."""
        return self.rows if self.index is None else self.rows[self.index]

    def chunks(self) -> Iterator[Tensor]:
        """The pixels, some images at a time; of a file that is mapped, no more is in memory."""
        count = max(1, _CHUNK // max(1, self.rows[:1].numel()))
        if self.index is None or "pixels" in self.__dict__:
            parts: Iterable[Tensor] = torch.split(self.pixels, count)
        else:
            parts = (self.rows[some] for some in torch.split(self.index, count))
        for part in parts:
            yield part
            self.release()

    def to(self, device: torch.device | str) -> "Images":
        """The same images on a device."""
        files = self.contents_of_files
        return Images(self.pixels.to(device), self.labels.to(device), files=files)

    def take(self, indices: Tensor) -> "Images":
        """The images of these (M,) ascending indices; a range of them shares the memory."""
        if len(indices) and int(indices[-1] - indices[0]) + 1 == len(indices):
            part = slice(int(indices[0]), int(indices[-1]) + 1)
            index = None if self.index is None else self.index[part]
            rows = self.rows[part] if index is None else self.rows
            files = self.files if index is not None else self.files and self.files.take(indices)
            return Images(rows, self.labels[part], index, self.release, files)
        own = indices if self.index is None else self.index[indices]
        return Images(self.rows, self.labels[indices], own, self.release, self.files)

    def resized(self, size: int) -> "Images":
        """The same images, each (C, size, size); bicubic and antialiased."""
        if self.rows.shape[-1] == size:
            return self
        chunks = [
            interpolate(chunk, size=(size, size), mode="bicubic", antialias=True)
            for chunk in self.chunks()
        ]
        return Images(torch.cat(chunks), self.labels)


def both_resized(
    train: Images, test: Images, image_size: int, test_image_size: int | None
) -> tuple[Images, Images]:
    """Training and test images, stored for networks that see these sizes.

    Raises `InputError` where both would take more than half of the memory that is built in: the
    other half is for working on them.
    """
    sides = stored_size(image_size), stored_size(test_image_size or image_size)
    parts = zip((train, test), sides, strict=True)
    needed = sum(len(part) * part.rows.shape[1] * side**2 for part, side in parts)
    there = memory() // 2
    if needed > there:
        raise InputError(
            f"image_size={image_size}: {len(train) + len(test):,} images, stored {sides[0]} pixels "
            f"a side, would take {gibibytes(needed)}, and half of this machine's memory is "
            f"{gibibytes(there)}; give a smaller size"
        )
    return train.resized(sides[0]), test.resized(sides[1])


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images that stay in their files and are decoded each time a batch asks for them; a file that
    has changed since is refused."""

    paths: tuple[Path, ...]
    labels: Tensor  # (N,) int64
    contents: tuple[str, ...]  # per image: its relative name and the sha256 of its file
    stored_size: int  # of the centre square that is decoded for evaluation
    image_size: int  # of the random crop that is decoded for training
    # How an RGB image is seen in evaluation; None: as its centre square.
    view: Callable[[Image.Image], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "ImageFiles":
        """Themselves: they are decoded before they come to a device."""
        return self

    def digest(self, index: int) -> bytes:
        """The sha256 of an image's file."""
        return bytes.fromhex(self.contents[index].rpartition(" ")[2])

    @property
    def contents_of_files(self) -> Contents:
        """The file of each image."""
        digests = torch.tensor([[*self.digest(at)] for at in range(len(self))], dtype=torch.uint8)
        sizes = torch.full((len(self),), _LARGE)  # not known
        return Contents(Listing(Path(), tuple(map(str, self.paths))), digests, sizes, {})

    def take(self, indices: Tensor) -> "ImageFiles":
        """The images of these (M,) indices."""
        chosen = indices.tolist()
        paths = tuple(self.paths[i] for i in chosen)
        contents = tuple(self.contents[i] for i in chosen)
        return replace(self, paths=paths, labels=self.labels[indices], contents=contents)


def told_apart(images: Images | ImageFiles) -> list[tuple[str, str]]:
    """What each image is called, and what tells it from others: its file's SHA-256 in hex; of
    images that are from no files their place."""
    match images:
        case ImageFiles():
            named = (each.rpartition(" ") for each in images.contents)
            return [(name, digest) for name, _, digest in named]
        case Images() if (files := images.contents_of_files) is not None:
            names = files.listing.names
            return [(name, files.digest(at).hex()) for at, name in enumerate(names)]
    return [(f"image {at}", str(at)) for at in range(len(images))]


def told_together(images: Images | ImageFiles) -> str:
    """What tells images from others, in whatever order and size they are and whatever they are
    called: a SHA-256, in hex, over their files; of images that are from no files over what is
    stored of them."""
    if isinstance(images, ImageFiles) or images.contents_of_files is not None:
        files = sorted(digest for _, digest in told_apart(images))
        return hashlib.sha256("".join(files).encode()).hexdigest()
    digest = hashlib.sha256(_bytes(images.labels))
    for chunk in images.chunks():
        digest.update(_bytes(chunk))
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a data set came from what was found, for people and for who scores a network on it.

    Attributes:
        train, test: the folders of the splits; empty where a folder has none.
        split_seed: drew the test images, where none were set apart; else None.
        validation: the folder of another split, to choose by; empty where there is none.
        held_out: the test images are those that `hold_out` asks for: a part of the training
            images, or the validation images.
        all_tested: there are no splits, and every image is a test image.
        reordered: the classes stand in a network's order, and not in that of their names.
        limited_from: how many training images there were before a `train_limit`; else None.
        left_out: how many files and folders were not taken, by reason and by ending or name
            (`nextify.data.walk.Reason`). outside: images behind links that lead out of the folder,
            by the link's name.
        duplicates: test images whose file is also among the training images; None: not known.
        content: the SHA-256, in hex, over the files of all images and their classes, however they
            are split, sized or called; empty for images that are in no files.
        crop: what a published network keeps of an image: the side that the shorter one is resized
            to; None: the centre square is kept.
        permuted: the seed of the order in which networks see the pixels of all images
            (`nextify.data.permuted`); None: as they are.
        unreadable: why each file that was left out cannot be read, by name.
    """

    train: str = ""
    test: str = ""
    validation: str = ""
    split_seed: int | None = None
    held_out: bool = False
    all_tested: bool = False
    reordered: bool = False
    limited_from: int | None = None
    left_out: Mapping[tuple[str, str], int] = field(default_factory=dict)
    outside: Mapping[str, int] = field(default_factory=dict)
    duplicates: int | None = None
    content: str = ""
    crop: int | None = None
    permuted: int | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Parts:
    """A data set as it was found, before it is measured: see `measured`."""

    name: str  # 'fashion-mnist-embedded', 'cifar10', or the folder's name
    classes: tuple[str, ...]
    train: Images | ImageFiles
    test: Images | ImageFiles
    image_size: int  # the side, in pixels, that the network sees
    source: str  # one sentence: origin and licence, for reports
    skipped: tuple[str, ...] = ()  # unreadable files that were left out
    origin: Origin = Origin()


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset(Parts):
    """Images to train on and to test on, with what is needed to use and to name them."""

    mean: tuple[float, ...]  # of red, green and blue in [0, 1], over the training images;
    std: tuple[float, ...]  # three equal values for grey images; ImageNet's for `ImageFiles`
    fingerprint: str  # sha256, in hex, over all that determines the images
    test_image_size: int | None = None  # that side for the test images, where it is another
    validation: Images | ImageFiles | None = None  # to choose the best epoch by
    # Where these were some of the training images (`nextify.data.set_aside`): the seed that drew
    # them. The fingerprint is that of all images.
    validation_seed: int | None = None
    # Of the training images and of validation images that are no part of them: the sha256, in hex.
    validation_fingerprint: str = ""
    # Where the training images are a draw (`nextify.data.drawn`): from how many, and the seed. The
    # fingerprint is then that of all images, which with these two determines the draw.
    draw: tuple[int, int] | None = None

    @property
    def watched(self) -> Images | ImageFiles:
        """The images that a training's curve is of."""
        return self.test if self.validation is None else self.validation

    @property
    def test_size(self) -> int:
        """The side, in pixels, at which the network sees the test images."""
        return self.test_image_size or self.image_size

    @property
    def is_streamed(self) -> bool:
        """Whether images stay in their files."""
        return isinstance(self.test, ImageFiles)

    def counts(self) -> tuple[list[int], list[int]]:
        """Training and test images of each class."""
        train, test = (
            side.labels.bincount(minlength=len(self.classes)).tolist()
            for side in (self.train, self.test)
        )
        return train, test

    @property
    def largest_class(self) -> float:
        """The share of the largest class among the test images: what always answering it scores."""
        return max(self.counts()[1]) / len(self.test)

    def to(self, device: torch.device | str) -> "Dataset":
        """The data set with images in memory moved to a device."""
        watched = None if self.validation is None else self.validation.to(device)
        train, test = self.train.to(device), self.test.to(device)
        return replace(self, train=train, test=test, validation=watched)

    def identity(self) -> dict[str, str | int]:
        """What tells this data set from every other, ready for JSON; part of a run's key."""
        values: dict[str, str | int] = {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "image_size": self.image_size,
            "classes": len(self.classes),
            "train": len(self.train),
            "test": len(self.test),
        }
        # Left out where they say nothing, as in runs from before there were these fields.
        if self.validation is not None:
            values["validation"] = len(self.validation)
        if self.validation_seed is not None:
            values["validation_seed"] = self.validation_seed
        if self.validation_fingerprint:
            values["validation_fingerprint"] = self.validation_fingerprint
        if self.test_size != self.image_size:
            values["test_image_size"] = self.test_size
        if self.draw is not None:
            values["drawn_from"], values["draw_seed"] = self.draw
        if self.origin.permuted is not None:
            values["permuted_pixels"] = self.origin.permuted
        return values


def measured(
    parts: Parts, train_limit: int | None = None, seed: int = 0, test_image_size: int | None = None
) -> Dataset:
    """The data set of these parts, with at most `train_limit` training images; the test images are
    stored for `test_image_size`.

    Raises `InputError` if the limit leaves a class without an image.
    """
    if train_limit is not None and train_limit < len(parts.train):
        chosen = stratified_subset(parts.train.labels, train_limit, seed)
        origin = replace(parts.origin, limited_from=len(parts.train), duplicates=None)
        parts = replace(parts, train=parts.train.take(chosen), origin=origin)
    found = {each.name: getattr(parts, each.name) for each in fields(Parts)}
    mean, std = statistics(parts.train)
    other_size = None if test_image_size == parts.image_size else test_image_size
    return Dataset(
        **found, mean=mean, std=std, fingerprint=fingerprint(parts), test_image_size=other_size
    )


def statistics(train: Images | ImageFiles) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What training images are normalised by: their own mean and deviation per channel, in [0, 1];
    ImageNet's for images that stay in their files."""
    if isinstance(train, Images):
        return channel_statistics(train)
    return IMAGENET_MEAN, IMAGENET_STD


def channel_statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per channel, in [0, 1]; three values each.

    Exact up to the last division: the values are counted, not summed. A deviation is at least one
    grey level, so that images of one colour can be divided by it.
    """
    counts = torch.zeros((images.rows.shape[1], 256), dtype=torch.int64)
    for chunk in images.chunks():
        for channel, count in enumerate(counts):
            count += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    levels = torch.arange(256, dtype=torch.float64) / 255
    weights = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    mean = weights @ levels
    std = (weights @ levels.square() - mean.square()).clamp(min=0).sqrt().clamp(min=1 / 255)
    return tuple(mean.expand(3).tolist()), tuple(std.expand(3).tolist())


def fingerprint(parts: Parts) -> str:
    """The sha256, in hex, over class names, image size, labels and pixels (or file contents).

    Where the files lie and when they were written does not matter.
    """
    digest = hashlib.sha256(json.dumps([parts.classes, parts.image_size]).encode())
    for side in (parts.train, parts.test):
        digest.update(f"{len(side)};".encode())
        digest.update(_bytes(side.labels))
        match side:
            case Images():
                digest.update(f"{(len(side), *side.rows.shape[1:])};".encode())
                for chunk in side.chunks():
                    digest.update(_bytes(chunk))
            case ImageFiles():
                digest.update(json.dumps(side.contents).encode())
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.cpu().contiguous().flatten().numpy().data.cast("B")
