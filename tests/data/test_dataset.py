"""What a data set says of itself: statistics, fingerprint, identity."""

import json
from dataclasses import replace

import pytest
import torch

from nextify.data.dataset import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImageFiles,
    Images,
    Parts,
    channel_statistics,
    fingerprint,
    measured,
)
from nextify.errors import InputError


def noise(count: int = 12, channels: int = 3, seed: int = 0) -> Images:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, channels, 8, 8), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % 2)


PARTS = Parts("noise", ("a", "b"), noise(12), noise(6, seed=1), 8, "Made here.")


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_those_of_the_pixels(channels: int) -> None:
    images = noise(40, channels)
    pixels, (mean, std) = images.pixels, channel_statistics(images)
    values = pixels.double() / 255
    expected = values.mean(dim=(0, 2, 3)), values.std(dim=(0, 2, 3), correction=0)
    assert len(mean) == len(std) == 3
    assert torch.allclose(torch.tensor(mean).double(), expected[0].expand(3))
    assert torch.allclose(torch.tensor(std).double(), expected[1].expand(3))


def test_flat_images_can_be_divided_by_their_deviation() -> None:
    flat = Images(torch.full((4, 3, 2, 2), 51, dtype=torch.uint8), torch.zeros(4))
    mean, std = channel_statistics(flat)
    assert mean == pytest.approx((0.2,) * 3) and std == pytest.approx((1 / 255,) * 3)


def test_resizing_in_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = noise(7).resized(11)
    monkeypatch.setattr("nextify.data.dataset._CHUNK", 3 * 8 * 8 * 2)
    assert torch.equal(noise(7).resized(11).pixels, whole.pixels)
    assert whole.pixels.shape == (7, 3, 11, 11) and whole.pixels.dtype == torch.uint8


def test_a_range_of_images_shares_their_memory() -> None:
    images = noise()
    assert images.take(torch.arange(2, 5)).pixels.data_ptr() == images.pixels[2].data_ptr()
    some = images.take(torch.tensor([1, 3, 8]))
    assert torch.equal(some.pixels, images.pixels[[1, 3, 8]])
    assert some.labels.tolist() == [1, 1, 0]


def changed(images: Images, *, pixel: bool) -> Images:
    pixels, labels = images.pixels.clone(), images.labels.clone()
    if pixel:
        pixels[0, 0, 0, 0] ^= 1
    else:
        labels[0] ^= 1
    return Images(pixels, labels)


def test_the_fingerprint_is_of_all_that_matters() -> None:
    assert isinstance(PARTS.train, Images) and isinstance(PARTS.test, Images)
    others = [
        PARTS,
        replace(PARTS, image_size=7),
        replace(PARTS, classes=("a", "c")),
        replace(PARTS, train=PARTS.test, test=PARTS.train),
        replace(PARTS, train=changed(PARTS.train, pixel=True)),
        replace(PARTS, train=changed(PARTS.train, pixel=False)),
        replace(PARTS, test=changed(PARTS.test, pixel=True)),
        replace(PARTS, test=changed(PARTS.test, pixel=False)),
    ]
    prints = [fingerprint(parts) for parts in others]
    assert len(set(prints)) == len(prints) and {len(p) for p in prints} == {64}
    assert fingerprint(replace(PARTS, name="b", source="c")) == prints[0]
    assert fingerprint(replace(PARTS, train=noise(12))) == prints[0]


def test_the_identity_is_ready_for_json() -> None:
    dataset = measured(PARTS, train_limit=None, seed=0)
    expected = {
        "name": "noise",
        "fingerprint": dataset.fingerprint,
        "image_size": 8,
        "classes": 2,
        "train": 12,
        "test": 6,
    }
    assert json.loads(json.dumps(dataset.identity())) == expected


def test_a_limit_takes_training_images_only() -> None:
    limited = measured(PARTS, train_limit=4, seed=0)
    assert len(limited.train) == 4 and len(limited.test) == 6
    assert torch.bincount(limited.train.labels).tolist() == [2, 2]
    assert limited.fingerprint != measured(PARTS, None, seed=0).fingerprint
    assert limited.fingerprint == measured(PARTS, 4, seed=0).fingerprint
    assert limited.fingerprint != measured(PARTS, 4, seed=5).fingerprint
    assert len(measured(PARTS, 99, seed=0).train) == 12
    with pytest.raises(InputError, match="fewer images than the 2 classes"):
        measured(PARTS, 1, seed=0)


def test_streamed_images_are_normalised_as_imagenet() -> None:
    streamed = ImageFiles((), torch.zeros(0, dtype=torch.int64), (), 256, 224)
    dataset = measured(replace(PARTS, train=streamed, test=streamed), None, seed=0)
    assert (dataset.mean, dataset.std) == (IMAGENET_MEAN, IMAGENET_STD)
