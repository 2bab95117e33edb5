"""Other sets of the same images: draws, some held out to choose by, all of them to train on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from nextify.data.dataset import Dataset, ImageFiles, Images, measured, statistics
from nextify.data.splits import stratified_subset, stratified_test
from nextify.errors import InputError
from nextify.words import composed


def drawn(dataset: Dataset, count: int, seed: int) -> Dataset:
    """The data set with `count` of its training images, of every class its share.

    With one seed and equally large classes, a larger draw contains a smaller one. Its mean and
    deviation are its own: nothing is known of the images that were not drawn.

    >>> from nextify.data import load
    >>> few = drawn(load("embedded"), 100, seed=0)
    >>> len(few.train), few.identity()["drawn_from"]
    (100, 10000)

    Raises:
        InputError: more images than there are, or fewer than classes.
    """
    images = len(dataset.train)
    if not len(dataset.classes) <= count <= images:
        raise InputError(
            f"{count} training images cannot be drawn from the {images} of {dataset.name!r}; give "
            f"{len(dataset.classes)} (one of each class) to {images}"
        )
    train = dataset.train.take(stratified_subset(dataset.train.labels, count, seed))
    mean, std = statistics(train)
    return replace(dataset, train=train, mean=mean, std=std, draw=(images, seed))


def as_named(dataset: Dataset, data: Mapping[str, Any]) -> Dataset:
    """The data set that a run names: this one, a draw of its training images, or one of both with
    its pixels permuted."""
    if "permuted_pixels" in data and dataset.origin.permuted is None:
        dataset = with_permuted_pixels(dataset, data["permuted_pixels"])
    if "drawn_from" not in data or dataset.draw is not None:
        return dataset
    return drawn(dataset, data["train"], data["draw_seed"])


def with_permuted_pixels(dataset: Dataset, seed: int) -> Dataset:
    """The data set as networks see it that are shown all images' pixels in another order
    (`nextify.data.permuted`): the images in it are as they were.

    >>> from nextify.data import load
    >>> few = with_permuted_pixels(load("embedded", train_limit=100), seed=0)
    >>> few.name, few.identity()["permuted_pixels"]
    ('fashion-mnist-embedded-permuted-0', 0)

    Raises:
        InputError: test images of another size, which have no pixels in the same places.
    """
    if dataset.test_size != dataset.image_size:
        raise InputError(
            f"pixels are permuted, and the test images are of {dataset.test_size} pixels a side, "
            f"not {dataset.image_size}; leave out --permute-pixels, or the test images' size"
        )
    name, origin = f"{dataset.name}-permuted-{seed}", replace(dataset.origin, permuted=seed)
    return replace(dataset, name=name, origin=origin)


def held_out(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data set tested on a fifth of its training images, which the others leave alone.

    To choose settings by: the test images are not looked at.

    >>> from nextify.data import load
    >>> part = held_out(load("embedded"))
    >>> len(part.train), len(part.test)
    (8000, 2000)

    Raises:
        InputError: a class has one training image only, or test images are seen at another size.
    """
    if dataset.test_size != dataset.image_size:
        raise InputError(
            f"training images are held out here, and they are kept for {dataset.image_size} pixels "
            f"a side, not for test_image_size={dataset.test_size}; leave that out, or give the "
            "data a folder val/ beside test/"
        )
    least = int(dataset.train.labels.bincount(minlength=len(dataset.classes)).min())
    if least < 2:
        raise InputError(
            f"data set {dataset.name!r} has a class with {least} training image, of which none can "
            "be held out; give every class two at least"
        )
    is_test = stratified_test(dataset.train.labels, seed)
    train, test = (dataset.train.take(part.nonzero().flatten()) for part in (~is_test, is_test))
    origin = replace(dataset.origin, held_out=True, duplicates=None)
    part = replace(dataset, train=train, test=test, origin=origin)
    return replace(measured(part), draw=dataset.draw)


def set_aside(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data set with a fifth of its training images as validation images, for a run that chooses
    by some: nothing of the test images changes.

    Raises:
        InputError: as `held_out`.
    """
    part = held_out(dataset, seed)
    dataset = replace(dataset, train=part.train, mean=part.mean, std=part.std)
    return replace(dataset, validation=part.test, validation_seed=seed)


def in_order(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """The data set with its classes in another order, if they are the same by name."""
    place = {composed(name): at for at, name in enumerate(classes)}
    names = [composed(name) for name in dataset.classes]
    if dataset.classes == tuple(classes) or {*names} != {*place} or len(names) != len(classes):
        return dataset
    labels = torch.tensor([place[name] for name in names])
    train, test = (
        replace(side, labels=labels[side.labels]) for side in (dataset.train, dataset.test)
    )
    origin = replace(dataset.origin, reordered=True)
    return replace(dataset, classes=tuple(classes), train=train, test=test, origin=origin)


def whole(dataset: Dataset, test: Images | ImageFiles | None = None) -> Dataset:
    """The data set with its test images among the training images, after those.

    The test images stay what they are: what is measured on them says nothing any more. Of a set
    that holds some out, `test` are others, which no training has seen. Mean and deviation are
    measured anew, and so is the fingerprint.

    >>> from nextify.data import load
    >>> both = whole(load("embedded", train_limit=100))
    >>> len(both.train), len(both.test), both.name
    (10100, 10000, 'fashion-mnist-embedded, all images')
    """
    train, more = dataset.train, dataset.test
    labels = torch.cat([train.labels, more.labels])
    match train, more:
        case Images(), Images():
            both: Images | ImageFiles = Images(torch.cat([train.pixels, more.pixels]), labels)
        case ImageFiles(), ImageFiles():
            paths, contents = (*train.paths, *more.paths), (*train.contents, *more.contents)
            both = replace(train, paths=paths, labels=labels, contents=contents)
        case _:
            raise AssertionError("both sides of a data set are in memory, or neither is")
    name = f"{dataset.name}, all {'' if test is None else 'training '}images"
    return measured(replace(dataset, name=name, train=both, test=test or more))
