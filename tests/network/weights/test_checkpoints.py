"""Checkpoints as training programs leave them: the network's entries are found in them, whatever
nests them, stands before their names or beside them; and what is no network of ours is named."""

import argparse
import collections
import datetime
import gzip
import io
import pathlib
import tarfile
import types
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from timm.models import adapt_input_conv
from torch import nn

import nextify as nx
from network.weights.conftest import CLASSES, TINY, TINY_RESNET, TINY_V2, state, tiny
from nextify.designs.fields import with_fields
from nextify.network import Card, convert_weights, load_network, save_network
from nextify.network.weights.recognise import read_design
from nextify.network.weights.save import foreign_entries
from nextify.network.weights.source import Weights, open_weights

TIMM = {name: entry.clone() for name, entry in foreign_entries(tiny(), "timm").items()}
OTHER = {name: entry + 1 for name, entry in TIMM.items()}
RESNET = foreign_entries(tiny(design=TINY_RESNET), "torchvision")
V2 = foreign_entries(tiny(design=TINY_V2), "official")
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}


def before(prefix, entries=TIMM):
    return {f"{prefix}{name}": entry for name, entry in entries.items()}


def loads(source, design=TINY, **options):
    """The weights of `tiny()`; what else was said."""
    network = tiny(seed=5, design=design)
    loaded = nx.load_weights(network, source, **options)
    expected = state(tiny(design=design))
    counted = {name for name in expected if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(network.state_dict()[name], expected[name]) for name in counted)
    return loaded.notes


@pytest.mark.parametrize(
    ("checkpoint", "notes"),
    [
        ({"model_state_dict": TIMM, "optimizer_state_dict": OPTIMIZER, "loss": 0.3}, ()),
        ({"net": before("module."), "acc": 93.1, "epoch": 2}, ()),
        ({**TIMM, "epoch": 3, "name": "mine"}, ()),
        (collections.defaultdict(dict, model=TIMM), ()),
        ({"a": {"b": {"c": before("backbone.")}}}, ()),
        (
            {"state_dict": {**before("model."), "criterion.pos_weight": torch.ones(1)}},
            ("left out, as no part of the network: criterion.pos_weight",),
        ),
        (
            {"state_dict": {**before("net."), "val_acc.tp": torch.zeros(2, dtype=torch.int64)}},
            ("left out, as no part of the network: val_acc.tp",),
        ),
        (
            {"state_dict": {**before("ema_model.module.", OTHER), **before("model.")}},
            ("read from 'state_dict.model' (not from state_dict.ema_model.module, also there)",),
        ),
        (
            {"model_ema": before("module.", OTHER), "model": TIMM},
            ("read from 'model' (not from model_ema.module, also there)",),
        ),
        (
            {"model": TIMM, "best": TIMM, "model_ema": TIMM},  # one storage, three times
            ("read from 'model' (not from best, model_ema, also there)",),
        ),
    ],
)
def test_the_network_is_found(checkpoint, notes, saved):
    assert loads(saved(checkpoint)) == notes


def test_averages_of_torch(saved):
    """`torch.optim.swa_utils`, as torchvision's reference training saves it."""
    average = torch.optim.swa_utils.AveragedModel(tiny(design=TINY_RESNET))
    notes = loads(saved(average.state_dict()), TINY_RESNET)
    assert notes == ("left out, as no part of the network: n_averaged",)
    both = {"model": RESNET, "model_ema": average.state_dict(), "args": argparse.Namespace(lr=0.5)}
    assert "not from model_ema.module" in loads(saved(both), TINY_RESNET)[0]


def test_a_set_is_chosen_by_a_part_of_its_name(saved, refuses):
    file = saved({"state_dict": {**before("model.", OTHER), **before("ema_model.module.")}})
    for wrapper in ("ema_model", "ema_model.module", "state_dict.ema_model"):
        loads(file, wrapper=wrapper)
    said = refuses(file, wrapper="ema")
    assert "choose one of: state_dict.model, state_dict.ema_model.module" in said
    # The largest is read, and a smaller one where it is named.
    file = saved({"student": TIMM, "teacher": perturbed_resnet()})
    assert loads(file, wrapper="student")
    assert open_weights(file).entries.keys() == perturbed_resnet().keys()


def perturbed_resnet():
    design = nx.design("resnet-18", widths=(4, 6, 8, 10))
    return foreign_entries(nx.build(design, CLASSES), "torchvision")


