"""The command export, what reads its files, and the page's script without nextify."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nextify as nx
from network.references import perturb
from nextify.cli.main import main
from nextify.designs import FAMILIES
from nextify.network import Card, load_network, save_network
from nextify.training.exporting import images_of

onnx = pytest.importorskip("onnx", reason="the export extra is not installed")
pytest.importorskip("onnxscript", reason="the export extra is not installed")
pytest.importorskip("onnxruntime", reason="the export extra is not installed")

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
SIZE = 96  # from which on images are cut
DESIGN = replace(FAMILIES["convnext-atto"], depths=(1, 1), widths=(6, 8))
WITHOUT = """
import runpy, sys
sys.modules.update(torch=None, torchvision=None, nextify=None)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
MODES = {
    "own": None,
    "center": {"crop": 0.875, "interpolation": "bilinear"},
    "squash": {"crop": 1.0, "crop_mode": "squash"},
    "border": {"crop": 0.9, "crop_mode": "border"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With photographs of several forms, a network, and its exported file."""
    folder = tmp_path_factory.mktemp("service")
    draw = np.random.default_rng(0)
    for at, (width, height) in enumerate([(300, 200), (150, 401), (97, 96), (640, 480)]):
        coarse = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height))
        turned = Image.Exif()
        turned[0x0112] = 6 if at == 1 else 1
        image.save(folder / f"{at}.{'jpg' if at % 2 else 'png'}", exif=turned)
    network = nx.build(DESIGN, 3, image_size=SIZE).eval()
    perturb(network, 0)
    colours = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
    card = Card(design=DESIGN, classes=("ant", "bee", "cow"), image_size=SIZE, about={}, **colours)
    save_network(network, card, folder / "network.safetensors")
    found = nx.export(folder / "network.safetensors", folder / "own.onnx", quiet=True, speed=False)
    assert found.written.agreement.difference < 1e-5
    for name, how in MODES.items():
        if how is not None:
            seen = {**how, "image_size": SIZE, "mean": list(card.mean), "std": list(card.std)}
            published = replace(card, about={"preprocessing": seen})
            _say(folder, published, f"{name}.onnx")
            save_network(network, published, folder / f"{name}.safetensors")
    (folder / "own.safetensors").write_bytes((folder / "network.safetensors").read_bytes())
    return folder


def _say(folder: Path, card: Card, name: str) -> None:
    """The same graph, of a network that sees images in another way."""
    model = onnx.load(folder / "own.onnx")
    texts = {entry.key: entry.value for entry in model.metadata_props}
    about = {**json.loads(texts["card"]), "about": card.about}
    images = {**images_of(card), "input": "float32"}
    del model.metadata_props[:]
    both = {"card": json.dumps(about), "images": json.dumps(images)}
    onnx.helper.set_model_props(model, {**texts, **both})
    onnx.save(model, folder / name)


def predicted(network: Path, images: list[str], capsys) -> list[tuple[str, float]]:
    assert main(["predict", str(network), *images, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)["images"]
    return [(one["classes"][0]["class"], one["classes"][0]["probability"]) for one in answers]


@pytest.mark.parametrize("mode", MODES)
def test_the_script_of_the_page_gives_the_same_answers(mode, folder, capsys):
    (script,) = re.findall(r"```python\n(# classify\.py.*?)```", PAGE.read_text(), re.DOTALL)
    (folder / "classify.py").write_text(script)
    images = [str(folder / name) for name in ("0.png", "1.jpg", "2.png", "3.jpg")]
    command = [sys.executable, "-c", WITHOUT, folder / "classify.py", folder / f"{mode}.onnx"]
    found = subprocess.run([*command, *images], capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in found.stdout.splitlines()]
    ours = predicted(folder / f"{mode}.safetensors", images, capsys)
    exported = predicted(folder / f"{mode}.onnx", images, capsys)
    assert [name for name, _ in ours] == [name for name, _ in exported]
    assert [name for _, name, _ in lines] == [name for name, _ in ours]
    for (_, _, text), (_, share), (_, other) in zip(lines, ours, exported, strict=True):
        assert abs(share - other) < 1e-5
        assert abs(float(text) - share) < 1e-4


def test_evaluate_reads_what_was_exported(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("nextify.training.calibration.LEAST", 3)
    draw = np.random.default_rng(1)
    for at in range(12):
        place = tmp_path / "data" / ("ant", "bee", "cow")[at % 3]
        place.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((120, 100)).save(place / f"{at}.png")
    scores = []
    for name in ("own.onnx", "network.safetensors"):
        asked = ["evaluate", str(folder / name), "--data", str(tmp_path / "data"), "--json"]
        assert main(asked) == 0
        scores.append(json.loads(capsys.readouterr().out))
        found = nx.evaluate(folder / name, data=tmp_path / "data", quiet=True)
        assert found.content.calibrates == (name == "network.safetensors")
    assert scores[0]["accuracy"] == scores[1]["accuracy"]
    assert scores[0]["nll"] == pytest.approx(scores[1]["nll"], rel=1e-4)
    asked = ["evaluate", str(folder / "own.onnx"), "--data", str(tmp_path / "data"), "--calibrate"]
    assert main(asked) == 2
    assert (
        "is an exported file, which cannot keep a temperature; calibrate the network that it "
        "was exported from, and export it again" in capsys.readouterr().err
    )


def test_the_command_says_what_it_found(folder, capsys, tmp_path):
    path = tmp_path / "net.pt2"
    asked = ["export", str(folder / "network.safetensors"), str(path), "--no-speed"]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert re.search(r"checked on \d+ images, in batches of 1, 2 and 7, of 96 x 96, 121 x 121, "
                     r"72 x 96 pixels: logits differ by", told)  # fmt: skip
    assert told.endswith(f"written: {path}\n")
    assert load_network(folder / "network.safetensors")[1].classes == ("ant", "bee", "cow")


def test_what_cannot_be_exported_is_one_line(folder, capsys, tmp_path):
    network = str(folder / "network.safetensors")
    folder_of_that_name = tmp_path / "folder.onnx"
    folder_of_that_name.mkdir()
    for asked, words in (
        ([network, str(tmp_path / "net.h5")], "give one of .onnx, .xml, .pt2"),
        ([network, str(tmp_path / "net.pt2"), "--int8"], "are for .onnx and .xml"),
        ([network, str(folder_of_that_name)], "is a folder, and a file is to be written"),
        ([str(tmp_path / "none"), str(tmp_path / "net.onnx")], "do not exist"),
    ):
        assert main(["export", *asked]) == 2
        assert words in capsys.readouterr().err.splitlines()[-1]
