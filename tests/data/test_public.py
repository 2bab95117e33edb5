"""Public sets: read from the formats that they are published in, and told why where they are not.

No test uses the network: the files are written here, a few images each.
"""

import gzip
import hashlib
import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from nextify.data import NAMES, ImageFiles, Images, fashion_mnist, load, public
from nextify.errors import InputError

Array = npt.NDArray[np.uint8]


@pytest.fixture(autouse=True)
def neither_network_nor_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("<urlopen error [Errno -3] Temporary failure\nin name resolution>")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")


@pytest.fixture
def place(own_cache: Path) -> Path:
    return own_cache / "public"


def noise(*shape: int) -> Array:
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def idx(values: Array) -> bytes:
    head = b"\0\0\x08" + bytes([values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    return head + values.tobytes()


def picture(path: Path, side: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(side, side, 3)).save(path)


def in_memory(name: str, **arguments: Any) -> tuple[Images, Images]:
    dataset = load(name, **arguments)
    assert dataset.name == name and dataset.source.endswith(".")
    assert isinstance(dataset.train, Images) and isinstance(dataset.test, Images)
    return dataset.train, dataset.test


@pytest.mark.parametrize(
    ("name", "folder"),
    [("fashion-mnist", "FashionMNIST"), ("mnist", "MNIST"), ("kmnist", "KMNIST")],
)
def test_mnist_and_its_kin(place: Path, name: str, folder: str) -> None:
    raw = place / name / folder / "raw"
    raw.mkdir(parents=True)
    pixels, labels = noise(20, 28, 28), np.arange(20, dtype=np.uint8) % 10
    for side, count in (("train", 20), ("t10k", 10)):
        (raw / f"{side}-images-idx3-ubyte").write_bytes(idx(pixels[:count]))
        (raw / f"{side}-labels-idx1-ubyte").write_bytes(idx(labels[:count]))
    train, test = in_memory(name)
    assert np.array_equal(train.pixels[:, 0].numpy(), pixels) and len(test) == 10
    assert train.labels.dtype == torch.int64 and train.labels.tolist() == labels.tolist()


def test_fashion_mnist_is_read_from_debians_package() -> None:
    folder = fashion_mnist.DEBIAN_FOLDER
    folder.mkdir()
    pixels, labels = noise(20, 28, 28), np.arange(20, dtype=np.uint8) % 10
    for side in ("train", "t10k"):
        (folder / f"{side}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        (folder / f"{side}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    train, _ = in_memory("fashion-mnist")
    assert np.array_equal(train.pixels[:, 0].numpy(), pixels)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"could not be read from .* or downloaded"):
        load("fashion-mnist")


def test_what_is_no_idx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"\0\0\x0d\1text"))
    with pytest.raises(ValueError, match=r"a\.gz' is not an IDX file of bytes"):
        fashion_mnist.read_idx(tmp_path / "a.gz")


def test_cifar10(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels, labels = noise(20, 3, 32, 32), [i % 10 for i in range(20)]

    def write(name: str, content: object) -> tuple[str, str]:
        (folder / name).write_bytes(pickle.dumps(content))
        return name, hashlib.md5((folder / name).read_bytes()).hexdigest()

    batch = {"data": pixels.reshape(20, -1), "labels": labels}
    names = [f"class {i}" for i in range(10)]
    meta = write("batches.meta", {"label_names": names})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [write("data_batch_1", batch)])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [write("test_batch", batch)])
    monkeypatch.setattr(
        datasets.CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    )
    train, test = in_memory("cifar10")
    assert np.array_equal(train.pixels.numpy(), pixels) and test.labels.tolist() == labels
    assert load("cifar10").classes == tuple(names)
    train, _ = in_memory("cifar10", image_size=96, train_limit=10)
    assert train.pixels.shape == (10, 3, 110, 110)


def test_svhn(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "svhn"
    folder.mkdir(parents=True)
    pixels = noise(10, 3, 32, 32)
    labels = np.arange(1, 11, dtype=np.uint8)  # 10 stands for the digit 0
    listed = {}
    for side in ("train", "test"):
        path = folder / f"{side}_32x32.mat"
        savemat(path, {"X": pixels.transpose(2, 3, 1, 0), "y": labels[:, None]})
        listed[side] = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)
    train, _ = in_memory("svhn")
    assert np.array_equal(train.pixels.numpy(), pixels)
    assert train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert load("svhn").classes == tuple("0123456789")


