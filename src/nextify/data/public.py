"""Public data sets by name, found or downloaded through torchvision.

They lie below `cache_folder() / "public"`, in the folders that torchvision gives them, so that a
copy made elsewhere can be put there.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nextify.data import fashion_mnist
from nextify.data.cache import Listing, cache_folder
from nextify.data.dataset import Images, Parts, both_resized
from nextify.data.image_files import LabelledFiles, parts_of_files
from nextify.errors import InputError
from nextify.requests import DataSpec

Found = Any  # a data set object of torchvision, which has no types
Arguments = Mapping[str, Any]
Labelled = tuple[list[Path], list[int]]
Sides = tuple[tuple[Arguments, ...], Arguments | None]


@dataclass(frozen=True, slots=True)
class _Public:
    """Which class of torchvision.datasets it is, the image size that suits it, and the class's
    arguments for the training images (of which several are joined) and for the test images (None:
    to be drawn)."""

    constructor: str
    image_size: int
    sides: Sides


@dataclass(frozen=True, slots=True)
class _Arrays(_Public):
    """Comes as arrays of pixels."""

    read: Callable[[Found], Images]


@dataclass(frozen=True, slots=True)
class _Files(_Public):
    """Comes as image files."""

    read: Callable[[Found], Labelled]


def _height_width_channels(found: Found) -> Images:
    return _images(found.data.transpose(0, 3, 1, 2), found.targets)


def _channels_height_width(found: Found) -> Images:
    return _images(found.data, found.labels)


def _grey(found: Found) -> Images:
    return _images(found.data.unsqueeze(1), found.targets)


def _images(pixels: Any, labels: Any) -> Images:
    pixels = torch.from_numpy(np.ascontiguousarray(pixels))
    return Images(pixels, torch.as_tensor(labels, dtype=torch.int64))


def _pairs(samples: list[tuple[str, int]]) -> Labelled:
    return [Path(path) for path, _ in samples], [label for _, label in samples]


def _image_files(found: Found) -> Labelled:
    return found._image_files, found._labels


def _imagenette(found: Found) -> Labelled:
    return _pairs(found._samples)


def _pets(found: Found) -> Labelled:
    return found._images, found._labels


def _split(*train: str, test: str = "test", **more: str) -> Sides:
    return tuple({"split": name, **more} for name in train), {"split": test, **more}


_BY_TRAIN: Sides = ({"train": True},), {"train": False}

_TABLE: dict[str, _Arrays | _Files] = {
    "cifar10": _Arrays("CIFAR10", 32, _BY_TRAIN, _height_width_channels),
    "cifar100": _Arrays("CIFAR100", 32, _BY_TRAIN, _height_width_channels),
    "fashion-mnist": _Arrays("FashionMNIST", 28, _BY_TRAIN, _grey),
    "mnist": _Arrays("MNIST", 28, _BY_TRAIN, _grey),
    "kmnist": _Arrays("KMNIST", 28, _BY_TRAIN, _grey),
    "svhn": _Arrays("SVHN", 32, _split("train"), _channels_height_width),
    "stl10": _Arrays("STL10", 96, _split("train"), _channels_height_width),
    "imagenette": _Files("Imagenette", 128, _split("train", test="val", size="160px"), _imagenette),
    "flowers102": _Files("Flowers102", 224, _split("train", "val"), _image_files),
    "food101": _Files("Food101", 224, _split("train"), _image_files),
    "oxford-iiit-pet": _Files("OxfordIIITPet", 224, _split("trainval"), _pets),
    "eurosat": _Files("EuroSAT", 64, (({},), None), lambda found: _pairs(found.samples)),
}

_SOURCES = {
    "cifar10": "CIFAR-10 (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html; no "
    "licence is stated.",
    "cifar100": "CIFAR-100 (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html; no "
    "licence is stated.",
    "fashion-mnist": "Fashion-MNIST (Xiao et al., 2017), copyright 2017 Zalando SE, MIT licence.",
    "mnist": "MNIST (LeCun, Cortes and Burges, 1998); commonly given as CC BY-SA 3.0.",
    "kmnist": "Kuzushiji-MNIST (Clanuwat et al., 2018), CODH and NIJL, CC BY-SA 4.0.",
    "svhn": "Street View House Numbers (Netzer et al., 2011), for non-commercial use only.",
    "stl10": "STL-10 (Coates, Ng and Lee, 2011), images from ImageNet; no licence is stated.",
    "imagenette": "Imagenette (Howard, 2019), images from ImageNet, for non-commercial research.",
    "flowers102": "102 Category Flowers (Nilsback and Zisserman, 2008), trained on its training "
    "and validation images; no licence is stated.",
    "food101": "Food-101 (Bossard, Guillaumin and Van Gool, 2014), images from Foodspotting, for "
    "scientific fair use.",
    "oxford-iiit-pet": "Oxford-IIIT Pet (Parkhi et al., 2012), CC BY-SA 4.0.",
    "eurosat": "EuroSAT (Helber et al., 2019), MIT licence, a fifth of each class drawn to test "
    "on; contains Copernicus Sentinel data.",
}

NAMES = tuple(_TABLE)


def parts_of_public(name: str, options: DataSpec) -> Parts:
    """The public data set of this name, downloaded if it is not there.

    Raises `InputError` with what failed and the remedy.
    """
    entry = _TABLE[name]
    image_size = options.image_size or entry.image_size
    match entry:
        case _Arrays():
            classes, train, test = _debian(name) or _arrays(name, entry)
            train, test = both_resized(train, test, image_size, options.test_image_size)
            return Parts(name, classes, train, test, image_size, _SOURCES[name])
        case _Files():
            files = _labelled_files(name, entry)
            return parts_of_files(files, replace(options, image_size=image_size))


def _debian(name: str) -> tuple[tuple[str, ...], Images, Images] | None:
    """Fashion-MNIST where Debian's package has put it: needs no network."""
    folder = fashion_mnist.DEBIAN_FOLDER
    if name != "fashion-mnist" or not folder.is_dir():
        return None
    try:
        train, test = (fashion_mnist.read_side(folder, side) for side in ("train", "t10k"))
    except (OSError, EOFError, ValueError, zlib.error):
        return None  # incomplete or damaged: the published files are still to be had
    return fashion_mnist.CLASSES, train, test


