"""From labelled image files to a data set: in memory where they fit, else streamed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from nextify.data.cache import Result, checks, decoded_squares, read_once
from nextify.data.contents import Contents, Listing, contents_of
from nextify.data.dataset import ImageFiles, Images, Origin, Parts
from nextify.data.decoding import UnreadableImage, quiet_pillow, shorter_side
from nextify.data.splits import stratified_test
from nextify.errors import InputError
from nextify.machine import memory
from nextify.requests import DataSpec, stored_size
from nextify.words import composed

_SAMPLED = 1000  # files whose size is looked at to choose the image size


@dataclass(frozen=True, eq=False)
class LabelledFiles:
    """Image files with what a folder or a public set says of them."""

    name: str
    source: str
    classes: tuple[str, ...]
    listing: Listing
    labels: Tensor  # (N,) int64
    is_test: Tensor | None  # (N,) bool; None: a part of each class is to be drawn
    origin: Origin = field(default_factory=Origin)


Side = tuple[Sequence[str], Sequence[int]]
"""Names of image files, relative to a folder, and their labels."""


def labelled(
    name: str, source: str, classes: tuple[str, ...], root: Path, *sides: Side, trained: int
) -> LabelledFiles:
    """The files of some sides, of which the first `trained` are for training; if these are all,
    test images are to be drawn."""
    names = tuple(name for names, _ in sides for name in names)
    labels = torch.tensor([label for _, labels in sides for label in labels])
    is_test = torch.arange(len(names)) >= sum(len(names) for names, _ in sides[:trained])
    drawn = trained == len(sides)
    return LabelledFiles(
        name, source, classes, Listing(root, names), labels, None if drawn else is_test
    )


def parts_of_files(files: LabelledFiles, options: DataSpec, test_on_all: bool = False) -> Parts:
    """The data set of these files, all of them decoded once.

    Args:
        test_on_all: where test images would be drawn, every image is one instead.

    Raises `InputError` for an unreadable image (unless these are skipped) and for a class that is
    left without an image to train or to test on.
    """
    image_size = options.image_size or suitable_size(files.listing)
    size, test_size = stored_size(image_size), stored_size(options.test_image_size or image_size)
    in_memory = len(files.listing) * 3 * max(size, test_size) ** 2 <= memory_for(options)
    contents = contents_of(files.listing)
    result = read_once(contents, decoded_squares(size) if in_memory else checks())
    skipped = _skipped(files.listing, result, options)
    labels = files.labels[result.kept]
    is_train, is_test = _sides(files, result, labels, options, test_on_all)
    images: Images | ImageFiles
    if in_memory:
        kept = contents.take(result.kept)
        images = Images(result.rows, labels, release=result.release, files=kept)
    else:
        images = _streamed(contents, result, labels, size, image_size)
    train, test = (images.take(part.nonzero().flatten()) for part in (is_train, is_test))
    if test_size != size:
        test = _stored_at(test_size, test, contents, result.kept[is_test])
    all_tested = files.is_test is None and test_on_all
    digests = [bytes(row) for row in contents.digests[result.kept].numpy()]
    origin = replace(
        files.origin,
        split_seed=None if all_tested or files.is_test is not None else options.split_seed,
        all_tested=all_tested,
        duplicates=None if all_tested else _duplicates(digests, is_train, is_test),
        content=_content(digests, labels, files.classes),
        unreadable={files.listing.names[index]: why for index, why in result.unreadable},
    )
    return Parts(files.name, files.classes, train, test, image_size, files.source, skipped, origin)


def _sides(
    files: LabelledFiles, result: Result, labels: Tensor, options: DataSpec, test_on_all: bool
) -> tuple[Tensor, Tensor]:
    """Which of the images that could be read are for training and for testing: (M,) bool."""
    given = None if files.is_test is None else files.is_test[result.kept]
    if given is None and test_on_all:
        given = torch.ones_like(labels, dtype=torch.bool)
        _check_enough(files, [("", labels, 1, "1")], len(result.unreadable))
        return given, given
    if given is None:
        need = [("", labels, 2, "2, one to train and one to test on")]
    else:
        need = [("training ", labels[~given], 1, "1"), ("test ", labels[given], 1, "1")]
    _check_enough(files, need, len(result.unreadable))
    is_test = stratified_test(labels, options.split_seed) if given is None else given
    return ~is_test, is_test


def _duplicates(digests: Sequence[bytes], is_train: Tensor, is_test: Tensor) -> int:
    """Test images whose file is among the training images'."""
    trained = {digests[at] for at in is_train.nonzero().flatten().tolist()}
    return sum(digests[at] in trained for at in is_test.nonzero().flatten().tolist())


