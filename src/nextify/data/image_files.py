"""From labelled image files to a data set: in memory where they fit, else streamed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from nextify.data.cache import Listing, Result, content_digests, decoded_squares, read_once
from nextify.data.dataset import ImageFiles, Images, Parts
from nextify.data.decoding import UnreadableImage, shorter_side, stored_size
from nextify.data.splits import stratified_test
from nextify.errors import InputError
from nextify.machine import memory
from nextify.requests import DataSpec

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


def parts_of_files(files: LabelledFiles, options: DataSpec) -> Parts:
    """The data set of these files, all of them decoded once.

    Raises `InputError` for an unreadable image (unless these are skipped) and for a class that is
    left without an image to train or to test on.
    """
    image_size = options.image_size or suitable_size(files.listing)
    size, test_size = stored_size(image_size), stored_size(options.test_image_size or image_size)
    in_memory = len(files.listing) * 3 * max(size, test_size) ** 2 <= memory_for(options)
    result = read_once(files.listing, decoded_squares(size) if in_memory else content_digests())
    skipped = _skipped(files.listing, result, options)
    labels = files.labels[result.kept]
    given = None if files.is_test is None else files.is_test[result.kept]
    _check_enough(files, labels, given, len(result.unreadable))
    is_test = stratified_test(labels, options.split_seed) if given is None else given
    images: Images | ImageFiles
    if in_memory:
        images = Images(result.rows, labels)
    else:
        images = _streamed(files.listing, result, labels, size, image_size)
    train, test = (images.take(part.nonzero().flatten()) for part in (~is_test, is_test))
    if test_size != size:
        test = _stored_at(test_size, test, files.listing, result.kept[is_test])
    return Parts(files.name, files.classes, train, test, image_size, files.source, skipped)


def memory_for(spec: DataSpec) -> int:
    """How many bytes decoded images may take: as asked for, or half of what this process may have.

    Not half of what is free just now: a study that is resumed must not find its images streamed
    because another program was running.
    """
    return memory() // 2 if spec.memory_limit is None else spec.memory_limit


def _stored_at(
    size: int, images: Images | ImageFiles, listing: Listing, indices: Tensor
) -> Images | ImageFiles:
    """The same images with their squares at another size; `indices` are theirs in the listing."""
    if isinstance(images, ImageFiles):
        return replace(images, stored_size=size)
    own = Listing(listing.root, tuple(listing.names[index] for index in indices.tolist()))
    return Images(read_once(own, decoded_squares(size)).rows, images.labels)


def suitable_size(listing: Listing) -> int:
    """The image size for these files, from the median of their shorter sides.

    Looks at no more than a thousand of them, evenly spaced.
    """
    step = -(-len(listing) // _SAMPLED)
    sides = [shorter_side(listing.path(index)) for index in range(0, len(listing), step)]
    known = sorted(side for side in sides if side is not None)
    median = known[len(known) // 2] if known else 224
    return next((size for size, most in ((32, 48), (64, 96), (128, 192)) if median <= most), 224)


def _streamed(
    listing: Listing, result: Result, labels: Tensor, size: int, image_size: int
) -> ImageFiles:
    kept = result.kept.tolist()
    digests = [bytes(row.tolist()).hex() for row in result.rows]
    contents = tuple(f"{listing.names[i]} {d}" for i, d in zip(kept, digests, strict=True))
    return ImageFiles(tuple(map(listing.path, kept)), labels, contents, size, image_size)


def _skipped(listing: Listing, result: Result, options: DataSpec) -> tuple[str, ...]:
    if result.unreadable and not options.skip_unreadable:
        index, why = result.unreadable[0]
        others = len(result.unreadable) - 1
        more = f" (and {others} other{'s'[: others > 1]} in {str(listing.root)!r})" * (others > 0)
        raise UnreadableImage(listing.path(index), f"{why}{more}")
    return tuple(listing.names[index] for index, _ in result.unreadable)


def _check_enough(files: LabelledFiles, labels: Tensor, is_test: Tensor | None, lost: int) -> None:
    """Each class needs an image on both sides, or two to be drawn from."""
    if is_test is None:
        sides = [("", labels, 2, "2, one to train and one to test on")]
    else:
        sides = [("training ", labels[~is_test], 1, "1"), ("test ", labels[is_test], 1, "1")]
    why = f" after {lost} unreadable ones were skipped" if lost else ""
    for side, own, least, need in sides:
        counts = own.bincount(minlength=len(files.classes)).tolist()
        for name, count in zip(files.classes, counts, strict=True):
            if count < least:
                raise InputError(
                    f"class {name!r} of {str(files.listing.root)!r} has {count} {side}images{why}; "
                    f"add images (at least {need}) or remove the class"
                )
