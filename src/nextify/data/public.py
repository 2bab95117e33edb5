"""Public data sets by name, found or downloaded through torchvision.

They lie below `cache_folder() / "public"`, in the folders that torchvision gives them, so that a
copy made elsewhere can be put there.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nextify.data import fashion_mnist
from nextify.data.cache import Listing, cache_folder
from nextify.data.dataset import Images, Parts, both_resized
from nextify.data.files import LabelledFiles, parts_of_files
from nextify.errors import InputError
from nextify.requests import DataSpec

Found = Any  # a data set object of torchvision, which has no types
Arguments = Mapping[str, Any]
Labelled = tuple[list[Path], list[int]]


@dataclass(frozen=True, kw_only=True)
class _Public:
    constructor: str  # the class in torchvision.datasets
    train: tuple[Arguments, ...]  # its arguments for the training images; several are joined
    test: Arguments | None  # and for the test images; None: to be drawn
    image_size: int
    source: str
    more: Arguments = field(default_factory=dict)  # arguments for both


@dataclass(frozen=True, kw_only=True)
class _Arrays(_Public):
    """Comes as arrays of pixels."""

    read: Callable[[Found], Images]


@dataclass(frozen=True, kw_only=True)
class _Files(_Public):
    """Comes as image files."""

    read: Callable[[Found], Labelled]


def _height_width_channels(found: Found) -> Images:
    pixels = torch.from_numpy(np.ascontiguousarray(found.data.transpose(0, 3, 1, 2)))
    return Images(pixels, torch.as_tensor(found.targets, dtype=torch.int64))


def _channels_height_width(found: Found) -> Images:
    pixels = torch.from_numpy(np.ascontiguousarray(found.data))
    return Images(pixels, torch.as_tensor(found.labels, dtype=torch.int64))


def _grey(found: Found) -> Images:
    return Images(found.data.unsqueeze(1), torch.as_tensor(found.targets, dtype=torch.int64))


def _pairs(samples: list[tuple[str, int]]) -> Labelled:
    return [Path(path) for path, _ in samples], [label for _, label in samples]


_BY_TRAIN: Any = {"train": ({"train": True},), "test": {"train": False}}
_BY_SPLIT: Any = {"train": ({"split": "train"},), "test": {"split": "test"}}

_TABLE: dict[str, _Arrays | _Files] = {
    "cifar10": _Arrays(
        constructor="CIFAR10",
        **_BY_TRAIN,
        image_size=32,
        read=_height_width_channels,
        source="CIFAR-10 (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html; no "
        "licence is stated.",
    ),
    "cifar100": _Arrays(
        constructor="CIFAR100",
        **_BY_TRAIN,
        image_size=32,
        read=_height_width_channels,
        source="CIFAR-100 (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html; no "
        "licence is stated.",
    ),
    "fashion-mnist": _Arrays(
        constructor="FashionMNIST",
        **_BY_TRAIN,
        image_size=28,
        read=_grey,
        source="Fashion-MNIST (Xiao et al., 2017), copyright 2017 Zalando SE, MIT licence.",
    ),
    "mnist": _Arrays(
        constructor="MNIST",
        **_BY_TRAIN,
        image_size=28,
        read=_grey,
        source="MNIST (LeCun, Cortes and Burges, 1998); commonly given as CC BY-SA 3.0.",
    ),
    "kmnist": _Arrays(
        constructor="KMNIST",
        **_BY_TRAIN,
        image_size=28,
        read=_grey,
        source="Kuzushiji-MNIST (Clanuwat et al., 2018), CODH and NIJL, CC BY-SA 4.0.",
    ),
    "svhn": _Arrays(
        constructor="SVHN",
        **_BY_SPLIT,
        image_size=32,
        read=_channels_height_width,
        source="Street View House Numbers (Netzer et al., 2011), for non-commercial use only.",
    ),
    "stl10": _Arrays(
        constructor="STL10",
        **_BY_SPLIT,
        image_size=96,
        read=_channels_height_width,
        source="STL-10 (Coates, Ng and Lee, 2011), images from ImageNet; no licence is stated.",
    ),
    "imagenette": _Files(
        constructor="Imagenette",
        train=({"split": "train"},),
        test={"split": "val"},
        more={"size": "160px"},
        image_size=128,
        read=lambda found: _pairs(found._samples),
        source="Imagenette (Howard, 2019), images from ImageNet, for non-commercial research.",
    ),
    "flowers102": _Files(
        constructor="Flowers102",
        train=({"split": "train"}, {"split": "val"}),
        test={"split": "test"},
        image_size=224,
        read=lambda found: (found._image_files, found._labels),
        source="102 Category Flowers (Nilsback and Zisserman, 2008), trained on its training and "
        "validation images; no licence is stated.",
    ),
    "food101": _Files(
        constructor="Food101",
        **_BY_SPLIT,
        image_size=224,
        read=lambda found: (found._image_files, found._labels),
        source="Food-101 (Bossard, Guillaumin and Van Gool, 2014), images from Foodspotting, for "
        "scientific fair use.",
    ),
    "oxford-iiit-pet": _Files(
        constructor="OxfordIIITPet",
        train=({"split": "trainval"},),
        test={"split": "test"},
        image_size=224,
        read=lambda found: (found._images, found._labels),
        source="Oxford-IIIT Pet (Parkhi et al., 2012), CC BY-SA 4.0.",
    ),
    "eurosat": _Files(
        constructor="EuroSAT",
        train=({},),
        test=None,
        image_size=64,
        read=lambda found: _pairs(found.samples),
        source="EuroSAT (Helber et al., 2019), MIT licence, a fifth of each class drawn to test "
        "on; contains Copernicus Sentinel data.",
    ),
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
            return _parts_of_arrays(name, entry, options)
        case _Files():
            files = _labelled_files(name, entry)
            return parts_of_files(files, replace(options, image_size=image_size))


def _parts_of_arrays(name: str, entry: _Arrays, options: DataSpec) -> Parts:
    image_size = options.image_size or entry.image_size
    classes, train, test = _debian(name) or _arrays(name, entry)
    train, test = both_resized(train, test, image_size, options.test_image_size)
    return Parts(
        name=name,
        classes=classes,
        train=train,
        test=test,
        image_size=image_size,
        source=entry.source,
    )


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
    assert entry.test is not None, "a set of arrays states its test images"
    train, test = (_found(name, entry, arguments) for arguments in (*entry.train, entry.test))
    return _class_names(train), entry.read(train), entry.read(test)


def _labelled_files(name: str, entry: _Files) -> LabelledFiles:
    trains = [_found(name, entry, arguments) for arguments in entry.train]
    sides = [entry.read(found) for found in trains]
    train_count = sum(len(paths) for paths, _ in sides)
    if entry.test is not None:
        sides.append(entry.read(_found(name, entry, entry.test)))
    paths = [path for side, _ in sides for path in side]
    root = _place(name)
    return LabelledFiles(
        name=name,
        source=entry.source,
        classes=_class_names(trains[0]),
        listing=Listing(root, tuple(path.relative_to(root).as_posix() for path in paths)),
        labels=torch.tensor([label for _, labels in sides for label in labels]),
        is_test=None if entry.test is None else torch.arange(len(paths)) >= train_count,
    )


def _class_names(found: Found) -> tuple[str, ...]:
    """As torchvision has them: names, or tuples of synonyms; digits where it has none (SVHN)."""
    names = getattr(found, "classes", None) or [str(digit) for digit in range(10)]
    return tuple(name[0] if isinstance(name, tuple) else str(name) for name in names)


def _place(name: str) -> Path:
    return cache_folder() / "public" / name


def _found(name: str, entry: _Public, arguments: Arguments) -> Found:
    """torchvision's data set, from the disk if it is there, else from the network."""
    # Takes more than a second, and only public data sets need it.
    from torchvision import datasets

    constructor = getattr(datasets, entry.constructor)
    folder = _place(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return constructor(folder, **arguments, **entry.more, download=False)
        except Exception:  # not there, or not whole
            return constructor(folder, **arguments, **entry.more, download=True)
    except Exception as error:  # what networks, archives and torchvision raise has no common base
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"data set {name!r} could not be read from {str(folder)!r} or downloaded ({why}); "
            "load it once where there is a network and copy that folder here, or give a folder of "
            "images"
        ) from error
