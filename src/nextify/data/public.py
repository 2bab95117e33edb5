"""Public data sets by name, found or downloaded through torchvision.

They lie below `cache_folder() / "public"`, in the folders that torchvision gives them, so that a
copy made elsewhere can be put there.
"""

import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from nextify.data import fashion_mnist
from nextify.data.dataset import Images, Parts, both_resized
from nextify.data.image_files import LabelledFiles, labelled, parts_of_files
from nextify.data.kept import cache_folder
from nextify.errors import InputError
from nextify.files import alone
from nextify.requests import DataSpec

Found = Any  # a data set object of torchvision, which has no types
Arguments = Mapping[str, Any]
Sides = tuple[tuple[Arguments, ...], Arguments | None]


@dataclass(frozen=True, slots=True)
class _Public:
    """Which class of torchvision.datasets it is, the image size that suits it, the class's
    arguments for the training images (of which several are joined) and for the test images (None:
    to be drawn), and its attributes with the images and labels, or with pairs of both. Images are
    arrays of pixels if they are in `data`, and else files.
    """

    constructor: str
    image_size: int
    sides: Sides
    attributes: tuple[str, ...]

    def read(self, found: Found) -> tuple[Any, Any]:
        """Images and labels."""
        given = [getattr(found, name) for name in self.attributes]
        images, labels = given if len(given) == 2 else zip(*given[0], strict=True)
        return images, labels


def _images(pixels: Any, labels: Any) -> Images:
    """Images in memory, of pixels (N, H, W), (N, H, W, 3) or (N, 3, H, W)."""
    pixels = torch.as_tensor(pixels)
    if pixels.ndim == 3:
        pixels = pixels.unsqueeze(1)
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2)
    return Images(pixels.contiguous(), torch.as_tensor(labels, dtype=torch.int64))


def _split(*train: str, test: str = "test", **more: str) -> Sides:
    return tuple({"split": name, **more} for name in train), {"split": test, **more}


_BY_TRAIN: Sides = ({"train": True},), {"train": False}

_BY_SPLIT = _split("train")
_TARGETS, _LABELS, _FILES = ("data", "targets"), ("data", "labels"), ("_image_files", "_labels")

_TABLE: dict[str, _Public] = {
    "cifar10": _Public("CIFAR10", 32, _BY_TRAIN, _TARGETS),
    "cifar100": _Public("CIFAR100", 32, _BY_TRAIN, _TARGETS),
    "fashion-mnist": _Public("FashionMNIST", 28, _BY_TRAIN, _TARGETS),
    "mnist": _Public("MNIST", 28, _BY_TRAIN, _TARGETS),
    "kmnist": _Public("KMNIST", 28, _BY_TRAIN, _TARGETS),
    "svhn": _Public("SVHN", 32, _BY_SPLIT, _LABELS),
    "stl10": _Public("STL10", 96, _BY_SPLIT, _LABELS),
    "imagenette": _Public(
        "Imagenette", 128, _split("train", test="val", size="160px"), ("_samples",)
    ),
    "flowers102": _Public("Flowers102", 224, _split("train", "val"), _FILES),
    "food101": _Public("Food101", 224, _BY_SPLIT, _FILES),
    "oxford-iiit-pet": _Public("OxfordIIITPet", 224, _split("trainval"), ("_images", "_labels")),
    "eurosat": _Public("EuroSAT", 64, (({},), None), ("samples",)),
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


def parts_of_public(name: str, options: DataSpec, test_on_all: bool = False) -> Parts:
    """The public data set of this name, downloaded if it is not there.

    Raises `InputError` with what failed and the remedy.
    """
    entry = _TABLE[name]
    image_size = options.image_size or entry.image_size
    if "data" not in entry.attributes:
        files = _labelled_files(name, entry)
        return parts_of_files(files, replace(options, image_size=image_size), test_on_all)
    classes, train, test = _debian(name) or _arrays(name, entry)
    train, test = both_resized(train, test, image_size, options.test_image_size)
    return Parts(name, classes, train, test, image_size, _SOURCES[name])


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


def _arrays(name: str, entry: _Public) -> tuple[tuple[str, ...], Images, Images]:
    found = _found(name, entry)
    train, test = (_images(*entry.read(one)) for one in found)
    return _class_names(found[0]), train, test


def _labelled_files(name: str, entry: _Public) -> LabelledFiles:
    found, root = _found(name, entry), _place(name)
    sides = [
        ([Path(path).relative_to(root).as_posix() for path in paths], labels)
        for paths, labels in map(entry.read, found)
    ]
    classes, trained = _class_names(found[0]), len(entry.sides[0])
    return labelled(name, _SOURCES[name], classes, root, *sides, trained=trained)


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
        with suppress(Exception):  # not there, or not whole
            return constructor(folder, **arguments, download=False)
        with alone(folder, "name another folder with NEXTIFY_CACHE", wait=True):
            with suppress(Exception):  # another process has brought it
                return constructor(folder, **arguments, download=False)
            return constructor(folder, **arguments, download=True)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(InputError), alone(folder, "", wait=True):
            pass  # what another process downloads just now looks whole before it is
        return [of_side(arguments) for arguments in (*train, test) if arguments is not None]
    except Exception as error:  # what networks, archives and torchvision raise has no common base
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"data set {name!r} could not be read from {str(folder)!r} or downloaded ({why}); "
            "load it once where there is a network and copy that folder here, or give a folder of "
            "images"
        ) from error
