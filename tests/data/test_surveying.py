"""A data set that was looked at: counts of duplicates against what was planted, clues, samples."""

import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nextify.data import load, with_validation
from nextify.data.surveying import survey
from nextify.findings.survey import Count
from nextify.requests import DataSpec
from smooth_pictures import pictures

CLASSES = ("cat", "dog")


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Twenty pictures a class to train on, ten to test on and ten to choose by."""
    root = tmp_path_factory.mktemp("survey") / "pets"
    images = iter(pictures(80))
    for split, count in (("train", 20), ("test", 10), ("val", 10)):
        for name in CLASSES:
            for at in range(count):
                save(next(images), root / split / name / f"{at}.png")
    return root


@pytest.fixture
def pets(originals, tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(originals, tmp_path / "pets"))


def looked_at(folder, **options):
    spec = DataSpec(source=str(folder), image_size=32, skip_unreadable=True, **options)
    return survey(with_validation(load(spec), spec))


NONE = Count(0, 0)


@pytest.mark.parametrize("memory", [None, 0])
def test_nothing_is_found_where_nothing_is(pets, memory):
    found = looked_at(pets, memory_limit=memory)
    assert found.counts == {"training": (20, 20), "test": (10, 10), "validation": (10, 10)}
    repeats = found.repeats
    assert {*repeats.leaks.values()} == {NONE} and len(repeats.leaks) == 3
    assert repeats.crossed == repeats.within == NONE and repeats.pairs == () and repeats.is_whole
    assert found.files.sizes == Counter({(64, 64): 80}) and found.files.formats == {"PNG": 80}
    assert not any(clue.tells for clue in found.clues)
    assert {name: len(some) for name, some in found.samples.items()} == {"cat": 8, "dog": 8}
    assert Image.open(io.BytesIO(found.samples["cat"][0])).size == (96, 96)


@pytest.mark.parametrize("memory", [None, 0])
def test_planted_duplicates_are_counted(pets, memory):
    test, train, val = (pets / side for side in ("test", "train", "val"))
    shutil.copy(test / "cat/0.png", train / "cat/copy.png")
    Image.open(test / "dog/1.png").save(train / "dog/copy.bmp")  # other bytes, the same pixels
    shutil.copy(test / "dog/2.png", train / "cat/copy2.png")  # under another class, too
    image = Image.open(test / "cat/3.png").resize((51, 51))
    save(image, train / "cat/encoded.jpg", quality=75)
    save(image, val / "cat/encoded2.jpg", quality=80)
    shutil.copy(train / "dog/7.png", train / "dog/copy7.png")
    found = looked_at(pets, memory_limit=memory)
    repeats = found.repeats
    assert repeats.leaks["test", "training"] == Count(exact=3, near=1)
    assert repeats.leaks["validation", "training"] == Count(exact=0, near=1)
    assert repeats.leaks["test", "validation"] == Count(exact=0, near=1)
    assert repeats.crossed == Count(exact=2, near=0)
    assert repeats.within == Count(exact=2, near=0)
    crossed = [pair for pair in repeats.pairs if pair.is_crossed]
    assert [{pair.one.name, pair.other.name} for pair in crossed] == [
        {"test/dog/2.png", "train/cat/copy2.png"}
    ]
    assert all(pair.one.thumbnail and pair.other.thumbnail for pair in repeats.pairs)
    assert Counter(pair.exact for pair in repeats.pairs) == {True: 4, False: 3}
    assert found.files.formats == {"PNG": 83, "BMP": 1, "JPEG": 2}
    assert found.files.smallest[0][1:] == (51, 51)


def test_clues_of_every_kind_are_told(tmp_path, monkeypatch):
    """One class of each kind that the pixels do not decide."""
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))
    images, root = pictures(40), tmp_path / "pets"
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    for at, image in enumerate(images[:20]):
        framed = Image.new("RGB", (80, 64), "white")
        framed.paste(image.resize((56, 56)), (12, 4))
        save(framed, root / "cat" / f"{at}.jpg", quality=95, exif=exif)
        save(images[20 + at].convert("L"), root / "dog" / f"{at}.jpg", quality=50)
    found = looked_at(root)
    assert {clue.name: clue.right for clue in found.clues} == dict.fromkeys(
        ["size", "form", "format", "compression", "camera", "grey or colour", "corners",
         "all together"], 1.0,
    )  # fmt: skip
    assert all(clue.tells for clue in found.clues)
    assert found.drawn == 0


def test_an_image_on_its_side_has_the_size_that_is_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in CLASSES:
        for at, image in enumerate(pictures(4)):
            save(image.resize((40, 30)), tmp_path / "pets" / name / f"{at}.jpg", exif=exif)
    assert looked_at(tmp_path / "pets").files.sizes == {(30, 40): 8}


def test_unreadable_images_are_named_with_the_reason(pets):
    (pets / "train/cat/broken.png").write_bytes(b"no image")
    (pets / "train/cat/page.jpg").write_bytes(b"<html>")
    found = looked_at(pets)
    assert {*found.unreadable} == {"train/cat/broken.png", "train/cat/page.jpg"}
    assert "web page" in found.unreadable["train/cat/page.jpg"]
    assert found.counts["training"] == (20, 20)


def test_names_are_those_of_the_images(pets):
    """A drawn split indexes its files, a draw of them does so twice."""
    whole = load(str(pets), image_size=32)
    some = whole.train.take(np_index := whole.train.labels.nonzero().flatten()[::3])
    names = some.contents_of_files.listing.names
    assert names == tuple(f"train/dog/{n}" for n in sorted(f"{at}.png" for at in range(20)))[::3]
    again = some.take(np_index[:2] * 0 + 1)
    assert again.contents_of_files.listing.names == (names[1],) * 2
    drawn = load(str(pets / "train"), image_size=32)
    for side in (drawn.train, drawn.test):
        for at, name in enumerate(side.contents_of_files.listing.names):
            image = np.asarray(Image.open(pets / "train" / name).resize((32, 32), 3))
            assert (side.pixels[at].permute(1, 2, 0).numpy() == image).all()


@pytest.mark.slow
def test_a_hundred_thousand_images_take_a_minute_or_two():
    import resource
    import time

    from nextify.data.near import near_duplicates

    draw = np.random.default_rng(0)
    found = draw.normal(size=(100_000, 64)).astype(np.float32)
    found[-100:] = found[:100]
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    near = near_duplicates(found)
    assert len(near.one) == 100
    assert time.process_time() - began < 150
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB
