"""Exported files, in their own runtimes, beside the network: the gate, and what is in a file."""

import json
import logging
import random
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

import nextify as nx
from network.references import perturb
from nextify.data import Dataset, Images
from nextify.data.augment import evaluation_view
from nextify.designs import FAMILIES, PATHS, Design, Swin, Vit
from nextify.errors import InputError
from nextify.files import alone
from nextify.network import Card
from nextify.network.export.files import Exported, load_answering, load_exported, quiet
from nextify.network.modules import ChannelNorm, Gelu
from nextify.network.weights.preprocessing import Preprocessing
from nextify.requests import DataSpec
from nextify.training.classify import load_for, published_view
from nextify.training.exporting import Rounding, _calibration, agree, export, require_possible

onnx = pytest.importorskip("onnx", reason="the export extra is not installed")
pytest.importorskip("onnxscript", reason="the export extra is not installed")
pytest.importorskip("onnxruntime", reason="the export extra is not installed")

# ConvNeXt V2's choices and layer scale; ResNet's.
CONVNEXT = replace(
    FAMILIES["convnextv2-atto"], depths=(1, 2), widths=(6, 8), stem_stride=2, layer_scale=0.5
)
RESNET = Design(depths=(1, 1), widths=(4, 6), ratio=2, stem_stride=2)
VIT = Vit(patch_size=8, depth=1, width=8, heads=2)
SWIN = Swin(patch_size=2, width=6, depths=(2,), heads=(1,), window=3)
PIXELS = torch.randint(0, 256, (9, 3, 16, 16), dtype=torch.uint8)


def network_and_card(design, size=16):
    network = nx.build(design, 5, image_size=size).eval()
    perturb(network, 0)
    colours = {"mean": (0.3, 0.4, 0.5), "std": (0.2, 0.3, 0.25)}
    return network, Card(
        design=design, classes=tuple("abcde"), image_size=size, about={}, **colours
    )


def written(design, path: Path, **options):
    network, card = network_and_card(design)
    return export(network, card, path, PIXELS, **options)


def turned_twice(model) -> list[str]:
    """Transpositions of what is only transposed."""
    by = {name: node for node in model.graph.node for name in node.output}
    turns = [node for node in model.graph.node if node.op_type == "Transpose"]
    return [
        node.name for node in turns
        if (before := by.get(node.input[0])) is not None and before.op_type == "Transpose"
    ]  # fmt: skip


def count(model, kind: str) -> int:
    return sum(node.op_type == kind for node in model.graph.node)


