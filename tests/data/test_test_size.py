"""Test images at another size than the training images."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nextify.data import ImageFiles, Images, decode, load
from nextify.errors import InputError

MakeFolder = Callable[..., Path]
SIDES = {"train/cat": 4, "train/dog": 5, "val/cat": 2, "val/dog": 1}


def test_a_folder_in_memory(make_folder: MakeFolder) -> None:
    root = make_folder(SIDES, side=140)
    plain = load(str(root), image_size=32)
    dataset = load(str(root), image_size=32, test_image_size=96)
    assert (dataset.image_size, dataset.test_size, plain.test_size) == (32, 96, 32)
    assert isinstance(plain.train, Images) and isinstance(dataset.train, Images)
    assert torch.equal(dataset.train.pixels, plain.train.pixels)
    assert isinstance(dataset.test, Images)
    assert dataset.test.pixels.shape == (3, 3, 110, 110)  # 96 / 0.875, as for training at 96
    assert torch.equal(dataset.test.pixels[1], decode(root / "val/cat/1.png", 110))
    assert torch.equal(dataset.test.labels, plain.test.labels)
    assert (dataset.mean, dataset.std) == (plain.mean, plain.std)


def test_a_folder_with_a_drawn_test_part(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 10, "dog": 5}, side=40)
    (root / "cat/3.png").write_bytes(b"no image")
    options = {"image_size": 16, "split_seed": 3, "skip_unreadable": True}
    large = load(str(root), image_size=24, **{k: options[k] for k in options if k != "image_size"})
    dataset = load(str(root), test_image_size=24, **options)
    assert isinstance(dataset.test, Images) and isinstance(large.test, Images)
    assert torch.equal(dataset.test.pixels, large.test.pixels)
    assert torch.equal(dataset.test.labels, large.test.labels)


def test_a_streamed_folder(make_folder: MakeFolder) -> None:
    root = make_folder(SIDES, side=140)
    dataset = load(str(root), image_size=32, test_image_size=96, memory_limit=0)
    assert isinstance(dataset.train, ImageFiles) and isinstance(dataset.test, ImageFiles)
    assert (dataset.train.stored_size, dataset.test.stored_size) == (32, 110)


def test_the_embedded_images() -> None:
    dataset = load("embedded", test_image_size=36, train_limit=20)
    assert isinstance(dataset.test, Images) and isinstance(dataset.train, Images)
    assert dataset.test.pixels.shape[-1] == 36 and dataset.train.pixels.shape[-1] == 28
    assert dataset.identity()["test_image_size"] == 36


def test_identities(make_folder: MakeFolder) -> None:
    root = make_folder(SIDES, side=40)
    plain = load(str(root), image_size=16).identity()
    assert "test_image_size" not in plain
    assert load(str(root), image_size=16, test_image_size=16).identity() == plain
    for limit in (None, 0):
        sizes = [
            load(str(root), image_size=16, test_image_size=size, memory_limit=limit).identity()
            for size in (None, 20, 24)
        ]
        assert sizes[0] != sizes[1] != sizes[2]


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_that_is_none(make_folder: MakeFolder, size: int) -> None:
    with pytest.raises(InputError, match=f"test_image_size={size}; give a whole number"):
        load(str(make_folder(SIDES)), test_image_size=size)
