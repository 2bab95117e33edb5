"""Fine-tuning from the command line: train --weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import nextify as nx
from nextify.cli.main import main
from nextify.network import save_weights

from .conftest import TINY, make_images

FINETUNE = ("--recipe", "finetune-small", "batch_size=8", "epochs=2", "--data", "birds",
            "--image-size", "8", "--threads", "1", "--output", "tuned")  # fmt: skip


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained on `pets` in `net`, and three other classes in `birds`."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 20, "dog": 20})
        make_images(folder / "birds", {"owl": 10, "robin": 10, "wren": 10})
        assert main(["train", *TINY, "epochs=1", "--output", "net", "--json"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(prepared: Path, own_folder: Path) -> None:
    for name in ("pets", "birds", "net"):
        shutil.copytree(prepared / name, own_folder / name)


def record(folder: str) -> dict:
    return json.loads((Path(folder) / "record.json").read_text())


def test_fine_tuning_on_other_classes(nextify):
    answer = nextify("train", "--weights", "net", *FINETUNE)
    assert answer.code == 0
    assert "weights: " in answer.err and "the head is new" in answer.err
    found = record("tuned")["run"]
    assert found["initial"]["source"] == "net" and len(found["initial"]["fingerprint"]) == 64
    assert found["design"] == record("net")["run"]["design"]
    assert found["recipe"]["layer_decay"] == 0.6
    assert load_file("tuned/network.safetensors")["head.classifier.bias"].shape == (3,)
    again = nextify("train", "--weights", "net/network.safetensors", *FINETUNE)
    assert "holds this run already" in again.err  # the same weights by another name
    values = json.loads(nextify("evaluate", "tuned", "--data", "birds", "--json").out)
    assert values["accuracy"] == record("tuned")["result"]["accuracy"]
    assert nextify("predict", "tuned", "birds/owl/0.png").out.count("%") == 3


def test_heads_are_kept_for_the_same_classes_only(nextify, refused):
    own = [word if word != "birds" else "pets" for word in FINETUNE]
    assert "the head is kept" in nextify("train", "--weights", "net", *own).err
    other = ["kept" if word == "tuned" else word for word in own]
    assert "the head is new" in nextify("train", "--weights", "net", *other, "--new-head").err
    assert record("tuned")["key"] != record("kept")["key"]
    Path("birds/wren").rename("pets/wren")
    shutil.rmtree("pets/cat")  # two classes again, others
    last = ["last" if word == "tuned" else word for word in own]
    assert "the head is new" in nextify("train", "--weights", "net", *last).err
    assert "--new-head is for weights" in refused("train", *TINY, "--new-head")


def test_other_weights_are_another_run(nextify):
    assert nextify("train", "--weights", "net", *FINETUNE).code == 0
    entries = load_file("net/network.safetensors")
    entries["stem.conv.bias"] += 1.0
    save_file(entries, "other.safetensors")
    design = ("convnext-mini", "stem_stride=1")
    answer = nextify("train", *design, "--weights", "other.safetensors", *FINETUNE)
    assert answer.code == 2 and "nextify: tuned holds another run" in answer.err


def test_a_frozen_body_and_a_design_that_is_named(nextify):
    answer = nextify("train", "convnext-mini", "stem_stride=1", "--weights", "net", *FINETUNE,
                     "trainable=head")  # fmt: skip
    assert answer.code == 0
    before, after = (load_file(f"{name}/network.safetensors") for name in ("net", "tuned"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("head.") for name in changed)


def test_weights_in_another_naming(nextify):
    network = nx.build(nx.design("convnext-mini", stem_stride=2, layer_scale=1e-6), 5)
    save_weights(network, Path("theirs.pth"), "torchvision")
    answer = nextify("train", "--weights", "theirs.pth", *FINETUNE)
    assert answer.code == 0 and "in the naming of torchvision" in answer.err
    assert record("tuned")["run"]["design"]["stem_stride"] == 2
    assert record("tuned")["run"]["initial"]["mean"] == [0.485, 0.456, 0.406]


def test_an_override_without_a_name_changes_the_weights_design(nextify):
    # Layer scale's initial value is not in the weights: it does no harm, and is said.
    answer = nextify("train", "layer_scale=0.1", "--weights", "net", *FINETUNE)
    assert answer.code == 0
    assert "the weights were trained as layer_scale=1e-06 (not 0.1)" in answer.err


@pytest.mark.parametrize("recipe", ["finetune", "finetune-1k", "finetune-small"])
def test_a_recipe_of_fine_tuning_without_weights(refused, recipe):
    message = refused("train", "convnext-mini", "--recipe", recipe)
    assert "needs trained weights to start from" in message and "--weights SOURCE" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "nothing.pth"], "weights nothing.pth do not exist"),
        (["--weights", "pets"], "folder pets holds no weights"),
        (["--weights", ""], "it is empty"),
        (["convnext-tiny", "--weights", "net"], "are of another design: depths=1,3,1 (not 3,3,9,3"),
        (["convnext-mini", "--weights", "net"], "stem_stride=1 (not 4)"),
        (["convnext-mini", "stem_stride=1", "widths=8,16,32", "--weights", "net"],
         "widths=24,48,96 (not 8,16,32)"),
        (["resnet18", "--weights", "net"], "are of another design"),
        (["--weights", "net", "layer_decay=0"], "'layer_decay' is 0.0"),
        (["--weights", "net", "layer_decay=1.01"], "'layer_decay' is 1.01"),
        (["--weights", "net", "trainable=body"], "it must be one of all, head"),
        (["--weights", "net", "--test-image-size", "0"], "give a whole number from 1"),
        ([], "needs trained weights"),
    ],
)  # fmt: skip
def test_what_is_refused(refused, arguments, message):
    data = [word for word in FINETUNE if word not in ("--image-size", "8")]
    size = ["--image-size", "64"] if "convnext-tiny" in arguments or "net" in arguments else []
    assert message in refused("train", *arguments, *data, *(size or ["--image-size", "32"]))


def test_no_design_and_no_weights(refused):
    assert "no design is named" in refused("train", "--recipe", "modern-small", "--data", "pets")


# ---- test images at a size of their own


def test_another_test_size_is_another_run(nextify):
    train = ("train", *TINY, "epochs=1", "--output", "large", "--test-image-size", "12")
    assert nextify(*train).code == 0
    found = record("large")
    assert found["run"]["data"]["test_image_size"] == 12
    assert found["key"] != record("net")["key"]
    options = ("--data", "pets", "--threads", "1")
    answer = nextify("evaluate", "large", *options, "--json")  # at the size of its card
    assert "it is scored on the fifth that was kept from it" in answer.err
    values = json.loads(answer.out)
    assert values["accuracy"] == found["result"]["accuracy"]
    assert values["nll"] == pytest.approx(found["result"]["nll"], rel=1e-6)
    # The same weights, trained at 8 pixels and looked at with 12, see the same.
    other = nextify("evaluate", "net", *options, "--json", "--test-image-size", "12")
    assert json.loads(other.out) == values
    assert json.loads(nextify("evaluate", "net", *options, "--json").out)["nll"] != values["nll"]


def test_a_test_size_that_is_the_training_size_changes_nothing(nextify):
    same = ("train", *TINY, "epochs=1", "--output", "net", "--test-image-size", "8")
    assert "holds this run already" in nextify(*same).err


def test_test_images_too_small_for_the_network(refused):
    message = refused("train", *TINY, "--output", "x", "--test-image-size", "3")
    assert "images of 3 pixels are too small" in message
