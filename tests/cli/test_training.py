"""train, evaluate and predict, from images to answers."""

import json
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nextify.cli.main import main

from .conftest import TINY, changed, contents, make_images

TRAIN = ("train", *TINY, "epochs=2", "--output", "net")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pets` and a network trained on them in `net`."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 20, "dog": 20})
        assert main([*TRAIN, "--json"]) == 0
    return folder


@pytest.fixture
def net(trained_once: Path, own_folder: Path) -> Path:
    shutil.copytree(trained_once / "pets", own_folder / "pets")
    shutil.copytree(trained_once / "net", own_folder / "net")
    return own_folder / "net"


@pytest.fixture
def record(net: Path) -> dict:
    return json.loads((net / "record.json").read_text())


def test_what_training_leaves(net, record):
    names = {path.name for path in net.iterdir()}
    assert names == {"record.json", "network.safetensors"}
    assert record["outcome"] == "finished" and record["result"]["steps"] == 8
    assert [point["epoch"] for point in record["curve"]] == [1, 2]
    assert record["run"]["recipe"]["epochs"] == 2


def test_training_says_what_it_did(nextify, pets):
    answer = nextify("train", *TINY, "--epochs", "2")
    assert answer.code == 0
    *block, first, second = answer.err.splitlines()
    assert block[:-1] == [
        "images: pets, 32 to train on and 8 to test on (a fifth of each class, drawn with split "
        "seed 0)",
        "2 classes (training + test images): cat 16+4, dog 16+4",
        "each class, 50.0% of the training images; always to answer it scores 50.0%",
        "seen at 8 pixels a side: the largest centred square of each image, resized; in memory",
        "recipe modern-small: 2 epochs of 4 updates (8), batches of 8",
    ]
    assert re.fullmatch(r"about [\d.]+ s", block[-1])
    told = (
        r"\d\d:\d\d:\d\d epoch {} of 2: training loss \d\.\d{{4}}, accuracy \d+\.\d\d%; 0 s so far"
    )
    assert re.fullmatch(told.format(1) + "(, about 0 s left)?", first)
    assert re.fullmatch(told.format(2), second)
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("convnext-mini-modern-small-")
    assert "accuracy" in answer.out and f"network: {folder / 'network.safetensors'}" in answer.out


def test_the_same_command_again_does_nothing(nextify, net, record):
    before = contents()
    answer = nextify(*TRAIN)
    assert answer.code == 0 and "holds this run already" in answer.err
    assert f"accuracy {record['result']['accuracy']:.2%}" in answer.out
    assert json.loads(nextify(*TRAIN, "--json").out) == {**record, "folder": "net"}
    assert contents() == before


@pytest.mark.parametrize("change", [["--seed", "1"], ["epochs=3"], ["--image-size", "9"],
                                    ["ratio=2"], ["--train-limit", "20"]])  # fmt: skip
def test_another_run_is_refused_in_the_same_folder(refused, net, change):
    assert "net holds another run" in refused(*changed(TRAIN, change))


def test_a_network_that_was_deleted_is_trained_again_to_the_same_bits(nextify, net):
    before = load_file(net / "network.safetensors")
    (net / "network.safetensors").unlink()
    assert nextify(*TRAIN).code == 0
    after = load_file(net / "network.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_evaluation_gives_the_recorded_numbers(nextify, net, record):
    options = ("--data", "pets", "--threads", "1")
    values = json.loads(nextify("evaluate", "net", *options, "--json").out)
    result = record["result"]
    assert values["accuracy"] == result["accuracy"] and values["images"] == result["images"]
    assert values["nll"] == pytest.approx(result["nll"], rel=1e-6)
    text = nextify("evaluate", "net/network.safetensors", *options).out
    assert f"accuracy {result['accuracy']:.2%} on 8 test images of pets" in text
    assert values["answered"] == result["answered"] in (1, 2)
    assert ("the network answers one class only" in text) == (result["answered"] == 1)


def test_evaluation_on_other_classes_is_refused(refused, net):
    assert "T-shirt/top" in refused("evaluate", "net")


def test_a_run_that_diverges_is_recorded(nextify, pets):
    arguments = ("train", *TINY, "epochs=1", "learning_rate=1e30", "--output", "net")
    answer = nextify(*arguments)
    assert answer.code == 1 and answer.out.startswith("diverged: ")
    assert json.loads(Path("net/record.json").read_text())["outcome"] == "diverged"
    assert not Path("net/network.safetensors").exists()
    assert "nothing to do" in nextify(*arguments).err


def test_predict_prints_classes_with_probabilities(nextify, net):
    answer = nextify("predict", "net", "pets/cat/0.png")
    assert answer.err == (
        "1 image to classify; classes of the network: 2 (cat, dog); seen at 8 pixels a side\n"
    )
    assert answer.out.startswith("pets/cat/0.png: ")
    assert "cat" in answer.out and "dog" in answer.out and answer.out.count("%") == 2
    assert nextify("predict", "net", "pets/cat/0.png", "--top", "1").out.count("%") == 1
    ((image,), skipped) = json.loads(
        nextify("predict", "net", "--json", "pets/cat/0.png").out
    ).values()
    assert skipped == [] and image["image"] == "pets/cat/0.png"
    assert sum(best["probability"] for best in image["classes"]) == pytest.approx(1)
    first, second = (best["probability"] for best in image["classes"])
    assert first >= second


def test_predict_takes_files_and_folders_in_order(nextify, net):
    Path("pets/cat/.hidden.png").write_bytes(b"")
    Path("pets/cat/notes.txt").write_text("not an image")
    Path("pets/cat/folder.png").mkdir()
    answer = nextify("predict", "net", "pets/dog/3.png", "--json", "pets/cat")
    assert answer.code == 0
    images = [image["image"] for image in json.loads(answer.out)["images"]]
    assert images == ["pets/dog/3.png", *sorted(f"pets/cat/{n}.png" for n in range(20))]


def save_kinds(folder: Path) -> list[str]:
    """One picture in every kind of file that a network should see in the same way."""
    folder.mkdir()
    ramp = np.add.outer(np.arange(0, 240, 15), np.arange(16)).astype(np.uint8)
    grey = Image.fromarray(ramp)
    grey.save(folder / "grey.png")
    grey.convert("RGB").save(folder / "colour.png")
    grey.convert("P").save(folder / "palette.png")
    grey.convert("RGBA").save(folder / "alpha.png")
    grey.convert("LA").save(folder / "grey-alpha.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(folder / "deep.png")
    Image.merge("CMYK", [*(Image.fromarray(255 - ramp),) * 3, Image.new("L", (16, 16))]).save(
        folder / "cmyk.tif"
    )
    turned = Image.Exif()
    turned[274] = 6  # to be turned a quarter to the right
    grey.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=turned)
    return sorted(path.name for path in folder.iterdir())


def test_every_kind_of_file_is_seen_alike(nextify, net):
    names = save_kinds(Path("kinds"))
    answer = nextify("predict", "net", "kinds", "--json")
    images = {Path(i["image"]).name: i["classes"] for i in json.loads(answer.out)["images"]}
    assert sorted(images) == names and len(names) == 8
    expected = {best["class"]: best["probability"] for best in images["colour.png"]}
    for name, classes in images.items():
        found = {best["class"]: best["probability"] for best in classes}
        assert found == pytest.approx(expected, abs=1e-6), name


@pytest.fixture
def broken(net: Path) -> list[str]:
    """The first and the last image of the cats cannot be read."""
    names = sorted(str(path) for path in Path("pets/cat").iterdir())
    Path(names[0]).write_bytes(Path(names[0]).read_bytes()[:80])
    Path(names[-1]).write_text("hello")
    return names


def test_predict_answers_for_the_images_beside_a_broken_one(nextify, broken):
    answer = nextify("predict", "net", "pets/cat")
    assert answer.code == 2 and answer.err.startswith("20 images to classify; ")
    assert answer.err.count("\n") == 2
    assert f"2 of 20 images cannot be read, the first {broken[0]!r}" in answer.err
    assert "--skip-unreadable" in answer.err
    assert [line.split(": ")[0] for line in answer.out.splitlines()] == broken[1:-1]
    answer = nextify("predict", "net", "pets/cat", "--json")
    values = json.loads(answer.out)
    assert answer.code == 2 and values["skipped"] == [broken[0], broken[-1]]
    assert [image["image"] for image in values["images"]] == broken[1:-1]


def test_predict_leaves_broken_images_out_and_counts_them(nextify, broken):
    answer = nextify("predict", "net", "pets/cat", "--skip-unreadable", "--json")
    assert answer.code == 0 and "2 unreadable images left out, the first" in answer.err
    assert len(json.loads(answer.out)["images"]) == 18


def test_training_leaves_broken_images_out_and_counts_them(nextify, refused, broken):
    arguments = ("train", *TINY, "epochs=1", "--output", "other")
    said = refused(*arguments)
    assert broken[0] in said and "1 other" in said and "--skip-unreadable" in said
    answer = nextify(*arguments, "--skip-unreadable", "--json")
    assert answer.code == 0 and "2 unreadable images left out, the first cat/0.png" in answer.err
    assert json.loads(answer.out)["run"]["data"]["train"] == 30


def test_a_network_file_that_is_none(refused, net):
    whole = (net / "network.safetensors").read_bytes()
    tensors = load_file(net / "network.safetensors")
    files = {
        "truncated": whole[:-100],
        "head-only": whole[:1000],
        "empty": b"",
        "text": b"just some text that is longer than eight bytes",
        "pickle": pickle.dumps({"weights": [1.0]}),
        "damaged-head": whole[:8] + b"X" + whole[9:],
        "huge-head": b"\xff" * 8 + whole[8:],
    }
    for name, data in files.items():
        Path(f"{name}.safetensors").write_bytes(data)
        said = refused("predict", f"{name}.safetensors", "pets")
        assert f"{name}.safetensors" in said and "nextify train" in said
    torch.save(tensors, "torch.safetensors")
    assert "torch.safetensors" in refused("evaluate", "torch.safetensors", "--data", "pets")
    save_file(tensors, "foreign.safetensors")
    assert "no network file of nextify" in refused("predict", "foreign.safetensors", "pets")
    for missing in ("nowhere", "pets", "nowhere/net.safetensors"):
        assert "does not exist" in refused("predict", missing, "pets")


def with_card(net: Path, change: dict) -> None:
    """Write `edited.safetensors`: the network with some values of its card changed."""
    with safe_open(net / "network.safetensors", "pt") as file:
        metadata = file.metadata()
    card = {**json.loads(metadata["card"]), **change}
    save_file(load_file(net / "network.safetensors"), "edited.safetensors",
              {**metadata, "card": json.dumps(card)})  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"design": {"spatial": "none"}},
        {"design": {"unknown": 1}},
        {"design": 3},
        {"classes": ["cat", "dog", "bird"]},
        {"classes": []},
        {"classes": [1, 2]},
        {"classes": "cat"},
        {"image_size": "large"},
        {"image_size": 0},
        {"image_size": 10**9},
        {"mean": [0.5]},
        {"std": [0.0, 0.0, 0.0]},
        {"mean": ["a", "b", "c"]},
        {"surplus": 1},
    ],
)
def test_a_network_file_whose_card_was_edited(refused, net, change):
    with_card(net, change)
    assert "edited.safetensors" in refused("predict", "edited.safetensors", "pets")


def test_weights_that_do_not_fit_the_design(refused, net):
    with_card(net, {})
    tensors = load_file("edited.safetensors")
    name = sorted(tensors)[0]
    with safe_open("edited.safetensors", "pt") as file:
        metadata = file.metadata()
    for change in ({name: tensors[name].double()}, {"surplus": tensors[name].clone()}):
        save_file({**tensors, **change}, "edited.safetensors", metadata)
        assert "do not fit its design" in refused("predict", "edited.safetensors", "pets")


def test_folders_whose_names_are_no_text(nextify, pets):
    """As unzip leaves them: what is trained into one can be used."""
    folder = Path(os.fsdecode(b"gr\xfcn"))
    folder.mkdir()
    pets = pets.rename(folder / os.fsdecode(b"k\xe4tzchen"))
    arguments = changed(TINY, ["epochs=1"])
    arguments = tuple(str(pets) if each == "pets" else each for each in arguments)
    assert nextify("train", *arguments, "--output", folder / "net").code == 0
    for command in (("predict", folder / "net", pets / "cat"),
                    ("evaluate", folder / "net", "--data", pets)):  # fmt: skip
        answer = nextify(*command)
        assert answer.code == 0 and "warning" not in answer.err, answer


def test_a_user_without_a_home(pets, refused, monkeypatch):
    def expanded(path: Path) -> Path:
        if "~" in str(path):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.delenv("NEXTIFY_CACHE")
    monkeypatch.setattr(Path, "expanduser", expanded)
    assert "set NEXTIFY_CACHE to a folder" in refused("train", *TINY, "epochs=1")