def _arrays(name: str, entry: _Arrays) -> tuple[tuple[str, ...], Images, Images]:
    train, test = _found(name, entry)
    return _class_names(train), entry.read(train), entry.read(test)


def _labelled_files(name: str, entry: _Files) -> LabelledFiles:
    found = _found(name, entry)
    sides = [entry.read(one) for one in found]
    train_count = sum(len(paths) for paths, _ in sides[: len(entry.sides[0])])
    paths = [path for side, _ in sides for path in side]
    root = _place(name)
    return LabelledFiles(
        name=name,
        source=_SOURCES[name],
        classes=_class_names(found[0]),
        listing=Listing(root, tuple(path.relative_to(root).as_posix() for path in paths)),
        labels=torch.tensor([label for _, labels in sides for label in labels]),
        is_test=None if entry.sides[1] is None else torch.arange(len(paths)) >= train_count,
    )


def _class_names(found: Found) -> tuple[str, ...]:
    """As torchvision has them: names, or tuples of synonyms; digits where it has none (SVHN)."""
    names = getattr(found, "classes", None) or [str(digit) for digit in range(10)]
    return tuple(name[0] if isinstance(name, tuple) else str(name) for name in names)


def _place(name: str) -> Path:
    return cache_folder() / "public" / name


def _found(name: str, entry: _Public) -> list[Found]:
    """torchvision's data sets, training images first, from the disk if they are there, else from
    the network."""
    # Takes more than a second, and only public data sets need it.
    from torchvision import datasets

    constructor = getattr(datasets, entry.constructor)
    train, test = entry.sides
    folder = _place(name)

    def of_side(arguments: Arguments) -> Found:
        try:
            return constructor(folder, **arguments, download=False)
        except Exception:  # not there, or not whole
            return constructor(folder, **arguments, download=True)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [of_side(arguments) for arguments in (*train, test) if arguments is not None]
    except Exception as error:  # what networks, archives and torchvision raise has no common base
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"data set {name!r} could not be read from {str(folder)!r} or downloaded ({why}); "
            "load it once where there is a network and copy that folder here, or give a folder of "
            "images"
        ) from error
