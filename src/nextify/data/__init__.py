"""Images as tensors: the embedded set, folders, public sets; batches and augmentation.

    >>> dataset = load("embedded", train_limit=100)
    >>> tuple(dataset.train.pixels.shape), len(dataset.test), dataset.image_size
    ((100, 1, 28, 28), 10000, 28)

`load` finds a data set, `batches` deals it out, `decode` reads one image as a data set would.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from nextify.data.balance import balanced, class_weights
from nextify.data.batches import batches, shuffled
from nextify.data.dataset import Dataset, ImageFiles, Images, Origin, measured
from nextify.data.decoding import SUFFIXES, UnreadableImage, decode
from nextify.data.embedded import NAME as _EMBEDDED
from nextify.data.embedded import parts_of_embedded
from nextify.data.folder import parts_of_folder
from nextify.data.permuted import permuted
from nextify.data.public import NAMES as _PUBLIC
from nextify.data.public import parts_of_public
from nextify.data.subsets import (
    as_named,
    drawn,
    held_out,
    in_order,
    set_aside,
    with_permuted_pixels,
)
from nextify.data.view import View
from nextify.errors import InputError, unknown
from nextify.files import is_there
from nextify.requests import DataSpec

NAMES = ("embedded", _EMBEDDED, *_PUBLIC)


def load(source: str | Path | DataSpec, *, test_on_all: bool = False, **options: Any) -> Dataset:
    """The data set named `source`: 'embedded', a public set of `NAMES`, or the path of a folder.

    A name comes before a folder of the same name: write './cifar10' for that.

    Args:
        source: by name, or all that is asked for.
        test_on_all: of images that are in no splits, make each a test image, and draw none.
        options: other fields of `DataSpec`.

    Raises:
        InputError: it cannot be loaded as asked.
    """
    spec = source if isinstance(source, DataSpec) else DataSpec(source=str(source), **options)
    name = spec.source
    if name in ("embedded", _EMBEDDED):
        parts = parts_of_embedded(spec)
    elif name in _PUBLIC:
        parts = parts_of_public(name, spec, test_on_all)
    elif _is_path(name):
        parts = parts_of_folder(Path(name), spec, test_on_all)
    else:
        message = unknown("data set", name, NAMES)
        raise InputError(f"{message}; or give the path of a folder of images, such as ./{name}")
    found = measured(parts, spec.train_limit, spec.split_seed, spec.test_image_size)
    if spec.permute_pixels is not None:
        found = with_permuted_pixels(found, spec.permute_pixels)
    if spec.hold_out and not found.origin.held_out:
        return held_out(found, spec.split_seed)
    return found


def name_of(source: str) -> str:
    """The name that `load` gives a data set, without a look at its images.

    >>> name_of("embedded"), name_of("photos/pets")
    ('fashion-mnist-embedded', 'pets')
    """
    if source in NAMES:
        return _EMBEDDED if source == "embedded" else source
    return Path(source).resolve().name


def with_validation(dataset: Dataset, spec: DataSpec) -> Dataset:
    """The data set with the validation images that its folder has beside the test images, if it
    has any: to choose by, so that the test images choose nothing."""
    if not dataset.origin.validation or spec.hold_out:
        return dataset
    beside = load(replace(spec, hold_out=True, image_size=dataset.image_size))
    return replace(dataset, validation=beside.test, validation_fingerprint=beside.fingerprint)


def _is_path(source: str) -> bool:
    if source == "~" or any(mark in source for mark in (os.sep, os.altsep) if mark):
        return True
    return source != "" and is_there(Path(source))