@pytest.fixture(scope="module")
def convnext(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "net.onnx"
    found = written(CONVNEXT, path)
    assert found.files == (path,)
    assert found.agreement.sizes == ((16, 16), (21, 21), (12, 16))
    assert 0 < found.agreement.difference < 1e-5
    assert [each.name for each in path.parent.iterdir()] == ["net.onnx"]
    return path


def test_a_convnext_in_plain_nodes(convnext):
    model = onnx.load(convnext)
    network, _ = network_and_card(CONVNEXT)
    kinds = [type(module) for module in network.modules()]
    assert count(model, "LayerNormalization") == kinds.count(ChannelNorm)
    assert count(model, "Gelu") == kinds.count(Gelu) == 3
    assert all(
        len(node.output) == 1 for node in model.graph.node if node.op_type == "LayerNormalization"
    )
    # A pair in each block; beside these one for the stem's norm, one for the downsampling's.
    assert count(model, "Transpose") == 2 * 3 + 2
    assert not turned_twice(model)
    assert count(model, "Conv") == 1 + 3 + 1
    assert [opset.version for opset in model.opset_import if not opset.domain] == [20]


def test_large_maps_are_convolved_and_small_ones_multiplied(tmp_path):
    """At 32 pixels maps have 16 x 16 positions in the first stage and 8 x 8 in the second; for
    8 bits all are multiplied."""
    network, card = network_and_card(CONVNEXT, 32)
    pixels = torch.randint(0, 256, (9, 3, 32, 32), dtype=torch.uint8)
    short = Rounding(seen=noise_for(network, card), most_loss=100.0)
    seen = {}
    for name, rounding in (("net", None), ("short", short)):
        path = tmp_path / f"{name}.onnx"
        found = export(network, card, path, pixels, rounding=rounding)
        assert found.agreement.difference < 1e-5
        model = onnx.load(path)
        assert not turned_twice(model)
        seen[name] = count(model, "Conv"), count(model, "Transpose")
    # A pair for each norm of a block; of the two others each has a pair where its neighbours are
    # convolved, and one where a side of it is multiplied.
    assert seen == {"net": (1 + 3 + 1 + 2, 2 * 3 + 4), "short": (1 + 3 + 1, 2 * 3 + 2)}


def test_what_a_file_says(convnext):
    content = convnext.read_bytes()
    assert str(Path(nx.__file__).parent).encode() not in content, "no folder of this machine"
    model = onnx.load(convnext)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(texts["card"])["classes"] == list("abcde")
    assert json.loads(texts["images"]) == {
        "size": 16, "mode": "square", "resized": 16, "interpolation": "bicubic",
        "mean": [0.3, 0.4, 0.5], "std": [0.2, 0.3, 0.25], "input": "float32",
    }  # fmt: skip
    sides = [
        side.dim_param or side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim
    ]
    assert sides == ["batch", 3, "height", "width"]
    network, card = load_answering(convnext)
    assert isinstance(network, Exported)
    assert card == network_and_card(CONVNEXT)[1]


def test_weights_that_changed_after_tracing_are_caught(convnext):
    network, _ = network_and_card(CONVNEXT)
    exported = load_exported(convnext)
    images = torch.randn(2, 3, 16, 16)
    assert agree(network, exported, iter([images])).ties == 0
    with torch.no_grad():
        network.stages[0].blocks[0].branch.pointwise1.weight.mul_(1.01)
    with pytest.raises(InputError, match="refused, and not written: its logits differ by"):
        agree(network, exported, iter([images]))


def test_a_spoiled_export_is_not_written(tmp_path, monkeypatch):
    network, card = network_and_card(VIT)
    load = load_exported

    def spoiled(path):
        with torch.no_grad():
            network.head.classifier.bias.add_(torch.tensor([0.0, 0.01, 0.0, 0.0, 0.0]))
        return load(path)

    monkeypatch.setattr("nextify.training.exporting.load_exported", spoiled)
    with pytest.raises(InputError, match="refused"):
        export(network, card, tmp_path / "net.pt2", PIXELS)
    assert not list(tmp_path.iterdir())


class Answers(torch.nn.Module):
    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.tensor([logits])

    def forward(self, images):
        return self.logits.expand(len(images), -1)


def test_ties_are_counted_and_other_answers_refused():
    images = [torch.zeros(3, 3, 4, 4)]
    found = agree(Answers(1.0, 0.99999), Answers(0.99999, 1.0), iter(images))
    assert found.ties == 3
    with pytest.raises(InputError, match=r"differ by nan|differ by 1\.0e-03"):
        agree(Answers(1.0, 0.999), Answers(1.0, 1.0), iter(images))
    with pytest.raises(InputError, match="another class"):
        agree(Answers(1.0, 0.99985), Answers(0.99991, 0.99994), iter(images))
    with pytest.raises(InputError, match="differ by nan"):
        agree(Answers(1.0, 2.0), Answers(1.0, float("nan")), iter(images))


def test_images_are_counted_once_and_batches_are_those_that_there_were():
    given = Answers(1.0, 0.0), Answers(1.0, 0.0)
    for count, batches in ((1, (1,)), (2, (1, 2)), (10, (1, 2, 3, 7)), (14, (1, 2, 7))):
        views = [torch.zeros(count, 3, 4, 4), torch.zeros(min(count, 7), 3, 5, 5)]
        found = agree(*given, iter(views))
        assert (found.images, found.batches) == (count, batches)
        assert found.sizes == ((4, 4), (5, 5))


@pytest.mark.parametrize("design,suffix", [(RESNET, ".onnx"), (VIT, ".pt2"), (SWIN, ".pt2")])
def test_the_graph_normalises_images_of_8_bits(design, suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    found = written(design, path, with_preprocessing=True)
    assert found.agreement.difference < 1e-5
    exported = load_exported(path)
    assert exported.images["input"] == "uint8"
    if design is RESNET:
        model = onnx.load(path)
        assert count(model, "BatchNormalization") == count(model, "Transpose") == 0
    if design is SWIN:
        with pytest.raises(InputError, match="of 16 pixels alone"):
            exported(torch.zeros(1, 3, 20, 20))


def test_8_bits_for_openvino_cost_accuracy_which_is_told(tmp_path):
    pytest.importorskip("openvino", reason="the export extra is not installed")
    network, card = network_and_card(CONVNEXT)
    path, rounding = tmp_path / "net.xml", Rounding(seen=noise_for(network, card), most_loss=0.5)
    found = export(network, card, path, PIXELS, rounding=rounding)
    assert [file.name for file in found.files] == ["net.bin", "net.xml"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.bin", "net.xml"]
    assert load_exported(path).card == card
    assert found.agreement.difference < 1e-5
    rounded = found.rounded
    assert rounded.before == 1.0, "as the network's own images are"
    assert rounded.loss.low <= rounded.before - rounded.after <= rounded.loss.high
    assert path.read_text().count('type="FakeQuantize"') > 5
    other = tmp_path / "net.onnx"
    export(network, card, other, PIXELS, rounding=rounding)
    views = evaluation_view(rounding.seen.test.pixels, 16, card.mean, card.std)
    ours, theirs = (load_exported(file)(views) for file in (path, other))
    assert (ours - theirs).abs().max() < 0.01 * theirs.abs().max()


def test_8_bits_that_may_cost_too_much_are_refused(tmp_path):
    network, card = network_and_card(RESNET)
    rounding = Rounding(seen=noise_for(network, card), most_loss=0.001)
    with pytest.raises(InputError, match=r"points of accuracy \(.* on 60 test images, 95 %\)"):
        export(network, card, tmp_path / "net.onnx", PIXELS, rounding=rounding)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_8_bits_are_measured_on_images_as_the_network_sees_them(tmp_path, kind):
    """Whatever size training images are kept at: of another size than test images, or of none."""
    network, card = network_and_card(RESNET, 24)
    kept = replace(noise_for(network, card), train=Images(PIXELS, torch.zeros(9).long()))
    assert {one.shape for one in _calibration(card, kept, kind)} == {(8, 3, 24, 24), (1, 3, 24, 24)}
    for at in range(4):
        for split in ("train", "test"):
            file = tmp_path / split / "ab"[at % 2] / f"{at}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").rotate(30 * at).save(file)
    how = asdict(Preprocessing(image_size=24, crop=0.5))
    published = replace(card, classes=("a", "b"), about={"preprocessing": how})
    seen = load_for(published, DataSpec(source=str(tmp_path)))
    [pixels] = _calibration(published, seen, "uint8")
    view = published_view(published)
    assert torch.equal(pixels, torch.stack([view.of_file(path) for path in seen.train.paths]))


def noise_for(network, card):
    """Noise, with the network's own answers for classes."""
    side = card.image_size
    pixels = torch.randint(0, 256, (60, 3, side, side), dtype=torch.uint8)
    with torch.no_grad():
        labels = network(evaluation_view(pixels, side, card.mean, card.std)).argmax(1)
    images = Images(pixels, labels)
    about = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "fingerprint": "noise"}  # not the network's
    return Dataset("noise", card.classes, images, images, side, "noise", **about)


def test_a_last_map_of_one_pixel_is_answered(tmp_path):
    """Four stages see 32 pixels as one, and larger images as more: torch traces the latter."""
    small = replace(CONVNEXT, depths=(1, 1, 1, 1), widths=(4, 6, 6, 8), stem_stride=4)
    network, card = network_and_card(small, 32)
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    found = export(network, card, tmp_path / "net.pt2", pixels)
    assert {(32, 32), (41, 41)} <= set(found.agreement.sizes)


def test_weights_that_are_there_are_not_written_over(tmp_path):
    """OpenVINO writes them beside the graph."""
    (tmp_path / "net.bin").write_bytes(b"a checkpoint")
    with pytest.raises(InputError, match=r"net\.bin beside it, and a file of that name is there"):
        require_possible(network_and_card(VIT)[1], tmp_path / "net.xml")
    (tmp_path / "net.xml").touch()
    require_possible(network_and_card(VIT)[1], tmp_path / "net.xml")


@pytest.mark.parametrize(
    "name,options,words",
    [
        ("net.h5", {}, "no ending that tells its format; give one of .onnx, .xml, .pt2"),
        ("net.pt2", {"int8": True}, "are for .onnx and .xml"),
    ],
)
def test_what_cannot_be_written(name, options, words, tmp_path):
    with pytest.raises(InputError, match=re.escape(words)):
        require_possible(network_and_card(VIT)[1], tmp_path / name, **options)


def test_files_of_others_and_damaged_ones_are_refused(convnext, tmp_path):
    model = onnx.load(convnext)
    del model.metadata_props[1:]
    onnx.save(model, tmp_path / "others.onnx")
    with pytest.raises(InputError, match="its metadata lacks"):
        load_answering(tmp_path / "others.onnx")
    (tmp_path / "cut.onnx").write_bytes(convnext.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be read"):
        load_answering(tmp_path / "cut.onnx")
    with pytest.raises(InputError, match="cannot be read"):
        load_answering(tmp_path / "missing.pt2")


def test_a_folder_is_not_written_over(tmp_path):
    """It is refused at once, and where one has come meanwhile, without advice on space."""
    path = tmp_path / "net.pt2"
    path.mkdir()
    with pytest.raises(InputError, match=r"net\.pt2 is a folder, and a file is to be written"):
        require_possible(network_and_card(VIT)[1], path)
    with pytest.raises(InputError, match=r"written \(Is a directory\); name another place$"):
        written(VIT, path)
    assert [each.name for each in tmp_path.iterdir()] == ["net.pt2"]


def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=re.escape('pip install "nextify[export]"')):
        written(VIT, tmp_path / "net.onnx")


def tiny(design: Design) -> Design:
    """The same choices, with few channels."""
    stages = len(design.depths)
    return replace(design, depths=(1,) * stages, widths=tuple(range(4, 4 + 2 * stages, 2)))


def check_in_full(design, path: Path, every_format: bool, size: int = 64) -> None:
    """The gate, and what nodes there are."""
    network = nx.build(design, 5, image_size=size).eval()
    perturb(network, 1)
    card = replace(network_and_card(VIT)[1], design=design, image_size=size)
    pixels = torch.randint(0, 256, (7, 3, size, size), dtype=torch.uint8)
    for suffix in (".onnx", ".xml", ".pt2") if every_format else (".onnx",):
        export(network, card, path.with_suffix(suffix), pixels)
    model, modules = onnx.load(path), list(network.modules())
    for node, kind in (("LayerNormalization", torch.nn.LayerNorm), ("Gelu", torch.nn.GELU)):
        assert count(model, node) == sum(isinstance(module, kind) for module in modules)
    assert count(model, "BatchNormalization") == 0
    assert not turned_twice(model)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_200_random_subsets_of_the_choices(tmp_path):
    choices, draw = PATHS["resnet50"], random.Random(0)
    seen = set()
    while len(seen) < 200:
        every = range(len(choices.choices))
        chosen = frozenset(at for at in every if draw.random() < 0.5)
        design = tiny(choices.subset(chosen))
        design = replace(design, stem_stride=draw.choice((1, 2, 4)))
        if design.block == "bottleneck":
            design = replace(design, response_norm=draw.choice(("none", "global")))
        if design not in seen:
            check_in_full(design, tmp_path / "net.onnx", every_format=len(seen) % 20 == 0)
            seen.add(design)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name, tmp_path):
    check_in_full(tiny(FAMILIES[name]), tmp_path / "net.onnx", every_format=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "design", [replace(VIT, depth=2), replace(SWIN, depths=(2, 2), heads=(1, 2))]
)
def test_transformers_in_every_format(design, tmp_path):
    check_in_full(design, tmp_path / "net.onnx", every_format=True, size=24)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,settings,size",
    [
        ("convnext_atto", {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}, 64),
        ("convnextv2_atto", {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}, 64),
        ("resnet18", {}, 64),
        ("resnet50", {}, 64),
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2}, 64),
        ("swin_tiny_patch4_window7_224", {}, 224),
    ],
)
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_foreign_checkpoints(name, settings, size, suffix, tmp_path):
    theirs = timm.create_model(name, pretrained=False, num_classes=7, **settings).eval()
    perturb(theirs, 3)
    source, target = tmp_path / "model.safetensors", tmp_path / f"net{suffix}"
    save_file(theirs.state_dict(), source)
    nx.export(source, target, quiet=True, speed=False)
    exported = load_exported(target)
    side = exported.card.image_size
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        ours, other = exported(images), theirs(images)
    assert ((ours - other).abs().amax(1) / other.abs().amax(1)).max() < 1e-4


