"""Batches: every image once, decided by the generator alone."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data._utils.pin_memory import pin_memory
from torchvision.transforms import RandomResizedCrop

from nextify.data import Dataset, ImageFiles, Images, batches, decode, load
from nextify.data.batches import _Arrays
from nextify.data.decoding import random_box
from nextify.errors import InputError
from nextify.machine.processes import SPAWN


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int) -> Images:
    """Images of which each shows its own number, as does its label."""
    numbers = torch.arange(count)
    return Images(numbers.to(torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2), numbers)


@given(st.integers(1, 60), st.integers(1, 20), st.booleans(), st.booleans())
def test_every_image_comes_once(count: int, size: int, shuffled: bool, drop_last: bool) -> None:
    generator = seeded(1) if shuffled else None
    dealt = list(
        batches(numbered(count), size, generator=generator, device="cpu", drop_last=drop_last)
    )
    seen = [label for _, labels in dealt for label in labels.tolist()]
    if drop_last:
        assert len(seen) == count // size * size and len(set(seen)) == len(seen)
    else:
        assert sorted(seen) == list(range(count))
    for pixels, labels in dealt:
        assert torch.equal(pixels[:, 0, 0, 0].long(), labels)
        assert len(labels) == size or labels is dealt[-1][1]
    if not shuffled:
        assert seen == list(range(len(seen)))


def test_the_order_is_the_generators() -> None:
    def order(generator: torch.Generator) -> list[int]:
        dealt = batches(numbered(40), 7, generator=generator, device="cpu")
        return [label for _, labels in dealt for label in labels.tolist()]

    one = seeded(3)
    first, second = order(one), order(one)
    assert first == order(seeded(3)) and first != second and first != order(seeded(4))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("resident", [False, True])
def test_the_order_is_the_same_on_a_gpu(resident: bool) -> None:
    images = numbered(40).to("cuda") if resident else numbered(40)
    there = list(batches(images, 7, generator=seeded(3), device="cuda"))
    here = batches(numbered(40), 7, generator=seeded(3), device="cpu")
    for (pixels, labels), (expected, numbers) in zip(there, here, strict=True):
        assert pixels.is_cuda and torch.equal(pixels.cpu(), expected)
        assert labels.is_cuda and torch.equal(labels.cpu(), numbers)


@pytest.fixture
def streamed(make_folder: Callable[..., Path]) -> Dataset:
    counts = {"train/a": 5, "train/b": 4, "val/a": 2, "val/b": 3}
    return load(str(make_folder(counts, side=40)), image_size=24, memory_limit=0)


def dealt_from(images: Images | ImageFiles, seed: int | None, workers: int = 0) -> torch.Tensor:
    generator = None if seed is None else seeded(seed)
    dealt = list(batches(images, 2, generator=generator, device="cpu", workers=workers))
    return torch.cat([pixels for pixels, _ in dealt])


def test_streamed_batches_do_not_depend_on_the_workers(streamed: Dataset) -> None:
    before = torch.get_rng_state()
    alone = dealt_from(streamed.train, seed=5)
    assert alone.shape == (9, 3, 24, 24) and alone.dtype == torch.uint8
    assert torch.equal(alone, dealt_from(streamed.train, seed=5, workers=2))
    assert not torch.equal(alone, dealt_from(streamed.train, seed=6))
    assert torch.equal(before, torch.get_rng_state()), "the global state was drawn from"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_are_the_same_on_a_gpu(streamed: Dataset, workers: int) -> None:
    dealt = batches(streamed.train, 2, generator=seeded(5), device="cuda", workers=workers)
    there = torch.cat([pixels.cpu() for pixels, _ in dealt])
    assert torch.equal(there, dealt_from(streamed.train, seed=5))


def test_what_torchs_loader_pins() -> None:
    """It finds the method of a batch, and hands on what has none."""
    arrays = _Arrays(np.zeros((2, 3, 4, 4), np.uint8), np.arange(2))
    pinned: list[torch.Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self)
        pixels, labels = pin_memory(arrays)
        assert pin_memory(InputError("gone")).args == ("gone",)
    assert len(pinned) == 2 and labels.tolist() == [0, 1] and pixels.shape == (2, 3, 4, 4)


def test_streamed_epochs_crop_anew(streamed: Dataset) -> None:
    generator = seeded(5)
    one, two = (
        torch.cat([p for p, _ in batches(streamed.train, 9, generator=generator, device="cpu")])
        for _ in range(2)
    )
    assert not torch.equal(one.flatten(1).sort(0).values, two.flatten(1).sort(0).values)


def test_streamed_evaluation_is_the_decoded_centre(streamed: Dataset) -> None:
    assert isinstance(streamed.test, ImageFiles)
    expected = torch.stack([decode(path, 24) for path in streamed.test.paths])
    assert torch.equal(dealt_from(streamed.test, seed=None), expected)
    kept = load(str(streamed.test.paths[0].parents[2]), image_size=24)
    assert isinstance(kept.test, Images) and torch.equal(kept.test.pixels, expected)


def test_streamed_labels_belong_to_their_images(streamed: Dataset) -> None:
    seen = [
        label
        for _, labels in batches(streamed.train, 4, generator=seeded(0), device="cpu")
        for label in labels.tolist()
    ]
    assert sorted(seen) == [0] * 5 + [1] * 4


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**62))
def test_random_boxes_lie_within_the_image(width: int, height: int, seed: int) -> None:
    left, upper, right, lower = random_box((width, height), np.random.default_rng(seed))
    assert 0 <= left < right <= width and 0 <= upper < lower <= height


@pytest.mark.parametrize("least", [0.08, 0.35])
def test_random_boxes_are_spread_as_torchvisions(least: float) -> None:
    ours, theirs = np.random.default_rng(0), torch.zeros(3, 300, 400)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rows = [
            RandomResizedCrop.get_params(theirs, [least, 1.0], [3 / 4, 4 / 3]) for _ in range(3000)
        ]
    expected = np.array([(left, top, left + w, top + h) for top, left, h, w in rows])
    boxes = np.array([random_box((400, 300), ours, least) for _ in range(3000)])
    for quantity in (box_area, box_ratio, box_middle):
        a, b = quantity(boxes), quantity(expected)
        levels = np.linspace(0, 1, 11)
        spread = b.max() - b.min()
        assert np.abs(np.quantile(a, levels) - np.quantile(b, levels)).max() < 0.06 * spread


def box_area(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (400.0 * 300.0)


def box_ratio(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.log((boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1]))


def box_middle(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return (boxes[:, 0] + boxes[:, 2]) / 2.0


@pytest.mark.timeout(60)  # processes that wait for ever
def test_a_long_tmpdir_holds_no_loader_up(streamed, tmp_path, monkeypatch):
    """No socket is made there, whose name may have 107 bytes."""
    long = tmp_path / ("a-long-name-of-a-user-and-a-job" * 3)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert torch.equal(dealt_from(streamed.train, 5), dealt_from(streamed.train, 5, workers=1))
    assert list(long.iterdir()) == []


def test_without_processes_this_one_decodes(streamed, monkeypatch):
    def none(*_: object) -> None:
        raise OSError(28, "No space left on device")  # a full /dev/shm, say

    monkeypatch.setattr(SPAWN, "Lock", none)
    with pytest.warns(RuntimeWarning, match=r"No space left .*as with --loaders 0"):
        found = dealt_from(streamed.train, 5, workers=1)
    assert torch.equal(found, dealt_from(streamed.train, 5))


def die(image: object) -> torch.Tensor:
    os._exit(9)


def test_a_process_that_dies_is_one_line(streamed):
    with pytest.raises(InputError, match=r"has died.*--loaders 0"):
        dealt_from(replace(streamed.test, view=die), None, workers=1)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_is_gone_meanwhile_is_named(streamed, workers):
    streamed.train.paths[2].unlink()
    with pytest.raises(InputError, match=streamed.train.paths[2].name):
        dealt_from(streamed.train, 5, workers)


def test_an_order_of_ones_own_may_have_an_image_again(tmp_path: Path) -> None:
    """Each time it is cropped anew; the crops of the first are those of a shuffled order."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 40, 40, 3), dtype=np.uint8)
    for at, pixels in enumerate(noise):
        for split in ("train", "test"):
            path = tmp_path / "data" / split / "ab"[at % 2] / f"{at}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    images = load(tmp_path / "data", image_size=16, memory_limit=0).train
    order = torch.tensor([1, 3, 1, 0, 1, 2])
    dealt = batches(images, 6, generator=seeded(0), device="cpu", order=order)
    [(pixels, labels)] = list(dealt)
    assert torch.equal(labels, images.labels[order])
    assert len({pixels[at].numpy().tobytes() for at in (0, 2, 4)}) == 3
    again = batches(images, 4, generator=seeded(0), device="cpu", order=torch.arange(4))
    [(first, _)] = list(again)
    assert torch.equal(first[1], pixels[0]) and torch.equal(first[3], pixels[1])
