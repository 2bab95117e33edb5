"""Near duplicates: found whatever was done to the file, and not where pictures are only alike."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from nextify.data import load
from nextify.data.near import LEAST, frequencies, near_duplicates
from smooth_pictures import pictures


def encoded(image, quality=75):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def pixels(images, size=48):
    squares = [np.asarray(each.convert("RGB").resize((size, size), 3)) for each in images]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


def scaled(image, by):
    return image.resize((round(image.width * by), round(image.height * by)), 3)


CHANGES = {
    "encoded": encoded,
    "encoded and resized": lambda image: encoded(scaled(image, 0.8)),
    "half the size": lambda image: encoded(scaled(image, 0.5), 50),
    "mirrored": lambda image: encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.7)),
    "grey": lambda image: encoded(image.convert("L")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_and_nothing_else(change):
    images = pictures(200)
    copies = [CHANGES[change](image) for image in images[:20]]
    near = near_duplicates(frequencies(pixels([*images, *copies])))
    assert {*zip(near.one.tolist(), near.other.tolist(), strict=True)} == {
        (at, 200 + at) for at in range(20)
    }
    assert (near.mirrored == (change == "mirrored")).all()
    assert (near.likeness >= LEAST).all() and near.is_whole


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.FLIP_TOP_BOTTOM])
def test_turned_images_are_not(turn):
    images = pictures(100)
    both = [*images, *(image.transpose(turn) for image in images)]
    assert len(near_duplicates(frequencies(pixels(both))).one) == 0


def test_likeness_is_the_cosine_of_whitened_frequencies_taken_by_hand():
    found = frequencies(pixels([*pictures(40), *map(encoded, pictures(40)[:3])]))
    near = near_duplicates(found)
    odd = np.arange(64) % 8 % 2 == 1
    values = found.astype(np.float64)
    values[:, ~odd] -= values[:, ~odd].sum(0) / (len(values) + 100)
    covariance = (values.T @ values + 100 * np.eye(64) / 63) / (len(values) + 100)
    covariance[np.ix_(odd, ~odd)] = covariance[np.ix_(~odd, odd)] = 0
    strengths, directions = np.linalg.eigh(covariance[1:, 1:])
    white = values[:, 1:] @ directions * (strengths + 0.02 / 63) ** -0.5
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    expected = (white[near.one] * white[near.other]).sum(1)
    assert near.likeness == pytest.approx(expected, abs=1e-4)
    assert len(near.one) == 3


def test_silhouettes_that_are_only_alike_are_few():
    """Trousers on black, of which a plain cosine takes a tenth of all pairs for duplicates."""
    dataset = load("embedded", train_limit=2000)
    trousers = dataset.train.pixels[dataset.train.labels == 1]
    found = frequencies(trousers)
    plain = found @ found.T
    assert (np.triu(plain, 1) > LEAST).sum() > 1000
    assert len(near_duplicates(found).one) <= 5


def test_what_shows_nothing_is_like_nothing():
    blank = torch.full((5, 3, 40, 40), 200, dtype=torch.uint8)
    found = frequencies(torch.cat([blank, pixels(pictures(5), 40)]))
    assert not found[:5].any() and found[5:].any(1).all()
    assert len(near_duplicates(found).one) == 0
    assert len(near_duplicates(found[:5]).one) == 0


def test_every_pair_of_many_copies_is_found():
    images = pictures(3)
    found = frequencies(pixels([*images, *(encoded(images[0], q) for q in range(40, 90, 10))]))
    near = near_duplicates(found)
    assert len(near.one) == 15  # of six images
    assert (np.diff(near.likeness) <= 0).all()
