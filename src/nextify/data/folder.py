"""A user's own images: one folder per class, below `train/` and `test/` (or `val/`) or directly.

    pets/train/cat/1.jpg  pets/train/dog/2.jpg  pets/val/cat/3.jpg  pets/val/dog/4.jpg
    pets/cat/1.jpg        pets/dog/2.jpg        (a fifth of each class is drawn to test on)

Splits may have other names, too (`nextify.data.split_names`). Folders within a class folder belong
to the class. What is left out is counted (`nextify.data.walk`).
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from nextify.data.dataset import Origin, Parts
from nextify.data.decoding import SUFFIXES
from nextify.data.image_files import LabelledFiles, labelled, parts_of_files
from nextify.data.split_names import TEST_KINDS, by_kind, kind_of, the_one
from nextify.data.walk import (
    Found,
    Identity,
    entries_of,
    folders_of,
    identity_of,
    images_below,
    is_folder,
    is_image_name,
)
from nextify.errors import InputError
from nextify.files import from_home
from nextify.requests import DataSpec
from nextify.words import composed

_EXPECTED = "give a folder that holds one folder of images per class, or train/ and val/ of these"

Classes = Mapping[str, list[Path]]
"""The folders of each class, by its name: two where one name is written in two ways."""


def parts_of_folder(path: Path, options: DataSpec, test_on_all: bool = False) -> Parts:
    """The data set in a folder. Raises `InputError`, which names the folder and the remedy."""
    root = from_home(path, "give the whole path")
    try:
        _require_folder(root)
        found = Found.below(root)
        files = _labelled_files(root, found, _sides(root, found), options.hold_out)
    except PermissionError as error:
        raise InputError(
            f"folder {str(error.filename)!r} cannot be read: permission denied; make it readable "
            "for this user, or give another folder"
        ) from error
    except OSError as error:
        raise InputError(f"folder {str(root)!r} cannot be opened: {error.strerror}") from error
    return parts_of_files(files, options, test_on_all)


def _require_folder(root: Path) -> None:
    if root.is_dir():
        return
    if root.exists():
        raise InputError(f"{str(root)!r} is a file, not a folder; {_EXPECTED}")
    parent, missing = root.absolute().parent, root.name
    while not parent.is_dir():
        missing, parent = parent.name, parent.parent
    names = [entry.name for entry in entries_of(parent) if is_folder(entry)]
    near = get_close_matches(missing, names, n=1)
    hint = f"the nearest folder that does is {str(parent)!r}; {_EXPECTED}"
    if near:
        hint = f"did you mean {str(parent / near[0])!r}?"
    raise InputError(f"folder {str(root)!r} does not exist; {hint}")


def _sides(root: Path, found: Found) -> tuple[Path, ...]:
    """The folders of training, of test and of validation images, as far as there are some: the
    folder itself if it holds the classes."""
    folders = folders_of(root, found)
    splits = by_kind(folder for folder in folders if folders_of(folder))
    tests = [kind for kind in TEST_KINDS if kind in splits]
    if "train" in splits and tests:
        sides = tuple(the_one(kind, splits[kind]) for kind in ("train", *tests[:2]))
        _leave_beside(root, found, folders, sides)
        return sides
    for train in splits.get("train", ()):
        if not _loose_images(train):
            raise InputError(
                f"{str(root)!r} has {train.name}/ but no test/ or val/ with class folders; add "
                f"one, or give {str(train)!r} to have a part of its images drawn to test on"
            )
    return (root,)  # a class of its own: 'train' beside 'car' and 'plane'


def _leave_beside(root: Path, found: Found, folders: list[Path], taken: tuple[Path, ...]) -> None:
    """Count what lies beside the splits that are taken."""
    for folder in folders:
        if folder not in taken:
            found.leave("split" if kind_of(folder.name) else "beside", folder.name)


def _loose_images(folder: Path) -> int:
    return sum(is_image_name(entry.name) and not is_folder(entry) for entry in entries_of(folder))


def _require_no_parts(root: Path, folders: list[Path]) -> None:
    """Folders that all hold the same folders, and no images, are parts of a data set: folds, or
    splits of other names. As classes they would be learned without a word."""
    if len(folders) < 2 or any(map(_loose_images, folders)):
        return
    inner = [{composed(each.name) for each in folders_of(folder)} for folder in folders]
    common, every = set.intersection(*inner), set.union(*inner)
    if len(common) < 2 or 2 * len(common) < len(every):
        return
    names = [repr(folder.name) for folder in folders]
    raise InputError(
        f"the folders of {str(root)!r} ({_some(names)}) hold no images but the same folders "
        f"({_some([repr(name) for name in sorted(common)])}): parts of a data set, it seems, and "
        f"no classes; give one of them, as {str(folders[0])!r}, or call two of them train and test"
    )


def _some(names: list[str]) -> str:
    return ", ".join([*names[:3], *["..."] * (len(names) > 3)])


def _labelled_files(
    root: Path, found: Found, taken: tuple[Path, ...], hold_out: bool
) -> LabelledFiles:
    """The files of the training images and, if there are some, of the test images; to hold out,
    of the validation images in their place."""
    train, *tests = taken
    validation = tests[1] if len(tests) > 1 else None
    hold_out = hold_out and validation is not None
    test = (validation if hold_out else tests[0]) if tests else None
    classes = _classes(train, found)
    sides = [classes]
    use = "a fifth of each class drawn to test on"
    if test is not None:
        sides.append(_as_ours(train, classes, test, _classes_in(test, found)))
        use = f"trained on {train.name}/ and tested on {test.name}/"
    name = root.resolve().name
    source = f"The images of the folder {name!r}, {use}; their licence is their owner's to state."
    above = frozenset(map(identity_of, (root, train, test or train)))
    images = [_images_of(root, side, found, above) for side in sides]
    origin = Origin(
        train=train.name if test else "",
        test=test.name if test else "",
        validation=validation.name if validation else "",
        held_out=hold_out,
        left_out=dict(found.left_out),
        outside=dict(found.outside),
    )
    files = labelled(name, source, tuple(classes), root, *images, trained=1)
    return replace(files, origin=origin)


def _classes(side: Path, found: Found) -> Classes:
    classes = _classes_in(side, found)
    if not classes:
        loose = _loose_images(side)
        what = f"holds {loose} images but no class folders" if loose else "holds no class folders"
        raise InputError(f"folder {str(side)!r} {what}; {_EXPECTED}")
    if len(classes) == 1:
        (name,) = classes
        is_wrapper = folders_of(side / name) and not _loose_images(side / name)
        remedy = f"did you mean {str(side / name)!r}?" if is_wrapper else _EXPECTED
        raise InputError(
            f"folder {str(side)!r} holds only one class, {name!r}; a classifier needs at "
            f"least two: {remedy}"
        )
    return classes


def _classes_in(side: Path, found: Found) -> Classes:
    """The class folders of a side."""
    folders = folders_of(side, found)
    _require_no_parts(side, folders)
    classes: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    for folder in folders:
        name = names.setdefault(composed(folder.name), folder.name)
        classes.setdefault(name, []).append(folder)
    return classes


def _as_ours(train: Path, ours: Classes, test: Path, theirs: Classes) -> Classes:
    """The folders of the test images by the names, and in the order, of the training's classes."""
    here, there = ({composed(name): name for name in names} for names in (ours, theirs))
    differences = [
        f"only in {side.name}/: {', '.join(repr(own[name]) for name in sorted(names))}"
        for side, own, names in (
            (train, here, here.keys() - there.keys()),
            (test, there, there.keys() - here.keys()),
        )
        if names
    ]
    if differences:
        raise InputError(
            f"the classes of {str(train)!r} and {str(test)!r} differ ({'; '.join(differences)}); "
            "give both the same class folders"
        )
    return {name: theirs[there[plain]] for plain, name in here.items()}


def _images_of(
    root: Path, classes: Classes, found: Found, above: frozenset[Identity]
) -> tuple[list[str], list[int]]:
    """Names relative to root, and labels, of all images below the class folders, in order."""
    names: list[str] = []
    labels: list[int] = []
    for label, (name, folders) in enumerate(classes.items()):
        own: list[str] = []
        for folder in folders:
            prefix = folder.relative_to(root).as_posix()
            own += [f"{prefix}/{image}" for image in images_below(folder, found, above)]
        if not own:
            raise _hollow(name, folders[0])
        names += own
        labels += [label] * len(own)
    return names, labels


def _hollow(name: str, folder: Path) -> InputError:
    """Of a class without images: what is in its folder instead."""
    inside = Found.below(folder)
    list(images_below(folder, inside))
    others = [f"{n} {what or 'without ending'}" for (why, what), n in inside.left_out.items()
              if why == "suffix"]  # fmt: skip
    there = f" (there are {_some(others)})" if others else ""
    return InputError(
        f"class {name!r} holds no images: none of {', '.join(SUFFIXES[:3])} and "
        f"{len(SUFFIXES) - 3} other endings below {str(folder)!r}{there}; add images or remove the "
        "folder"
    )