def _content(digests: Sequence[bytes], labels: Tensor, classes: Sequence[str]) -> str:
    """See `Origin.content`."""
    names = [json.dumps(composed(name)).encode() for name in classes]
    pairs = (one + names[at] for one, at in zip(digests, labels.tolist(), strict=True))
    return hashlib.sha256(b"".join(sorted(pairs))).hexdigest()


def memory_for(spec: DataSpec) -> int:
    """How many bytes decoded images may take: as asked for, or half of what this process may have.

    Not half of what is free just now: a study that is resumed must not find its images streamed
    because another program was running.
    """
    return memory() // 2 if spec.memory_limit is None else spec.memory_limit


def _stored_at(
    size: int, images: Images | ImageFiles, contents: Contents, indices: Tensor
) -> Images | ImageFiles:
    """The same images with their squares at another size; `indices` are theirs in the listing."""
    if isinstance(images, ImageFiles):
        return replace(images, stored_size=size)
    files = contents.take(indices)
    return Images(read_once(files, decoded_squares(size)).rows, images.labels, files=files)


def suitable_size(listing: Listing) -> int:
    """The image size for these files, from the median of their shorter sides.

    Looks at no more than a thousand of them, evenly spaced.
    """
    step = -(-len(listing) // _SAMPLED)
    with quiet_pillow():
        sides = [shorter_side(listing.path(index)) for index in range(0, len(listing), step)]
    known = sorted(side for side in sides if side is not None)
    median = known[len(known) // 2] if known else 224
    return next((size for size, most in ((32, 48), (64, 96), (128, 192)) if median <= most), 224)


def _streamed(
    contents: Contents, result: Result, labels: Tensor, size: int, image_size: int
) -> ImageFiles:
    # By their relative names, too: these decide in which order the images come, and so what is
    # drawn. The folder's own name does not matter.
    listing, kept = contents.listing, result.kept.tolist()
    named = tuple(f"{listing.names[index]} {contents.digest(index).hex()}" for index in kept)
    return ImageFiles(tuple(map(listing.path, kept)), labels, named, size, image_size)


def _skipped(listing: Listing, result: Result, options: DataSpec) -> tuple[str, ...]:
    if result.unreadable and not options.skip_unreadable:
        index, why = result.unreadable[0]
        others = len(result.unreadable) - 1
        more = f" (and {others} other{'s'[: others > 1]} in {str(listing.root)!r})" * (others > 0)
        raise UnreadableImage(listing.path(index), f"{why}{more}")
    return tuple(listing.names[index] for index, _ in result.unreadable)


def _check_enough(
    files: LabelledFiles, sides: Sequence[tuple[str, Tensor, int, str]], lost: int
) -> None:
    """Each class needs images on every side: so many at least, in numbers and in words."""
    why = f" after {lost} unreadable ones were skipped" if lost else ""
    for side, own, least, need in sides:
        counts = own.bincount(minlength=len(files.classes)).tolist()
        for name, count in zip(files.classes, counts, strict=True):
            if count < least:
                raise InputError(
                    f"class {name!r} of {str(files.listing.root)!r} has {count} {side}images{why}; "
                    f"add images (at least {need}) or remove the class"
                )