def test_strays_within_the_network_are_not_left_out(refuses):
    """They may be layers of a variant."""
    assert "1 left over: queue" in refuses({**TIMM, "queue": torch.ones(1)})
    assert "left over: extra.weight" in refuses(
        before("m.", {**TIMM, "extra.weight": torch.ones(1)})
    )


def test_a_detector_gives_its_backbone():
    with torch.device("meta"):
        whole = torchvision.models.detection.fasterrcnn_resnet50_fpn(weights_backbone=None)
    weights = open_weights(whole.state_dict())
    assert read_design(weights) == (nx.design("resnet-50"), None)
    assert "backbone.fpn.inner_blocks.0.0.weight" in weights.notes[0]


def test_mappings_within_themselves(saved):
    """Whatever refers to itself or fans out: an answer, at once."""
    itself = {"model": TIMM}
    itself["again"] = itself
    assert "again.model" in loads(saved(itself))[0]
    wide = {"x": torch.zeros(1)}
    for _ in range(3):
        wide = {str(at): wide for at in range(300)}
    with pytest.raises(nx.InputError, match="not in a known naming"):
        nx.load_weights(tiny(), saved(wide))


def test_what_programs_put_beside_weights(saved):
    """Nothing of it is called, and nothing of it hinders."""
    beside = {
        "best": np.float64(81.3), "top": np.float32(3), "curve": np.arange(3),
        "kind": np.dtype("f4"),
        "random": np.random.default_rng(0).normal(size=2), "torch": torch.__version__,
        "args": argparse.Namespace(lr=np.float32(4e-3), output=pathlib.Path("runs/x")),
        "folder": pathlib.PurePosixPath("a"), "more": types.SimpleNamespace(a=1),
        "when": datetime.datetime(2026, 1, 1), "took": datetime.timedelta(1),
        "last": collections.deque([1, 2]), "of": collections.Counter("ab"),
        "device": torch.device("cpu"), "dtype": torch.float16, "rng": torch.get_rng_state(),
    }  # fmt: skip
    loads(saved({"model": TIMM, **beside}))
    with pytest.raises(nx.InputError, match="is a ForeignObject and no tensor"):
        nx.load_weights(tiny(), saved({n: e.numpy() for n, e in TIMM.items()}))


def test_a_network_saved_whole(saved, refuses):
    said = refuses(saved(nn.Linear(2, 2)))
    assert "wants to call torch.nn.modules.linear.Linear" in said
    assert "save network.state_dict() instead" in said


def body(entries):
    return {n: e for n, e in entries.items() if not n.startswith(("norm.", "head."))}


@pytest.mark.parametrize("shape", [(-1,), (1, -1), (1, 1, 1, -1), (-1, 1, 1)])
def test_v2_as_its_pretraining_leaves_it(shape, saved, tmp_path):
    """FCMAE: no head, no norm before it, the response norm's numbers in any shape."""
    bare = {n: e.reshape(shape) if ".grn." in n else e for n, e in body(V2).items()}
    network = tiny(seed=5, design=TINY_V2)
    loaded = nx.load_weights(network, saved({"model": bare}), seed=2)
    assert (loaded.head_is_new, loaded.entries) == (True, len(bare))
    assert loaded.notes == ("they have no norm before the head: it is new, too",)
    own, expected = state(network), state(tiny(design=TINY_V2))
    assert all(torch.equal(own[n], e) for n, e in expected.items() if not n.startswith("head."))
    assert (own["head.norm.weight"] == 1).all() and not own["head.norm.bias"].any()
    assert own["head.classifier.weight"].std() < 0.04
    # Its design is told without a head, and it trains; a head without its norm is damage.
    assert read_design(open_weights({"model": bare})) == (TINY_V2, None)
    assert nx.initial_weights(saved(bare), TINY_V2, ("a", "b")).loaded.head_is_new
    with pytest.raises(nx.InputError, match=r"2 missing: norm\.weight, norm\.bias"):
        nx.load_weights(network, {**bare, **{n: V2[n] for n in ("head.weight", "head.bias")}})


