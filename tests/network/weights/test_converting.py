"""The command convert, as a user has it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file

import nextify as nx
from network.weights.conftest import CLASSES, TINY, state, tiny
from network.weights.others import perturbed
from nextify.cli.main import main
from nextify.designs.fields import with_fields
from nextify.network import load_network
from nextify.network.weights.namings import NAMINGS
from nextify.network.weights.save import foreign_entries
from nextify.network.weights.source import open_weights
from nextify.requests.commands import Naming


@pytest.fixture
def nextify(capsys, tmp_path, monkeypatch):
    """Run a command in a folder of its own: exit code, output, error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        return main(list(map(str, arguments))), *capsys.readouterr()

    return run


def test_the_parser_knows_the_namings():
    assert get_args(Naming) == NAMINGS


def test_round_the_namings(nextify):
    """official .pth -> nextify -> timm -> torchvision -> official .safetensors: the same bits."""
    nx.save_weights(tiny(), "start.pth", "official")
    steps = [("nextify", "a.safetensors"), ("timm", "b.safetensors"), ("torchvision", "c.pth"),
             ("official", "d.safetensors")]  # fmt: skip
    source, was = "start.pth", "official"
    for naming, target in steps:
        code, out, err = nextify("convert", source, target, "--to", naming)
        assert (code, err) == (0, "")
        assert f"in the naming of {was} (" in out
        assert "depths (1, 1, 1, 1), widths (2, 3, 4, 5), 3 classes" in out
        source, was = target, naming
    last = load_file("d.safetensors")
    expected = foreign_entries(tiny(), "official")
    assert last.keys() == expected.keys()
    assert all(torch.equal(last[name], entry) for name, entry in expected.items())


def test_a_network_file_with_all_that_belongs_to_it(nextify, tmp_path):
    nx.save_weights(tiny(), "timm.safetensors", "timm")
    (tmp_path / "names.txt").write_text("cat\ndog\nbird\n")
    code, out, _ = nextify("convert", "timm.safetensors", "own.safetensors", "--class-names",
                           "names.txt", "--json")  # fmt: skip
    said = json.loads(out)
    assert code == 0 and said["read_as"] == "timm" and said["write_as"] == "nextify"
    assert with_fields(nx.design("resnet50"), said["design"]) == TINY
    network, card = load_network(tmp_path / "own.safetensors")
    assert (card.design, card.classes, card.image_size) == (TINY, ("cat", "dog", "bird"), 224)
    assert all(torch.equal(state(tiny())[name], entry) for name, entry in state(network).items())
    images = open_weights("own.safetensors").stated.preprocessing
    assert asdict(images) == said["preprocessing"] | {
        "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "is_stated": True
    }  # fmt: skip
    # Written on, the names stay with it.
    assert nextify("convert", "own.safetensors", "again.safetensors")[0] == 0
    assert load_network(tmp_path / "again.safetensors")[1].classes == ("cat", "dog", "bird")


def test_a_family_by_its_name_and_a_design_given(nextify):
    torch.save(perturbed("resnet-18", "torchvision", classes=7).state_dict(), "resnet.pth")
    code, out, _ = nextify("convert", "resnet.pth", "a.safetensors", "--from", "timm")
    assert (
        code == 0 and "in the naming of timm (ResNet of basic blocks): resnet-18, 7 classes" in out
    )
    given = ("--design", "resnet-18", "stem_stride=2")
    assert nextify("convert", "resnet.pth", "b.safetensors", *given)[0] == 0
    assert load_network(Path("b.safetensors"))[1].design.stem_stride == 2


def test_what_is_refused(nextify, tmp_path):
    nx.save_weights(tiny(), "timm.safetensors", "timm")
    broken = foreign_entries(tiny(), "timm")
    broken["stem.0.bias"][0] = float("nan")
    torch.save(broken, "nan.pth")
    headless = {n: e for n, e in foreign_entries(tiny(), "timm").items() if "head.fc" not in n}
    torch.save(headless, "body.pth")
    (tmp_path / "two").write_text("cat\ndog\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    for words, *arguments in [
        ("do not exist", "none.pth", "x.pth"),
        ("is the file to be read", "timm.safetensors", "timm.safetensors"),
        ("name it with --design", "timm.safetensors", "x.pth", "kernel_size=3"),
        ("unknown value of --to 'keras'", "timm.safetensors", "x.pth", "--to", "keras"),
        ("not in the naming of official", "timm.safetensors", "x.pth", "--from", "official"),
        ("do not fit", "timm.safetensors", "x.pth", "--design", "convnext-tiny"),
        ("is of another design", "timm.safetensors", "x.pth", "--design", "resnet-18"),
        ("no known ending", "timm.safetensors", "x.onnx", "--to", "timm"),
        ("allow_nonfinite", "nan.pth", "x.pth"),
        ("no classifier", "body.pth", "x.pth"),
        ("no classifier", "body.pth", "x.pth", "--design", "convnext-tiny"),
        ("2 names of classes", "timm.safetensors", "x.pth", "--class-names", "two"),
        ("cannot be read", "timm.safetensors", "x.pth", "--class-names", "three"),
        ("have no 'model_ema'", "timm.safetensors", "x.pth", "--wrapper", "model_ema"),
    ]:
        code, out, err = nextify("convert", *arguments)
        assert (code, out) == (2, "") and words in err and err.count("\n") == 1, (words, err)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert nextify("convert", "nan.pth", "x.pth", "--allow-nonfinite", "--to", "timm")[0] == 0
    assert not torch.load("x.pth")["stem.0.bias"].isfinite().all()
    assert len(torch.load("x.pth")["head.fc.bias"]) == CLASSES
