"""Batches for a step: chunks and copies give the same images as one batch after another."""

import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from nextify.data import Dataset, Images, batches, load, permuted
from nextify.data.augment import Mix, evaluation_view
from nextify.machine.ranks import Rank
from nextify.training import feed
from nextify.training.feed import augmentation, fed, fed_to_copies
from nextify.training.state import generator_for
from nextify.training.world import World
from training.conftest import small_recipe

RECIPES = {
    "full": {},
    "resized": {"crop": "resized", "mixup": 0.0},
    "centre": {"crop": "none", "flip": False, "cutmix": 0.0},
    "erasing": {"randaugment": 0.0, "random_erasing": 1.0, "mixup": 0.0, "cutmix": 0.0},
    "nothing": {"randaugment": 0.0, "random_erasing": 0.0, "mixup": 0.0, "cutmix": 0.0},
}


def dataset_of(channels: int = 3, stored: int = 12, size: int = 12) -> Dataset:
    draw = torch.Generator().manual_seed(0)
    coarse = torch.rand(23, channels, 4, 4, generator=draw) * 255
    pixels = torch.nn.functional.interpolate(coarse, stored, mode="bicubic").clamp(0, 255)
    images = Images(pixels.to(torch.uint8), torch.arange(23) % 4)
    return Dataset(
        name="smooth",
        classes=("a", "b", "c", "d"),
        train=images,
        test=images,
        image_size=size,
        mean=(0.3,) * channels,
        std=(0.2,) * channels,
        fingerprint="0" * 64,
        skipped=(),
        source="made by the tests",
    )


def generators(seed: int) -> dict[str, torch.Generator]:
    return {name: generator_for(seed, name) for name in ("order", "augment", "mix")}


def one_by_one(dataset, recipe, of):
    """As a loop over batches does it."""
    augment = augmentation(recipe, dataset)
    mix = Mix(recipe.mixup, recipe.cutmix, recipe.label_smoothing, len(dataset.classes))
    order = {"generator": of["order"], "device": "cpu", "drop_last": True}
    for pixels, labels in batches(dataset.train, recipe.batch_size, **order):
        images, targets = mix(augment(pixels, of["augment"]), labels, of["mix"])
        yield permuted(images, dataset.origin.permuted), targets


def equal(found, expected):
    found, expected = list(found), list(expected)
    return len(found) == len(expected) > 0 and all(
        torch.equal(one[at], other[at])
        for one, other in zip(found, expected, strict=True)
        for at in (0, 1)
    )


@pytest.fixture
def in_chunks(monkeypatch):
    """Chunks of 2 and 3 batches, where a CPU would take one."""
    monkeypatch.setattr(feed, "_counts", lambda steps, *_: [2, steps - 2])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("channels, stored, size", [(1, 12, 12), (3, 12, 12), (3, 14, 12)])
def test_chunks_equal_single_batches_bit_for_bit(in_chunks, name, channels, stored, size):
    dataset = dataset_of(channels, stored, size)
    recipe = small_recipe(batch_size=4, **RECIPES[name])
    ours, same = generators(1), generators(1)
    for _ in range(2):
        found = fed(dataset, recipe, ours, device="cpu")
        assert equal(found, one_by_one(dataset, recipe, same))


@pytest.fixture(params=["memory", "files"])
def places(request, tmp_path) -> Dataset:
    """23 images in memory, or in files of as many random crops."""
    dataset = dataset_of(stored=12)
    if request.param == "memory":
        return dataset
    train = dataset.train
    for at, (pixels, label) in enumerate(zip(train.pixels, train.labels, strict=True)):
        file = tmp_path / "train" / "abcd"[label] / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file)
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    return load(str(tmp_path), image_size=12, memory_limit=0)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_parts_of_later_batches_are_those_of_the_whole(places, name, size):
    """What several processes get together, the first batches left out, and where they end up."""
    recipe = small_recipe(batch_size=7, **RECIPES[name])
    whole = list(fed(places, recipe, generators(1), device="cpu"))
    ends = []
    for skip in (0, 2):
        taken = torch.zeros(7, dtype=torch.int64)
        for number in range(size):
            part, ours = World(Rank(number, size)).part(7), generators(1)
            found = fed(places, recipe, ours, device="cpu", part=part, skip=skip)
            assert equal(found, [(i[part], t[part]) for i, t in whole[skip:]])
            taken[part] += 1
            ends.append([each.get_state() for each in ours.values()])
        assert taken.tolist() == [1] * 7
    assert all(torch.equal(a, b) for end in ends for a, b in zip(end, ends[0], strict=True))