def test_one_input_channel():
    """The weights that timm makes of it, so that a grey image gives the same answer."""
    grey = {**TIMM, "stem.0.weight": TIMM["stem.0.weight"].sum(1, keepdim=True)}
    network = tiny(seed=5)
    loaded = nx.load_weights(network, grey)
    assert "one input channel repeated for three" in loaded.notes[0]
    stem = network.state_dict()["stem.conv.weight"]
    assert torch.allclose(stem, adapt_input_conv(3, grey["stem.0.weight"], 1), rtol=1e-6)
    image = torch.rand(1, 1, 32, 32).expand(-1, 3, -1, -1)
    assert torch.allclose(network.eval()(image), tiny()(image), atol=1e-5)
    assert read_design(Weights("grey", grey)) == (TINY, CLASSES)


@pytest.mark.parametrize("channels", [2, 4, 6])
def test_other_input_channels_are_refused(channels, refuses):
    stem = TIMM["stem.0.weight"][:, :1].repeat(1, channels, 1, 1)
    assert f"images of {channels} channels" in refuses({**TIMM, "stem.0.weight": stem})


@pytest.mark.parametrize(
    "counter",
    [
        torch.tensor(float("inf")).half(), torch.ones(1, dtype=torch.int32),
        torch.tensor(1e300, dtype=torch.float64), torch.tensor(3.0),
    ],
)  # fmt: skip
def test_counters_of_any_kind(counter):
    """450,000 batches are infinite as a half."""
    entries = {n: counter if n.endswith("tracked") else e for n, e in RESNET.items()}
    loads(entries, TINY_RESNET)
    halves = {n: e.half() for n, e in entries.items()}
    assert nx.load_weights(tiny(design=TINY_RESNET), halves).notes[0].startswith("float16")


def test_entries_that_share_their_storage(saved, tmp_path):
    one = torch.ones(2)
    shared = {**TIMM, "stem.0.bias": one, "stem.1.bias": one, "stem.1.weight": one}
    wide = torch.randn(50, *TIMM["stem.0.weight"].shape)
    shared["stem.0.weight"] = wide[7]
    file = saved(shared)
    network = tiny(seed=5)
    nx.load_weights(network, file)
    assert torch.equal(network.state_dict()["stem.conv.weight"], wide[7])
    target = tmp_path / "own.safetensors"
    convert_weights(file, target)
    assert torch.equal(load_network(target)[0].state_dict()["stem.conv.bias"], one)
    network.stem.norm.weight = network.stem.norm.bias
    nx.save_weights(network, target, "timm")
    loads_back = nx.load_weights(tiny(seed=7), target)
    assert loads_back.entries == len(TIMM)


def test_networks_of_our_own_stay_what_they_are(tmp_path):
    """With other names of the classes, say; and what they see is told to others as it is."""
    design, names = with_fields(TINY, {"stem_stride": 2}), ("cat", "dog", "owl")
    network = tiny(3, design=design)
    about = {"data": {"image_size": 28, "classes": 3}, "permuted_pixels": 3}
    card = Card(design, names, 28, (0.3,) * 3, (0.2,) * 3, about, temperature=2.0)
    own, again = tmp_path / "own.safetensors", tmp_path / "again.safetensors"
    save_network(network, card, own)
    convert_weights(own, again, class_names=("a", "b", "c"))
    assert load_network(again)[1] == replace(card, classes=("a", "b", "c"))
    for size, crop in ((28, 1.0), (224, 0.875)):
        save_network(network, replace(card, image_size=size, about={}), own)
        seen = convert_weights(own, tmp_path / "timm.safetensors", write_as="timm").loaded
        assert (seen.preprocessing.image_size, seen.preprocessing.crop) == (size, crop)


TRANSFORMERS = {
    "stem.conv.weight": "embeddings.patch_embeddings.weight",
    "stem.norm.bias": "embeddings.layernorm.bias",
    "stages.1.downsample.norm.weight": "encoder.stages.1.downsampling_layer.0.weight",
    "stages.1.downsample.conv.weight": "encoder.stages.1.downsampling_layer.1.weight",
    "stages.2.blocks.0.branch.spatial.weight": "encoder.stages.2.layers.0.dwconv.weight",
    "stages.2.blocks.0.branch.spatial_norm.bias": "encoder.stages.2.layers.0.layernorm.bias",
    "stages.2.blocks.0.branch.pointwise1.bias": "encoder.stages.2.layers.0.pwconv1.bias",
    "head.norm.weight": "layernorm.weight",
}
TRANSFORMERS_RESNET = {
    "stem.conv.weight": "resnet.embedder.embedder.convolution.weight",
    "stem.norm.running_var": "resnet.embedder.embedder.normalization.running_var",
    "stages.1.blocks.0.shortcut.norm.bias":
        "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias",
    "stages.1.blocks.0.branch.spatial2.weight":
        "resnet.encoder.stages.1.layers.0.layer.1.convolution.weight",
    "head.classifier.weight": "classifier.1.weight",
}  # fmt: skip


