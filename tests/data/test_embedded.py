"""The embedded data is what its script makes of the published files, and is there at once."""

import hashlib
import runpy
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from nextify.data import Images, load
from nextify.data.embedded import FILE, SHA256
from nextify.data.fashion_mnist import DEBIAN_FOLDER

SCRIPT = Path(__file__).parents[2] / "scripts" / "embed_fashion_mnist.py"
EMBEDDED = Path(str(files("nextify.data.embedded") / FILE))


def test_the_file_is_the_documented_one() -> None:
    assert hashlib.sha256(EMBEDDED.read_bytes()).hexdigest() == SHA256


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_the_script_makes_the_same_arrays(tmp_path: Path) -> None:
    runpy.run_path(str(SCRIPT))["embed"](DEBIAN_FOLDER, tmp_path / FILE)
    with np.load(EMBEDDED) as ours, np.load(tmp_path / FILE) as made:
        assert set(ours) == set(made)
        for name in ours:
            assert np.array_equal(ours[name], made[name]), name


def test_what_it_holds() -> None:
    dataset = load("embedded")
    assert dataset.name == "fashion-mnist-embedded" and dataset.image_size == 28
    assert dataset.classes[0] == "T-shirt/top" and dataset.classes[9] == "Ankle boot"
    assert isinstance(dataset.train, Images) and isinstance(dataset.test, Images)
    assert dataset.train.pixels.shape == dataset.test.pixels.shape == (10_000, 1, 28, 28)
    for side in (dataset.train, dataset.test):
        assert side.pixels.dtype == torch.uint8 and side.labels.dtype == torch.int64
        assert torch.bincount(side.labels).tolist() == [1000] * 10
    assert "MIT" in dataset.source and "Zalando" in dataset.source
    assert (EMBEDDED.parent / "FASHION_MNIST_LICENSE.txt").read_text().count("Zalando SE") == 1
    assert load("fashion-mnist-embedded").fingerprint == dataset.fingerprint


def test_it_is_there_at_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded, decoded, resized or left on the disk."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it takes longer")

    monkeypatch.setattr("socket.socket", never)
    monkeypatch.setattr("nextify.data.decoding.open_rgb", never)
    monkeypatch.setattr("nextify.data.dataset.interpolate", never)
    load("embedded")
    assert not own_cache.exists()


def test_it_can_be_resized() -> None:
    dataset = load("embedded", image_size=32, train_limit=20)
    assert isinstance(dataset.train, Images)
    assert dataset.train.pixels.shape == (20, 1, 32, 32) and dataset.image_size == 32
    assert dataset.fingerprint != load("embedded", train_limit=20).fingerprint
