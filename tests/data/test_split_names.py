"""Folders of splits, whatever they are called; what only looks like classes is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nextify.data import load
from nextify.data.split_names import kind_of
from nextify.errors import InputError

MakeFolder = Callable[..., Path]


def sides(*names: str, **counts: int) -> dict[str, int]:
    return {f"{name}/{one}": 2 for name in names for one in ("cat", "dog")} | counts


@pytest.mark.parametrize(
    ("train", "test"),
    [("Training", "Testing"), ("train_set", "test_set"), ("seg_train", "seg_test"),
     ("TRAIN", "VAL"), ("train", "validation"), ("training", "valid"), ("train", "dev"),
     ("trainset", "testset"), ("train2017", "val2017"), ("train_images", "test-images"),
     ("entrenamiento", "prueba"), ("entraînement", "test"), ("Training Data", "Hold-out"),
     ("训练集", "测试集"), ("обучение", "тест"), ("train", "eval")],
)  # fmt: skip
def test_splits_are_found_by_their_names(make_folder: MakeFolder, train: str, test: str) -> None:
    origin = load(str(make_folder(sides(train, test)))).origin
    assert (origin.train, origin.test, origin.split_seed) == (train, test, None)


@pytest.mark.parametrize("name", ["cat", "trainers", "tests of time", "contest", "valley", "12"])
def test_names_that_are_no_splits(name: str) -> None:
    assert kind_of(name) is None


def test_the_order_of_test_sides_and_what_is_beside_them(make_folder: MakeFolder) -> None:
    root = make_folder(sides("train", "valid", "Testing", "train_extra", "labels"))
    dataset = load(str(root))
    assert dataset.origin.test == "Testing" and len(dataset.train) == 4
    assert dataset.origin.left_out == {
        ("beside", "train_extra"): 1, ("beside", "labels"): 1
    }  # fmt: skip
    assert dataset.origin.validation == "valid"


def refusal(root: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(str(root))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_folders_for_one_side_are_refused(make_folder: MakeFolder) -> None:
    root = make_folder(sides("train_1", "train_2", "test"))
    assert "has several folders that may be train/: 'train_1', 'train_2'; put" in refusal(root)


@pytest.mark.parametrize(
    "names", [("fold1", "fold2", "fold3"), ("good", "bad"), ("val", "test"), ("part-a", "part-b")]
)
def test_parts_of_a_data_set_are_no_classes(make_folder: MakeFolder, names: list[str]) -> None:
    root = make_folder(sides(*names))
    message = refusal(root)
    assert f"give one of them, as '{root}/{min(names)}', or call two of them train" in message
    assert "('cat', 'dog')" in message


def test_parts_that_lack_a_class_and_parts_within_a_split(make_folder: MakeFolder) -> None:
    counts = {"a/cat": 1, "a/dog": 1, "a/eel": 1, "b/cat": 1, "b/dog": 1}
    assert "no classes" in refusal(make_folder(counts))
    inner = {f"train/{part}": 1 for part in counts} | {f"val/{part}": 1 for part in counts}
    assert "no classes" in refusal(make_folder(inner, "inner"))


def test_classes_may_have_folders_of_their_own(make_folder: MakeFolder) -> None:
    same = {"cat/images": 2, "dog/images": 2}  # as in Tiny ImageNet
    assert load(str(make_folder(same))).classes == ("cat", "dog")
    other = {"cat/a": 2, "cat/b": 2, "dog/a": 2, "dog/c": 2, "dog/d": 2}
    assert load(str(make_folder(other, "other"))).classes == ("cat", "dog")


def test_a_folder_in_the_folder_is_named(make_folder: MakeFolder) -> None:
    root = make_folder({"pets/cat": 2, "pets/dog": 2})
    assert refusal(root).endswith(f"did you mean '{root}/pets'?")


def test_one_class_written_in_two_ways(make_folder: MakeFolder) -> None:
    """A Mac stores letters and accents apart."""
    counts = {"train/caf\u00e9": 2, "train/tea": 2, "val/cafe\u0301": 1, "val/tea": 1}
    dataset = load(str(make_folder(counts)))
    assert dataset.classes == ("caf\u00e9", "tea") and dataset.test.labels.tolist() == [0, 1]
    both = {"caf\u00e9": 2, "cafe\u0301": 3, "tea": 2}
    assert load(str(make_folder(both, "both"))).counts() == ([4, 1], [1, 1])