def test_signals_are_handled_when_networks_in_openvino_are_gone(tmp_path):
    """Whichever of two goes first: it had ended the process at its next signal."""
    pytest.importorskip("openvino", reason="the export extra is not installed")
    written(RESNET, tmp_path / "net.xml")
    script = """
import os, signal, sys
from pathlib import Path
from nextify.network.export.files import load_exported

signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
first, second = (load_exported(Path(sys.argv[1])) for _ in range(2))
del first
del second
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "net.xml"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"handled\n"), done.stderr


def test_what_a_kill_leaves_is_gone_after_the_next_export(tmp_path, monkeypatch):
    pytest.importorskip("openvino", reason="the export extra is not installed")
    path, replace_file = tmp_path / "net.xml", Path.replace
    written(RESNET, path)

    def killed(self, target):
        if self.suffix == ".xml":
            raise KeyboardInterrupt
        return replace_file(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        patch.setattr("nextify.training.exporting.rmtree", lambda *_, **__: None)
        written(RESNET, path)
    assert not path.exists()  # it would have answered with the new weights
    assert (tmp_path / ".net.xml.export" / "net.xml").exists()
    require_possible(network_and_card(RESNET)[1], path)  # the .bin there is of that
    with alone(path, ""), pytest.raises(InputError, match="being written by another process"):
        written(RESNET, path)
    written(RESNET, path)
    assert {each.name for each in tmp_path.iterdir()} == {"net.xml", "net.bin"}


def test_other_threads_are_heard_while_a_network_is_exported(capsys, caplog):
    def say(word):
        print(word)
        logging.getLogger("mine").warning(word)

    with quiet():
        say("lost")
        logging.getLogger("mine").error("failed")
        other = Thread(target=say, args=("heard",))
        other.start()
        other.join()
    say("after")
    assert capsys.readouterr().out.split() == ["heard", "after"]
    assert [each.message for each in caplog.records] == ["failed", "heard", "after"]
