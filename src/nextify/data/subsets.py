"""Parts of a data set: draws of its training images, and some of them held out to choose by."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nextify.data.dataset import Dataset, measured, statistics
from nextify.data.splits import stratified_subset, stratified_test
from nextify.errors import InputError


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
    """The data set that a run names: this one, or a draw of its training images."""
    if "drawn_from" not in data or dataset.draw is not None:
        return dataset
    return drawn(dataset, data["train"], data["draw_seed"])


def held_out(dataset: Dataset, seed: int = 0) -> Dataset:
    """The data set tested on a fifth of its training images, which the others leave alone.

    To choose settings by: the test images are not looked at.

    >>> from nextify.data import load
    >>> part = held_out(load("embedded"))
    >>> len(part.train), len(part.test)
    (8000, 2000)

    Raises:
        InputError: a class has one training image only.
    """
    least = int(dataset.train.labels.bincount(minlength=len(dataset.classes)).min())
    if least < 2:
        raise InputError(
            f"data set {dataset.name!r} has a class with {least} training image, of which none can "
            "be held out; give every class two at least"
        )
    is_test = stratified_test(dataset.train.labels, seed)
    train, test = (dataset.train.take(part.nonzero().flatten()) for part in (~is_test, is_test))
    return replace(measured(replace(dataset, train=train, test=test)), draw=dataset.draw)