@pytest.mark.parametrize("crop", ["none", "padded"])
def test_images_from_files_are_cropped_as_the_recipe_says(tmp_path, crop):
    """Without resized crops they are what they are in memory, bit for bit."""
    for at in range(9):
        for split in ("train", "test"):
            file = tmp_path / split / "ab"[at % 2] / f"{at}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").rotate(20 * at).resize((150, 130)).save(file)
    kept = load(str(tmp_path), image_size=96)
    streamed = replace(
        load(str(tmp_path), image_size=96, memory_limit=0), mean=kept.mean, std=kept.std
    )
    recipe = small_recipe(batch_size=4, crop=crop)
    of = [list(fed(each, recipe, generators(1), device="cpu")) for each in (kept, streamed)]
    assert streamed.is_streamed and equal(*of)


def test_images_that_come_again_are_the_same_in_parts_and_after_a_start_in_between(tmp_path):
    """An image of a rare class comes several times in an epoch, each time cropped anew."""
    for at in range(14):
        file = tmp_path / "train" / "ab"[at > 11] / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").rotate(20 * at).save(file)
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    dataset = load(str(tmp_path), image_size=12, memory_limit=0)
    recipe = small_recipe(batch_size=4, balance="sampling", crop="resized")
    whole = list(fed(dataset, recipe, generators(1), device="cpu"))
    for skip, part in ((2, None), (0, World(Rank(1, 2)).part(4))):
        found = fed(dataset, recipe, generators(1), device="cpu", part=part, skip=skip)
        places = torch.arange(4) if part is None else part
        assert equal(found, [(i[places], t[places]) for i, t in whole[skip:]])


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_a_crop_area_of_one_leaves_whole_images(tmp_path, memory_limit):
    """In memory and from files; a small one does not."""
    for at in range(8):
        file = tmp_path / ("train", "test")[at > 5] / "ab"[at % 2] / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").rotate(20 * at).resize((12, 12)).save(file)
    limit = {} if memory_limit is None else {"memory_limit": memory_limit}
    dataset = load(str(tmp_path), image_size=12, **limit)
    stored = load(str(tmp_path), image_size=12).train.pixels
    whole = evaluation_view(stored, 12, dataset.mean, dataset.std)
    for area, is_whole in ((1.0, True), (0.08, False)):
        recipe = small_recipe(
            batch_size=6, crop="resized", crop_area=area, flip=False, **RECIPES["nothing"]
        )
        ((images, _),) = fed(dataset, recipe, generators(1), device="cpu")
        found = {tuple(each.flatten().tolist()) for each in images}
        assert (found == {tuple(each.flatten().tolist()) for each in whole}) == is_whole


@pytest.mark.parametrize("size, batch, passes", [(1, 7, 1), (2, 7, 1), (3, 30, 3), (4, 24, 3)])
def test_parts_are_all_of_each_pass_and_keep_partners_together(size, batch, passes):
    parts = [World(Rank(number, size)).part(batch, passes) for number in range(size)]
    assert torch.cat(parts).sort().values.tolist() == list(range(batch))
    for part in parts:
        assert part.flip(0).tolist() == (batch - 1 - part).tolist()
        each = part.view(passes, -1) // (batch // passes)
        assert torch.equal(each, torch.arange(passes)[:, None].expand_as(each))


def test_permuted_pixels(in_chunks):
    dataset, recipe = dataset_of(), small_recipe(batch_size=4)
    dataset = replace(dataset, origin=replace(dataset.origin, permuted=3))
    found = fed(dataset, recipe, generators(1), device="cpu")
    assert equal(found, one_by_one(dataset, recipe, generators(1)))


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("chunked", [False, True])
def test_copies_see_what_each_would_see_alone(request, copies, chunked):
    if chunked:
        request.getfixturevalue("in_chunks")
    dataset, recipe = dataset_of(), small_recipe(batch_size=4)
    found = list(
        fed_to_copies(dataset, recipe, [generators(s) for s in range(copies)], device="cpu")
    )
    images, targets = found[0]
    assert images.shape == (4, copies * 3, 12, 12) and targets.shape == (4, copies, 4)
    assert images.is_contiguous(memory_format=torch.channels_last) and targets.is_contiguous()
    for seed in range(copies):
        own = [(i[:, 3 * seed : 3 * seed + 3], t[:, seed]) for i, t in found]
        assert equal(own, one_by_one(dataset, recipe, generators(seed)))


@pytest.mark.parametrize("device, counts", [("cpu", [1] * 9), ("cuda", [4, 5])])
def test_a_chunk_is_one_batch_on_a_cpu_and_grows_on_a_gpu(device, counts):
    assert list(feed._counts(9, dataset_of().train, 4, device)) == counts
