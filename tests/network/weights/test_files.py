"""Weights in files: every way in which training programs wrap them, and all that can be wrong."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

import nextify as nx
from network.weights.conftest import CLASSES, TINY, state, tiny
from network.weights.others import perturbed
from nextify.errors import InputError
from nextify.network.weights.namings import NAMINGS
from nextify.network.weights.preprocessing import Preprocessing
from nextify.network.weights.recognise import read_design
from nextify.network.weights.save import foreign_entries
from nextify.network.weights.source import Weights, open_weights


def loads(source, **options):
    """Load into a network of other weights; the weights must then be those of `tiny()`."""
    network = tiny(seed=5)
    loaded = nx.load_weights(network, source, **options)
    expected = state(tiny())
    assert all(torch.equal(entry, expected[name]) for name, entry in state(network).items())
    return loaded


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_there_and_back_in_files(naming, suffix, tmp_path):
    file = tmp_path / f"weights{suffix}"
    images = Preprocessing(mean=(0.5, 0.5, 0.5), image_size=96, interpolation="nearest", crop=1.0)
    nx.save_weights(tiny(), file, naming, preprocessing=images)
    loaded = loads(file)
    assert (loaded.naming, loaded.head_is_new) == (naming, False)
    if suffix == ".safetensors":
        assert loaded.preprocessing.is_stated
        assert loaded.preprocessing.image_size == 96
        assert loaded.preprocessing.interpolation == "nearest"
    else:
        assert not loaded.preprocessing.is_stated
        usual = "bilinear" if naming == "torchvision" else "bicubic"
        assert loaded.preprocessing.interpolation == usual


@pytest.mark.parametrize(
    "wrap",
    [
        lambda e: {"model": e},
        lambda e: {"state_dict": {f"module.{n}": t for n, t in e.items()}, "epoch": 3},
        lambda e: {"model": {"state_dict": e}, "args": argparse.Namespace(lr=4e-3, model="x")},
        lambda e: {"model_ema": e, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}},
        lambda e: {f"_orig_mod.module.{n}": nn.Parameter(t) for n, t in e.items()},
        lambda e: {f"model.{n}": t for n, t in e.items()},
        lambda e: {**e, 0: "a key that is no text", ("a", 1): None},
    ],
)
def test_wrappers_of_training_programs(wrap, saved):
    entries = foreign_entries(tiny(), "official")
    loads(saved(wrap(entries)))
    loads(saved(wrap(entries), _use_new_zipfile_serialization=False))


def test_one_of_several_sets(saved, refuses):
    ours, other = (foreign_entries(tiny(seed=seed), "official") for seed in (1, 2))
    file = saved({"model": ours, "model_ema": other})
    assert loads(file).notes == ("read from 'model' (not from model_ema, also there)",)
    loads(saved({"model": other, "model_ema": ours}), wrapper="model_ema")
    assert "one of: model, model_ema" in refuses(file, wrapper="state_dict")


def test_matrices_may_be_convolutions_and_counters_missing():
    """timm stores the pointwise convolutions of its small ConvNeXts as convolutions."""
    network = tiny()
    entries = foreign_entries(network, "timm")
    whole = {n: e[..., None, None] if "mlp" in n and e.ndim == 2 else e for n, e in entries.items()}
    assert any(whole[name].ndim != entries[name].ndim for name in entries)
    loads(whole)
    theirs = perturbed("resnet-18", "torchvision")
    resnet = nx.build(nx.design("resnet-18"), device="meta")
    bare = {n: e for n, e in theirs.state_dict().items() if "num_batches" not in n}
    assert nx.load_weights(resnet, bare).entries == len(bare)
    assert resnet.state_dict()["stem.norm.num_batches_tracked"] == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_converted_and_said(dtype, tmp_path):
    entries = {name: entry.to(dtype).contiguous() for name, entry in tiny().state_dict().items()}
    save_file(entries, tmp_path / "half.safetensors")
    network = tiny(seed=3)
    loaded = nx.load_weights(network, tmp_path / "half.safetensors")
    assert loaded.notes == (f"{str(dtype)[6:]} converted to float32",)
    assert "converted" in str(loaded)
    for name, entry in network.state_dict().items():
        assert torch.equal(entry, entries[name].float())


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor")
@pytest.mark.parametrize(
    "broken",
    [
        lambda e: e.to(torch.int8),
        lambda e: e.to(torch.complex64),
        lambda e: e.to_sparse(),
        lambda e: torch.quantize_per_tensor(e, 0.1, 0, torch.qint8),
        lambda e: e.to("meta"),
        lambda e: e.bool(),
        lambda e: e[:0],
        lambda e: [1.0, 2.0],
    ],
    ids=["int8", "complex", "sparse", "quantised", "meta", "bool", "empty", "list"],
)
def test_tensors_of_the_wrong_type(broken, saved, refuses):
    entries = foreign_entries(tiny(), "timm")
    entries["head.fc.weight"] = broken(entries["head.fc.weight"])
    message = refuses(saved(entries))
    assert "head.fc.weight" in message and any(do in message for do in ("save", "give", "use"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_weights_that_are_not_finite(value, saved, refuses):
    entries = {n: e.double() for n, e in foreign_entries(tiny(), "timm").items()}
    entries["stem.0.weight"][0, 0, 0, 0] = value
    message = refuses(saved(entries))
    assert "stem.0.weight" in message and "allow_nonfinite" in message
    network = tiny()
    nx.load_weights(network, saved(entries), allow_nonfinite=True)
    assert not network.state_dict()["stem.conv.weight"].isfinite().all()


def test_missing_left_over_and_misshapen(refuses):
    entries = foreign_entries(tiny(), "timm")
    del entries["stem.1.bias"], entries["stages.0.blocks.0.gamma"]
    entries |= {f"extra.{at}": torch.ones(1) for at in range(7)}
    entries["head.norm.weight"] = torch.ones(6)
    entries["stages.1.downsample.1.weight"] = torch.ones(3, 2, 2)
    message = refuses(entries)
    assert "in the naming of timm" in message
    assert "2 missing: stem.1.bias, stages.0.blocks.0.gamma;" in message
    assert "7 left over: extra.0, extra.1, extra.2 and 4 more;" in message
    assert "2 of another shape: stages.1.downsample.1.weight (3x2x2, not 3x2x2x2)" in message


def test_weights_of_another_architecture(refuses):
    message = refuses(perturbed("resnet-18", "timm").state_dict())
    assert "in the naming of torchvision (ResNet of basic blocks)" in message
    assert "the network is of another design" in message
    assert "other networks" not in message


def test_a_naming_that_it_is_not(refuses):
    entries = foreign_entries(tiny(), "timm")
    assert "not in the naming of torchvision" in refuses(entries, naming="torchvision")
    assert "unknown naming 'keras'" in refuses(entries, naming="keras")
    assert "begin with 'a'" in refuses({"a": torch.ones(1)})


def test_timms_variants_are_not_taken_for_the_plain_network():
    """Another order of head and norm, other stems, a norm without bias."""
    for name in ("convnext_tiny_hnf", "convnext_atto_ols", "convnext_atto_rms", "resnet50d"):
        with torch.device("meta"):
            entries = timm.create_model(name).state_dict()
        with pytest.raises(nx.InputError, match="give it with --design"):
            read_design(Weights(name, entries))


def test_another_number_of_classes_keeps_the_body(refuses):
    entries = foreign_entries(tiny(classes=40), "timm")
    first, second = tiny(seed=4), tiny(seed=5)
    loaded = nx.load_weights(first, entries, seed=3)
    assert loaded.head_is_new and "the head is new" in str(loaded)
    assert loaded.entries == len(entries) - 2
    nx.load_weights(second, entries, seed=3)
    body = {
        name: entry for name, entry in state(tiny(classes=40)).items() if "classifier" not in name
    }
    assert all(torch.equal(state(first)[name], entry) for name, entry in body.items())
    weight, bias = (state(first)[f"head.classifier.{part}"] for part in ("weight", "bias"))
    assert torch.equal(weight, state(second)["head.classifier.weight"])
    assert 0.005 < weight.std() < 0.04 and not bias.any()
    assert "accept a new head" in refuses(entries, classes_differ="refuse")


def test_features_without_a_head():
    entries = foreign_entries(tiny(), "timm")
    body = {name: entry for name, entry in entries.items() if "head.fc" not in name}
    assert nx.load_weights(tiny(), body).head_is_new
    assert read_design(Weights("body", body)) == (TINY, None)


class Command:
    """What a pickle runs when it is read."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        (os.system, ("touch {mark}",)),
        (eval, ("open('{mark}', 'w')",)),
        (Path.touch, (Path("{mark}"),)),
        (pickle.loads, (b"cposix\nsystem\n(S'touch {mark}'\ntR.",)),
        (torch.load, ("{mark}",)),
        (torch.hub.load, ("{mark}", "x")),
    ],
    ids=["system", "eval", "touch", "loads", "load", "hub"],
)
def test_a_pickle_that_executes_code(call, is_zip, tmp_path, saved, refuses):
    mark = tmp_path / "executed"
    function, arguments = call
    arguments = tuple(
        a.replace(b"{mark}", str(mark).encode()) if isinstance(a, bytes)
        else type(a)(str(a).replace("{mark}", str(mark)))
        for a in arguments
    )  # fmt: skip
    entries = foreign_entries(tiny(), "timm")
    content = {**entries, "also": Command(function, arguments)}
    message = refuses(saved(content, _use_new_zipfile_serialization=is_zip))
    assert "wants to call" in message and "safetensors" in message
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Command(function, arguments)))
    refuses(tmp_path / "bare.pt")
    assert not mark.exists()