def test_imagenette(place: Path) -> None:
    folder = place / "imagenette" / "imagenette2-160"
    for wnid in ("n01440764", "n03888257"):
        for side, count in (("train", 3), ("val", 2)):
            for index in range(count):
                picture(folder / side / wnid / f"{index}.JPEG", 30)
    dataset = load("imagenette", image_size=24)
    assert dataset.classes == ("tench", "parachute")
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]
    streamed = load("imagenette", memory_limit=0)
    assert isinstance(streamed.train, ImageFiles) and streamed.image_size == 128


def test_food101_and_oxford_pets(place: Path) -> None:
    food = place / "food101" / "food-101"
    pets = place / "oxford-iiit-pet" / "oxford-iiit-pet"
    for name in ("a_pie/1", "a_pie/2", "soup/3", "soup/4"):
        picture(food / "images" / f"{name}.jpg")
    for name in ("big_cat_1", "big_cat_2", "dog_1", "dog_2"):
        picture(pets / "images" / f"{name}.jpg")
    (food / "meta").mkdir()
    (pets / "annotations").mkdir()
    for side, number in (("train", 1), ("test", 2)):
        listed = {"a_pie": [f"a_pie/{number}"], "soup": [f"soup/{number + 2}"]}
        (food / "meta" / f"{side}.json").write_text(json.dumps(listed))
        lines = f"big_cat_{number} 1 1 1\ndog_{number} 2 2 1\n"
        (pets / "annotations" / f"{side.replace('train', 'trainval')}.txt").write_text(lines)
    assert load("food101", image_size=16).classes == ("a_pie", "soup")
    assert load("oxford-iiit-pet", image_size=16).classes == ("Big Cat", "Dog")
    for name in ("food101", "oxford-iiit-pet"):
        dataset = load(name, image_size=16)
        assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0, 1]


def test_eurosat_is_split(place: Path) -> None:
    for name in ("Forest", "River"):
        for index in range(10):
            picture(place / "eurosat" / "eurosat" / "2750" / name / f"{index}.jpg")
    dataset = load("eurosat", image_size=16)
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert dataset.classes == ("Forest", "River")


def test_flowers_are_trained_on_training_and_validation_images(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place / "flowers102" / "flowers-102"
    for number in range(1, 307):
        picture(folder / "jpg" / f"image_{number:05d}.jpg", 8)
    savemat(folder / "imagelabels.mat", {"labels": np.arange(306) % 102 + 1})
    numbers = np.arange(1, 307)
    sides = {"trnid": numbers[:102], "valid": numbers[102:204], "tstid": numbers[204:]}
    savemat(folder / "setid.mat", sides)
    monkeypatch.setattr("torchvision.datasets.flowers102.check_integrity", lambda *_: True)
    dataset = load("flowers102", image_size=8)
    assert (len(dataset.train), len(dataset.test)) == (204, 102)
    assert dataset.classes[0] == "pink primrose" and len(dataset.classes) == 102


@pytest.mark.parametrize("name", [name for name in NAMES if "embedded" not in name])
def test_no_network(name: str, place: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(name)
    message = str(caught.value)
    assert message.startswith(
        f"data set '{name}' could not be read from '{place / name}' or downloaded ("
    )
    assert "Temporary failure in name resolution" in message and "\n" not in message
    assert message.endswith(
        "load it once where there is a network and copy that folder here, or give a folder of "
        "images"
    )


def test_two_that_need_it_at_once_download_it_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads = []

    class Slow:
        def __init__(self, root: Path, *, train: bool, download: bool) -> None:
            if not (root / "whole").exists():
                if not download:
                    raise RuntimeError("Dataset not found or corrupted.")
                downloads.append(root)
                time.sleep(0.5)
                (root / "whole").touch()
            self.data, self.targets = noise(20, 3, 32, 32), [at % 10 for at in range(20)]

    monkeypatch.setattr(datasets, "CIFAR10", Slow)
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(load, ["cifar10"] * 2))
    assert downloads == [place / "cifar10"]
    assert [len(each.train) for each in found] == [20, 20]
    assert [each.name for each in (place / "cifar10").iterdir()] == ["whole"]


def test_an_unwritable_place(own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"or downloaded .*Not a directory"):
        load("cifar10")


def test_every_entry_names_a_class_of_torchvision() -> None:
    for name, entry in public._TABLE.items():
        assert hasattr(datasets, entry.constructor), name
        assert entry.image_size > 0 and public._SOURCES[name].endswith(".")
