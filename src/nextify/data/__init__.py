"""Images as tensors: the embedded set, folders, public sets; batches and augmentation.

    >>> dataset = load("embedded", train_limit=100)
    >>> tuple(dataset.train.pixels.shape), len(dataset.test), dataset.image_size
    ((100, 1, 28, 28), 10000, 28)

`load` finds a data set, `batches` deals it out, `decode` reads one image as a data set would.
"""

import os
from pathlib import Path

from nextify.data.batches import batches
from nextify.data.cache import cache_folder
from nextify.data.dataset import Dataset, ImageFiles, Images, measured
from nextify.data.decoding import SUFFIXES, UnreadableImage, decode, stored_size
from nextify.data.embedded import NAME as _EMBEDDED
from nextify.data.embedded import parts_of_embedded
from nextify.data.folder import parts_of_folder
from nextify.data.options import Options
from nextify.data.public import NAMES as _PUBLIC
from nextify.data.public import parts_of_public
from nextify.data.subsets import as_named, drawn, held_out
from nextify.data.view import View
from nextify.errors import InputError, unknown

__all__ = [
    "NAMES",
    "SUFFIXES",
    "Dataset",
    "ImageFiles",
    "Images",
    "UnreadableImage",
    "View",
    "as_named",
    "batches",
    "cache_folder",
    "decode",
    "drawn",
    "held_out",
    "load",
    "stored_size",
]

NAMES = ("embedded", _EMBEDDED, *_PUBLIC)


def load(
    source: str,
    *,
    image_size: int | None = None,
    test_image_size: int | None = None,
    split_seed: int = 0,
    skip_unreadable: bool = False,
    train_limit: int | None = None,
    memory_limit: int | None = None,
) -> Dataset:
    """The data set named `source`: 'embedded', a public set of `NAMES`, or the path of a folder.

    A name comes before a folder of the same name: write './cifar10' for that. See `Options` for
    the arguments. Raises `InputError` for anything that cannot be loaded as asked.
    """
    options = Options(
        image_size=image_size,
        test_image_size=test_image_size,
        split_seed=split_seed,
        skip_unreadable=skip_unreadable,
        train_limit=train_limit,
        memory_limit=memory_limit,
    )
    if source in ("embedded", _EMBEDDED):
        parts = parts_of_embedded(options)
    elif source in _PUBLIC:
        parts = parts_of_public(source, options)
    elif _is_path(source):
        parts = parts_of_folder(Path(source), options)
    else:
        message = unknown("data set", source, NAMES)
        raise InputError(f"{message}; or give the path of a folder of images, such as ./{source}")
    return measured(parts, options.train_limit, options.split_seed, options.test_image_size)


def _is_path(source: str) -> bool:
    separators = {os.sep, os.altsep} - {None}
    if any(s in source for s in separators if s) or source == "~":
        return True
    try:
        return source != "" and Path(source).exists()
    except OSError:  # longer than any name may be
        return False
