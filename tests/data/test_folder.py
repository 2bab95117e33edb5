"""A user's folder: both layouts, and one clear line for whatever is wrong with it."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from nextify.data import Dataset, ImageFiles, Images, decode, load, with_validation
from nextify.errors import InputError
from nextify.requests import DataSpec

MakeFolder = Callable[..., Path]
TWO_SIDES = {"train/cat": 4, "train/dog": 5, "val/cat": 2, "val/dog": 1}


def refusal(root: Path | str, **arguments: object) -> str:
    """The one line that loading the folder ends with."""
    with pytest.raises(InputError) as caught:
        load(str(root), **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def label_counts(dataset: Dataset) -> tuple[Counter[int], Counter[int]]:
    return Counter(dataset.train.labels.tolist()), Counter(dataset.test.labels.tolist())


@pytest.mark.parametrize("held_out", ["val", "test", "validation", "valid", "Val"])
def test_train_and_test_folders(make_folder: MakeFolder, held_out: str) -> None:
    root = make_folder({name.replace("val", held_out): n for name, n in TWO_SIDES.items()})
    dataset = load(str(root))
    assert dataset.name == "pets" and dataset.classes == ("cat", "dog")
    assert label_counts(dataset) == ({0: 4, 1: 5}, {0: 2, 1: 1})
    assert f"tested on {held_out}/" in dataset.source and dataset.skipped == ()
    assert isinstance(dataset.train, Images) and isinstance(dataset.test, Images)
    assert torch.equal(dataset.train.pixels[5], decode(root / "train/dog/1.png", 32))
    assert torch.equal(dataset.test.pixels[1], decode(root / held_out / "cat/1.png", 32))


def test_one_folder_per_class_is_split(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 10, "dog": 5, "eel": 2})
    dataset = load(str(root), memory_limit=0)
    assert label_counts(dataset) == ({0: 8, 1: 4, 2: 1}, {0: 2, 1: 1, 2: 1})
    assert isinstance(dataset.train, ImageFiles) and isinstance(dataset.test, ImageFiles)
    both = dataset.train.paths + dataset.test.paths
    assert sorted(both) == sorted(root.rglob("*.png"))
    for side in (dataset.train, dataset.test):
        names = [path.parent.name for path in side.paths]
        assert names == [dataset.classes[label] for label in side.labels.tolist()]
    again, other = load(str(root), memory_limit=0), load(str(root), memory_limit=0, split_seed=1)
    assert isinstance(again.test, ImageFiles) and isinstance(other.test, ImageFiles)
    assert again.test.paths == dataset.test.paths != other.test.paths


def test_a_test_folder_is_taken_before_a_validation_folder(make_folder: MakeFolder) -> None:
    root = make_folder(TWO_SIDES | {"test/cat": 3, "test/dog": 3})
    assert len(load(str(root)).test) == 6


def test_a_test_folder_without_labels_is_left(make_folder: MakeFolder) -> None:
    root = make_folder(TWO_SIDES | {"test": 3})
    assert len(load(str(root)).test) == 3


def test_train_may_be_a_class(make_folder: MakeFolder) -> None:
    assert load(str(make_folder({"car": 2, "train": 2}))).classes == ("car", "train")


@pytest.mark.parametrize(
    ("side", "size"), [(20, 32), (48, 32), (49, 64), (96, 64), (97, 128), (192, 128), (193, 224)]
)
def test_the_image_size_follows_the_median(make_folder: MakeFolder, side: int, size: int) -> None:
    dataset = load(str(make_folder({"a": 2, "b": 2}, side=side)))
    assert dataset.image_size == size
    assert isinstance(dataset.train, Images)
    assert dataset.train.pixels.shape[-1] == {32: 32, 64: 64, 128: 146, 224: 256}[size]


def test_a_stray_image_does_not_decide_the_size(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 2, "b": 2})
    Image.new("RGB", (900, 900)).save(root / "a" / "x.png")
    (root / "a" / "y.png").write_text("broken")
    assert load(str(root), skip_unreadable=True).image_size == 32


def test_what_is_found_in_a_class_folder(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 2, "cat/young/wild": 2, "dog": 2, ".hidden": 2, "dog/.git": 3})
    Image.new("RGB", (9, 9)).save(root / "dog" / "UPPER.JPEG")
    Image.new("RGB", (9, 9)).save(root / "dog" / ".hidden.png")
    (root / "dog" / "notes.txt").write_text("not an image")
    (root / "readme.md").write_text("not a class")
    dataset = load(str(root), memory_limit=0)
    train, test = label_counts(dataset)
    assert train + test == {0: 4, 1: 3} and dataset.classes == ("cat", "dog")


def test_links_are_followed_but_not_in_circles(make_folder: MakeFolder) -> None:
    outside = make_folder({"more": 3}, "outside")
    root = make_folder({"cat": 2, "dog": 2})
    (root / "cat" / "linked").symlink_to(outside / "more")
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "here").symlink_to(root / "cat")
    (root / "cat" / "self").symlink_to(root / "cat" / "self")
    (root / "dog" / "linked.png").symlink_to(outside / "more" / "0.png")
    train, test = label_counts(load(str(root)))
    assert train + test == {0: 5, 1: 3}


def test_images_stay_in_memory_up_to_the_limit(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 2, "b": 3})
    need = 5 * 3 * 32 * 32
    assert isinstance(load(str(root), memory_limit=need).train, Images)
    assert isinstance(load(str(root), memory_limit=need - 1).train, ImageFiles)


def test_training_images_can_be_limited(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 10, "b": 10})
    assert label_counts(load(str(root), train_limit=6)) == ({0: 3, 1: 3}, {0: 2, 1: 2})
    assert refusal(root, train_limit=1) == (
        "train_limit=1 is fewer images than the 2 classes; give at least 2"
    )


def test_a_missing_folder(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 2, "dog": 2})
    assert refusal(root.parent / "pet" / "x") == (
        f"folder '{root.parent}/pet/x' does not exist; did you mean '{root}'?"
    )
    assert refusal(root / "zzz") == (
        f"folder '{root}/zzz' does not exist; the nearest folder that does is '{root}'; give a "
        "folder that holds one folder of images per class, or train/ and val/ of these"
    )
    assert "does not exist" in refusal("~/no such folder of images")
    assert "cannot be opened: File name too long" in refusal("./" + "x" * 300)


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pets.zip").touch()
    message = refusal(tmp_path / "pets.zip")
    assert message.startswith(f"'{tmp_path}/pets.zip' is a file, not a folder; give a folder that")


def test_no_classes(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    assert refusal(tmp_path / "pets").startswith(
        f"folder '{tmp_path}/pets' holds no class folders; give a folder that holds one folder"
    )
    Image.new("RGB", (9, 9)).save(tmp_path / "pets" / "1.png")
    assert "holds 1 images but no class folders; give" in refusal(tmp_path / "pets")


def test_only_one_class(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3})
    assert f"'{root}' holds only one class, 'cat'; a classifier needs at least" in refusal(root)


def test_a_class_without_images(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 0})
    message = refusal(root)
    assert message.startswith("class 'dog' holds no images: none of .jpg, .jpeg, .jpe and ")
    assert message.endswith(f"other endings below '{root}/dog'; add images or remove the folder")


def test_a_test_class_without_images(make_folder: MakeFolder) -> None:
    root = make_folder(TWO_SIDES | {"val/dog": 0})
    assert f"below '{root}/val/dog'; add images" in refusal(root)


def test_classes_that_differ(make_folder: MakeFolder) -> None:
    root = make_folder({"train/cat": 1, "train/dog": 1, "val/cat": 1, "val/dgo": 1, "val/eel": 1})
    assert refusal(root) == (
        f"the classes of '{root}/train' and '{root}/val' differ (only in train/: 'dog'; only in "
        "val/: 'dgo', 'eel'); give both the same class folders"
    )


def test_train_without_test(make_folder: MakeFolder) -> None:
    root = make_folder({"train/cat": 2, "train/dog": 2})
    assert refusal(root) == (
        f"'{root}' has train/ but no test/ or val/ with class folders; add one, or give "
        f"'{root}/train' to have a part of its images drawn to test on"
    )


def test_fewer_images_than_both_sides_need(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 1})
    assert refusal(root) == (
        f"class 'dog' of '{root}' has 1 images; add images (at least 2, one to train and one to "
        "test on) or remove the class"
    )


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_an_unreadable_image(make_folder: MakeFolder, memory_limit: int | None) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    path = root / "dog" / "2.png"
    path.write_bytes(path.read_bytes()[:300])
    message = refusal(root, memory_limit=memory_limit)
    assert re.fullmatch(
        f"image '{path}' cannot be read: .+; replace or remove it, or use --skip-unreadable to "
        "leave it out and count it",
        message,
    )
    (root / "dog" / "link.png").symlink_to("nowhere")
    assert f"(and 1 other in '{root}')" in refusal(root, memory_limit=memory_limit)
    dataset = load(str(root), memory_limit=memory_limit, skip_unreadable=True)
    assert dataset.skipped == ("dog/2.png", "dog/link.png")
    assert label_counts(dataset) == ({0: 5, 1: 4}, {0: 1, 1: 1})
    if isinstance(dataset.train, Images):
        assert torch.equal(dataset.train.pixels[0], decode(root / "cat" / "0.png", 32)) or (
            torch.equal(dataset.train.pixels[0], decode(root / "cat" / "1.png", 32))
        )


def test_skipping_must_leave_every_class_an_image(make_folder: MakeFolder) -> None:
    root = make_folder(TWO_SIDES)
    (root / "val" / "dog" / "0.png").write_text("broken")
    assert refusal(root, skip_unreadable=True) == (
        f"class 'dog' of '{root}' has 0 test images after 1 unreadable ones were skipped; add "
        "images (at least 1) or remove the class"
    )


def test_permission_denied(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder({"cat": 3, "dog": 3})

    def denied(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("nextify.data.walk.os.scandir", denied)  # tests may run as root
    assert refusal(root) == (
        f"folder '{root}' cannot be read: permission denied; make it readable for this user, or "
        "give another folder"
    )


@pytest.mark.parametrize(
    ("field", "value", "least"),
    [("image_size", 0, 1), ("image_size", -3, 1), ("train_limit", 0, 1), ("memory_limit", -1, 0)],
)
def test_numbers_out_of_range(make_folder: MakeFolder, field: str, value: int, least: int) -> None:
    message = refusal(make_folder({"a": 2, "b": 2}), **{field: value})
    assert message == f"{field}={value}; give a whole number of at least {least}"


def test_a_seed_out_of_range() -> None:
    assert refusal("embedded", split_seed=-1) == ("split_seed=-1; give a number from 0 to 2^63 - 1")


def test_an_unknown_name(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal("cifar11")
    assert message.startswith("unknown data set 'cifar11'; did you mean 'cifar10'? Known: embedded")
    assert message.endswith("or give the path of a folder of images, such as ./cifar11")
    assert refusal("").startswith("unknown data set ''")
    assert refusal("x" * 300).startswith("unknown data set 'xxx")
    root = make_folder({"a": 2, "b": 2})
    monkeypatch.chdir(root.parent)
    assert load("pets").name == load("./pets").name == load("pets/").name == "pets"


def test_validation_images_beside_test_images_are_for_choosing(tmp_path):
    root = tmp_path / "pets"
    for side, count in (("train", 6), ("test", 2), ("val", 3)):
        for name in ("cat", "dog"):
            (root / side / name).mkdir(parents=True)
            for at in range(count):
                image = Image.new("RGB", (8, 8), (at, len(side), count))
                image.save(root / side / name / f"{at}.png")
    spec = DataSpec(source=str(root), image_size=8)
    plain = load(spec)
    assert (len(plain.train), len(plain.test), plain.validation) == (12, 4, None)
    chosen_by = with_validation(plain, spec)
    assert len(chosen_by.validation) == 6 and chosen_by.watched is chosen_by.validation
    held = load(replace(spec, hold_out=True))
    told = {"validation": 6, "validation_fingerprint": held.fingerprint}
    assert chosen_by.identity() == {**plain.identity(), **told}
    assert (len(held.train), len(held.test)) == (12, 6)
    assert torch.equal(held.test.pixels, chosen_by.validation.pixels)
    assert with_validation(held, replace(spec, hold_out=True)).validation is None
    shutil.rmtree(root / "test")  # then val/ is what is tested on, and a part is held out
    assert len(load(spec).test) == 6 and not load(spec).origin.validation
    assert len(load(replace(spec, hold_out=True)).train) == 10
