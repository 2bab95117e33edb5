"""Draws of training images, and images held out: who they are and what they contain."""

from pathlib import Path

import pytest
import torch

from nextify.data import ImageFiles, as_named, drawn, held_out, load
from nextify.data.subsets import whole
from nextify.errors import InputError


@pytest.fixture
def pets(make_folder):
    return load(str(make_folder({"cat": 30, "dog": 30})), image_size=12)


def rows(images):
    """Each image as bytes: equal sets are equal images."""
    return [bytes(one.flatten().tolist()) for one in images.pixels]


def test_a_larger_draw_of_a_seed_contains_a_smaller_one(pets):
    small, large = (drawn(pets, count, seed=3) for count in (8, 20))
    assert set(rows(small.train)) < set(rows(large.train)) < set(rows(pets.train))
    assert small.train.labels.bincount().tolist() == [4, 4]
    assert rows(small.test) == rows(pets.test)


def test_another_seed_draws_others_and_says_so(pets):
    one, other = (drawn(pets, 8, seed=seed) for seed in (0, 1))
    assert set(rows(one.train)) != set(rows(other.train))
    assert one.identity() == {**pets.identity(), "train": 8, "drawn_from": 48, "draw_seed": 0}
    assert other.identity()["draw_seed"] == 1


def test_a_draw_is_normalised_by_its_own_images(pets):
    few = drawn(pets, 2, seed=0)
    pixels = few.train.pixels.double() / 255
    assert few.mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist())
    assert few.std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0).tolist())


def test_what_a_run_names(pets):
    few = drawn(pets, 8, seed=5)
    assert as_named(pets, pets.identity()) is pets
    assert rows(as_named(pets, few.identity()).train) == rows(few.train)
    assert as_named(few, few.identity()) is few


@pytest.mark.parametrize("count", [1, 49, 0, -3])
def test_draws_that_cannot_be(pets, count):
    with pytest.raises(InputError, match=f"{count} training images .* give 2 .* to 48"):
        drawn(pets, count, seed=0)


def test_held_out_images_are_trained_on_by_nobody(pets):
    part = held_out(pets, seed=1)
    train, test = set(rows(part.train)), set(rows(part.test))
    assert train | test == set(rows(pets.train)) and not train & test
    assert not test & set(rows(pets.test))
    assert part.test.labels.bincount().tolist() == [5, 5]
    assert part.fingerprint != pets.fingerprint
    assert part.fingerprint == held_out(pets, seed=1).fingerprint
    assert not torch.equal(part.test.pixels, held_out(pets, seed=2).test.pixels)


def test_all_images_but_those_that_are_tested_on(pets):
    part = held_out(pets, seed=1)
    every = whole(part, pets.test)
    assert sorted(rows(every.train)) == sorted(rows(pets.train))
    assert rows(every.test) == rows(pets.test) and every.name == "pets, all training images"
    assert len(whole(pets).train) == len(pets.train) + len(pets.test)


def test_a_class_of_one_image_cannot_be_held_out(make_folder):
    root = make_folder({"train/cat": 5, "train/dog": 1, "test/cat": 1, "test/dog": 1})
    with pytest.raises(InputError, match="class with 1 training image"):
        held_out(load(str(root), image_size=12))


def test_images_that_stay_in_their_files(make_folder):
    pets = load(str(make_folder({"cat": 30, "dog": 30})), image_size=12, memory_limit=1)
    few, part = drawn(pets, 8, seed=3), held_out(pets, seed=1)
    assert isinstance(few.train, ImageFiles) and len(few.train) == 8
    assert set(few.train.contents) < set(pets.train.contents)
    train, test = set(part.train.contents), set(part.test.contents)
    assert train | test == set(pets.train.contents) and not train & test
    assert few.identity()["drawn_from"] == 48 and few.mean == pets.mean


def test_images_are_not_held_out_for_another_size(make_folder):
    root = str(make_folder({"cat": 10, "dog": 10}, side=40))
    with pytest.raises(InputError, match="kept for 16 pixels a side, not for test_image_size=24"):
        load(root, image_size=16, test_image_size=24, hold_out=True)
    counts = {f"{side}/{name}": 3 for side in ("train", "val", "test") for name in ("cat", "dog")}
    make_folder(counts, name="split", side=40)
    split = load(str(Path(root).parent / "split"), image_size=16, test_image_size=24, hold_out=True)
    assert (len(split.test), split.test_size) == (6, 24)