def test_the_names_of_transformers(tmp_path):
    """As its ConvNextForImageClassification, ConvNextV2... and ResNet... write them."""
    v1 = {o: f"convnext.{t}" for o, t in TRANSFORMERS.items()}
    v1["stages.0.blocks.0.branch.scale.weight"] = (
        "convnext.encoder.stages.0.layers.0.layer_scale_parameter"
    )
    v2 = {o: f"convnextv2.{t}" for o, t in TRANSFORMERS.items()}
    v2["stages.0.blocks.0.branch.response_norm.weight"] = (
        "convnextv2.encoder.stages.0.layers.0.grn.weight"
    )
    names = {TINY: v1, TINY_V2: v2, TINY_RESNET: TRANSFORMERS_RESNET}
    for design, expected in names.items():
        network = tiny(design=design)
        entries = foreign_entries(network, "transformers")
        for ours, theirs in expected.items():
            assert torch.equal(entries[theirs].flatten(), network.state_dict()[ours].flatten())
        assert entries["classifier.bias" if design != TINY_RESNET else "classifier.1.bias"].numel()
        save_file({n: e.contiguous() for n, e in entries.items()}, tmp_path / "x.safetensors")
        loads(tmp_path / "x.safetensors", design)
        assert read_design(Weights("x", entries)).design == design
    assert foreign_entries(tiny(design=TINY_V2), "transformers")[
        "convnextv2.encoder.stages.0.layers.0.grn.bias"
    ].shape == (1, 1, 1, 8)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vit_tiny_patch16_224", "a ViT"),
        ("swin_tiny_patch4_window7_224", "a Swin"),
        ("efficientnet_b0", "an EfficientNet"),
        ("densenet121", "a DenseNet"),
        ("regnety_002", "a RegNet"),
    ],
)
def test_networks_that_are_not_known_are_named(name, words, refuses):
    with torch.device("meta"):
        entries = timm.create_model(name).state_dict()
    said = refuses(entries)
    assert f"look like {words}" in said and "nextify loads ResNets, ConvNeXts" in said


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["unet.layers.0.lora_A.weight"], "a LoRA"),
        (["model.0.conv.weight", "model.22.dfl.conv.weight"], "a YOLO"),
        (["model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight"], "a language"),
        (["backbone.body.x", "rpn.head.conv.0.0.weight"], "a detection"),
        (["backbone.stages.0.0.depthwise_conv.weight"], "names of another program"),
    ],
)
def test_weights_that_are_not_known_are_named(names, words, refuses, saved):
    file = saved({name: torch.ones(1) for name in names})
    assert words in refuses(file)
    from nextify.training.initial import design_of

    with pytest.raises(nx.InputError, match="look like") as caught:
        design_of(file)
    assert "name it" not in str(caught.value)  # no name of a design would help


def _tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pth"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:01\n", "`git lfs pull`"),
        (b"\n<!DOCTYPE html><html><head>", "a web page"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b"GGUF\x03\x00\x00\x00" + bytes(9), "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x08\x07\x12\x07pytorch", "ONNX"),
        (gzip.compress(b"x", mtime=0), "unpack it"),
        (_tar(), "a tar archive"),
        (b"PK\x03\x04", "cannot be read"),
        (bytes(600), "zeros"),
        (b'{"a": 1}', "JSON"),
        (b"\xff\xd8\xff\xe0", "an image"),
    ],
)
def test_files_that_are_no_weights_are_named(content, words, tmp_path, refuses):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert words in refuses(tmp_path / "model.safetensors")


def test_an_optimisers_state_and_other_archives(saved, refuses, tmp_path):
    assert "an optimiser's state" in refuses(saved(OPTIMIZER))
    np.savez(tmp_path / "x.npz", a=np.ones(2))
    assert "none of torch's" in refuses(tmp_path / "x.npz")
    for source in (None, 3, b"x", [1], tiny()):
        assert "give a file" in refuses(source)
    assert "for the name of an entry" in refuses({1: torch.ones(1)})