def test_a_torchscript_archive(tmp_path, refuses):
    with pytest.warns((DeprecationWarning, FutureWarning)):
        torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    assert "are refused" in refuses(tmp_path / "script.pt")


def test_a_zip_bomb(tmp_path, saved, refuses):
    plain = saved({"stem.0.weight": torch.zeros(1 << 20)})
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert bomb.stat().st_size < 10_000
    assert "unpack to 4,19" in refuses(bomb)


def test_a_tensor_that_claims_more_than_the_file_holds(saved, refuses):
    """One stored number, seen as a matrix of a hundred million."""
    entries = foreign_entries(tiny(), "timm")
    entries["stem.0.weight"] = torch.zeros(1).expand(10**4, 10**4)
    assert "claims" in refuses(saved(entries))
    with pytest.raises(nx.InputError, match="claims"):
        open_weights(saved(entries))


def test_what_is_no_file_of_weights(tmp_path, refuses):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("weights")
    (tmp_path / "folder").mkdir()
    for name, words in {
        "pipe": "no ordinary file",
        "none": "do not exist",
        "empty": "an empty file",
        "text": "neither in the safetensors format",
        "folder": "holds no weights",
        "null\0": "do not exist",
    }.items():
        assert words in refuses(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pth")
    assert "hold a list" in refuses(tmp_path / "list.pth")
    torch.save({}, tmp_path / "none.pth")
    assert "no entries" in refuses(tmp_path / "none.pth")


def test_a_folder_with_timms_configuration(tmp_path, refuses):
    nx.save_weights(tiny(), tmp_path / "model.safetensors", "timm")
    config = tmp_path / "config.json"
    config.write_text('{"pretrained_cfg": {"input_size": [3, 288, 288], "crop_pct": 1.0}}')
    images = loads(tmp_path).preprocessing
    assert (images.image_size, images.crop, images.is_stated) == (288, 1.0, True)
    assert loads(tmp_path / "model.safetensors").preprocessing == images  # as a shell completes it
    for text in ('{"pretrained_cfg": {"crop_pct": "all"}}', "{", "\xff", '{"pretrained_cfg": 3}',
                 '{"std": [0, 0, 0]}', '{"input_size": [3, 1e999, 1e999]}'):  # fmt: skip
        config.write_text(text, encoding="latin-1")
        assert "mend or remove" in refuses(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activation": "relu"}, "GELU, not ReLU"),
        ({"norm": "batch"}, "LayerNorm, not BatchNorm2d"),
        ({"spatial_position": "middle"}, "branches"),
        ({"activations": "every"}, "stem: 'conv norm', not 'conv norm act'"),
        ({"downsampling": "in_block"}, "stem"),
    ],
)
def test_networks_that_others_do_not_have_are_not_written(changes, words, tmp_path):
    """Same entries, another computation: it would load there and be wrong."""
    network = nx.build(nx.design("convnext-atto", **changes), device="meta")
    with pytest.raises(nx.InputError, match=words):
        nx.save_weights(network, tmp_path / "x.pth", "timm")
    assert not list(tmp_path.iterdir())


