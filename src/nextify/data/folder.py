"""A user's own images: one folder per class, below `train/` and `test/` (or `val/`) or directly.

    pets/train/cat/1.jpg  pets/train/dog/2.jpg  pets/val/cat/3.jpg  pets/val/dog/4.jpg
    pets/cat/1.jpg        pets/dog/2.jpg        (a fifth of each class is drawn to test on)

Folders within a class folder belong to the class. Hidden files and folders are not looked at.
"""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from nextify.data.dataset import Parts
from nextify.data.decoding import SUFFIXES
from nextify.data.image_files import LabelledFiles, labelled, parts_of_files
from nextify.errors import InputError
from nextify.files import from_home
from nextify.requests import DataSpec

# What the folder of test images may be called; the first with class folders in it is taken, so
# that a test folder without labels, as competitions give it, leaves the validation images.
_TEST_NAMES = ("test", "val", "validation", "valid")

_EXPECTED = "give a folder that holds one folder of images per class, or train/ and val/ of these"


def parts_of_folder(path: Path, options: DataSpec) -> Parts:
    """The data set in a folder. Raises `InputError`, which names the folder and the remedy."""
    root = from_home(path, "give the whole path")
    try:
        _require_folder(root)
        files = _labelled_files(root, *_sides(root))
    except PermissionError as error:
        raise InputError(
            f"folder {str(error.filename)!r} cannot be read: permission denied; make it readable "
            "for this user, or give another folder"
        ) from error
    except OSError as error:
        raise InputError(f"folder {str(root)!r} cannot be opened: {error.strerror}") from error
    return parts_of_files(files, options)


def _require_folder(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise InputError(f"{str(root)!r} is a file, not a folder; {_EXPECTED}")
    parent, missing = root.absolute().parent, root.name
    while not parent.is_dir():
        missing, parent = parent.name, parent.parent
    names = [entry.name for entry in _entries(parent) if _is_folder(entry)]
    near = get_close_matches(missing, names, n=1)
    hint = f"the nearest folder that does is {str(parent)!r}; {_EXPECTED}"
    if near:
        hint = f"did you mean {str(parent / near[0])!r}?"
    raise InputError(f"folder {str(root)!r} does not exist; {hint}")


def _sides(root: Path) -> tuple[Path, Path] | tuple[Path]:
    """The folders of training and of test images, or the folder itself if it holds the classes."""
    found = {folder.name.lower(): folder for folder in _folders(root)}
    train = found.get("train")
    if train is None:
        return (root,)
    for name in _TEST_NAMES:
        if name in found and _folders(found[name]):
            return train, found[name]
    if _folders(train) and not any(_is_image(entry) for entry in _entries(train)):
        raise InputError(
            f"{str(root)!r} has {train.name}/ but no test/ or val/ with class folders; add one, "
            f"or give {str(train)!r} to have a part of its images drawn to test on"
        )
    return (root,)  # a class of its own: 'train' beside 'car' and 'plane'


def _labelled_files(root: Path, train: Path, test: Path | None = None) -> LabelledFiles:
    classes, sides, use = _classes(train), [train], "a fifth of each class drawn to test on"
    if test is not None:
        _check_same(train, classes, test)
        sides, use = [train, test], f"trained on {train.name}/ and tested on {test.name}/"
    name = root.resolve().name
    source = f"The images of the folder {name!r}, {use}; their licence is their owner's to state."
    found = [_images_of(root, side, classes) for side in sides]
    return labelled(name, source, classes, root, *found, trained=1)


def _classes(side: Path) -> tuple[str, ...]:
    names = tuple(folder.name for folder in _folders(side))
    if not names:
        loose = sum(_is_image(entry) for entry in _entries(side))
        what = f"holds {loose} images but no class folders" if loose else "holds no class folders"
        raise InputError(f"folder {str(side)!r} {what}; {_EXPECTED}")
    if len(names) == 1:
        raise InputError(
            f"folder {str(side)!r} holds only one class, {names[0]!r}; a classifier needs at "
            f"least two: {_EXPECTED}"
        )
    return names


def _check_same(train: Path, ours: tuple[str, ...], test: Path) -> None:
    theirs = [folder.name for folder in _folders(test)]
    differences = [
        f"only in {side.name}/: {', '.join(map(repr, sorted(names)))}"
        for side, names in ((train, set(ours) - set(theirs)), (test, set(theirs) - set(ours)))
        if names
    ]
    if differences:
        raise InputError(
            f"the classes of {str(train)!r} and {str(test)!r} differ ({'; '.join(differences)}); "
            "give both the same class folders"
        )


def _images_of(root: Path, side: Path, classes: tuple[str, ...]) -> tuple[list[str], list[int]]:
    """Names relative to root, and labels, of all images below the class folders, in order."""
    names: list[str] = []
    labels: list[int] = []
    above = frozenset({_identity(root), _identity(side)})
    for label, name in enumerate(classes):
        prefix = (side / name).relative_to(root).as_posix()
        found = [f"{prefix}/{image}" for image in images_below(side / name, above)]
        if not found:
            raise InputError(
                f"class {name!r} holds no images: none of {', '.join(SUFFIXES)} below "
                f"{str(side / name)!r}; add images or remove the folder"
            )
        names += found
        labels += [label] * len(found)
    return names, labels


def images_below(folder: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[str]:
    """The names of all images below a folder, relative to it, in order.

    Links are followed, but not back to one of the folders `above` (device and inode), which would
    never end.
    """
    here = _identity(folder)
    if here in above:
        return
    for entry in _entries(folder):
        if _is_folder(entry):
            inner = images_below(Path(entry.path), above | {here})
            yield from (f"{entry.name}/{image}" for image in inner)
        elif _has_suffix(entry):
            yield entry.name


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if _is_folder(entry)]


def _entries(folder: Path) -> "list[os.DirEntry[str]]":
    """What a folder holds, sorted by name, without what is hidden."""
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(shown, key=lambda entry: entry.name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_image(entry: "os.DirEntry[str]") -> bool:
    return _has_suffix(entry) and not _is_folder(entry)


def _has_suffix(entry: "os.DirEntry[str]") -> bool:
    return entry.name.lower().endswith(SUFFIXES)