def test_resnets_without_pooling_load_and_are_not_written():
    entries = perturbed("resnet-18", "torchvision").state_dict()
    small = nx.build(nx.design("resnet-18", stem_stride=2), device="meta")
    nx.load_weights(small, entries)
    for stride in (2, 16):
        with pytest.raises(nx.InputError, match="stem"):
            foreign_entries(nx.build(nx.design("resnet-18", stem_stride=stride)), "torchvision")


def test_a_target_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(nx.InputError, match="cannot write weights"):
        nx.save_weights(tiny(), tmp_path / "file" / "x.pth")
    with pytest.raises(nx.InputError, match="no known ending"):
        nx.save_weights(tiny(), tmp_path / "weights.onnx")
    with pytest.raises(nx.InputError, match="unknown naming"):
        nx.save_weights(tiny(), tmp_path / "x.pth", "keras")


def test_a_design_that_is_told_from_shapes():
    for naming in NAMINGS:
        found = read_design(Weights("tiny", foreign_entries(tiny(), naming)))
        assert (found.design, found.classes) == (TINY, CLASSES)


def test_a_classifier_of_no_shape_is_refused():
    entries = foreign_entries(tiny(), "official")
    for name in ("head.weight", "head.bias"):
        with pytest.raises(InputError, match=r"weights tiny.*design"):
            read_design(Weights("tiny", {**entries, name: torch.tensor(1.0)}))
