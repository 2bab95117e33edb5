"""What stands beside weights in a repository: honoured, or refused by its name."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data import create_transform

import nextify as nx
from network.weights.conftest import TINY, TINY_RESNET, tiny
from nextify.data import View
from nextify.network import convert_weights, load_network
from nextify.network.weights.config import read_config
from nextify.training.classify import published_view

NAMES = ("cat", "dog", "eel")
COLOURS = {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.25, 0.26, 0.27)}


@pytest.fixture
def repository(tmp_path):
    """A folder as the hub has it, of a network of three classes."""

    def make(config, processor=None, naming="timm", design=None):
        network = tiny() if design is None else tiny(design=design)
        nx.save_weights(network, tmp_path / "model.safetensors", naming)
        (tmp_path / "config.json").write_text(json.dumps(config))
        if processor is not None:
            (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
        return tmp_path

    return make


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("side", [33, 64])
def test_every_crop_mode_is_timms_to_the_pixel(mode, side):
    draw = np.random.default_rng(1)
    mean = torch.tensor(COLOURS["mean"])[:, None, None]
    fill = tuple(round(255 * value) for value in COLOURS["mean"])
    for crop in (0.7, 0.875, 0.95, 1.0):
        transform = create_transform(
            (3, side, side), interpolation="bicubic", crop_pct=crop, crop_mode=mode,
            mean=COLOURS["mean"], std=(1,) * 3,
        )  # fmt: skip
        for width, height in ((100, 60), (61, 103), (33, 500), (31, 17), (64, 64), (66, 65)):
            coarse = draw.integers(256, size=(height // 5 + 1, width // 5 + 1, 3), dtype=np.uint8)
            image = Image.fromarray(coarse).resize((width, height))
            theirs = ((transform(image) + mean) * 255).round().to(torch.uint8)
            assert torch.equal(View(side, crop, "bicubic", mode, fill)(image), theirs)


def test_a_thin_image_in_a_border():
    """timm refuses what becomes thinner than a pixel."""
    seen = View(32, 1.0, "bicubic", "border", (7, 8, 9))(Image.new("RGB", (400, 3)))
    assert seen[:, 0, 0].tolist() == [7, 8, 9] and (seen[0] == 0).sum() == 32


def test_crop_mode_and_names_of_classes_come_with_the_network(repository, tmp_path):
    fields = {"crop_mode": "squash", "crop_pct": 1.0, "input_size": [3, 64, 64], "mean": 0.5,
              "std": [0.25], "interpolation": "bilinear"}  # fmt: skip
    folder = repository({"num_classes": 3, "label_names": NAMES, "pretrained_cfg": fields})
    convert_weights(folder, tmp_path / "own.safetensors")
    _, card = load_network(str(tmp_path / "own.safetensors"))
    assert (card.classes, card.mean, card.std) == (NAMES, (0.5,) * 3, (0.25,) * 3)
    view = published_view(card)
    assert view == View(64, 1.0, "bilinear", "squash", (128, 128, 128))
    weights = nx.initial_weights(folder, TINY, NAMES)
    assert not weights.loaded.head_is_new
    # As many classes of other names are other classes.
    assert nx.initial_weights(folder, TINY, ("a", "b", "c")).loaded.head_is_new


def test_what_timm_leaves_out_or_says_in_other_words():
    found = read_config({"pretrained_cfg": {
        "crop_mode": None, "mean": None, "interpolation": None, "input_size": [1, 48, 48],
        "label_names": {"1": "dog", "0": "cat"}, "test_input_size": [3, 288, 288],
        "test_crop_pct": 1.0, "fixed_input_size": True, "label_descriptions": {"cat": "a cat"},
    }}, {})  # fmt: skip
    assert found.class_names == ("cat", "dog")
    images = found.preprocessing
    assert (images.crop_mode, images.interpolation, images.image_size) == ("center", "bicubic", 48)
    assert found.notes == (
        "timm tests these weights at 288 pixels and a crop of 1.0 (test_input_size); here they see "
        "48",
        "classes have the names in label_names, not label_descriptions; --class-names FILE gives "
        "others",
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"crop_mode": "random"}, "'crop_mode' is 'random'"),
        ({"interpolation": "random"}, "unknown interpolation 'random'"),
        ({"input_size": [3, 224, 192]}, "'input_size' is [3, 224, 192]; square"),
        ({"mean": [0.5, 0.5]}, "mean (0.5, 0.5)"),
        ({"num_classes": 5}, "have 3 classes, and the configuration beside them states 5 classes"),
        ({"label_names": ["cat"]}, "states 1 class names"),
        ({"label_names": ["cat", "cat", "eel"]}, "'label_names': classes 1 and 2 have one name"),
        ({"first_conv": "patch_embed"}, "have no 'patch_embed'"),
        ({"classifier": "fc"}, "have no 'fc'"),
        ({"architecture": "resnetblur50"}, "'architecture' is 'resnetblur50'"),
        ({"model_args": {"act_layer": "gelu_tanh"}}, "'act_layer' is 'gelu_tanh'"),
        ({"model_args": [3]}, "'model_args' is [3]"),
        ({"global_pool": "max"}, "'global_pool' is 'max'"),
        ({"model_type": "convnext", "hidden_act": "silu"}, "'hidden_act' is 'silu'"),
        ({"model_type": "convnext", "hidden_act": "relu"}, "'hidden_act' is 'relu'"),
        ({"model_type": "resnet", "hidden_act": "gelu"}, "'hidden_act' is 'gelu'"),
        ({"model_type": "convnext", "id2label": {"0": "a", "1": "b"}}, "states 2 classes"),
    ],
)
def test_what_cannot_be_honoured_is_refused(config, words, repository, refuses):
    said = refuses(repository(config))
    assert words in said and "mend or remove" in said


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ({"shortest_edge": 224}, (224, 0.9, "center")),
        (224, (224, 0.9, "center")),
        ({"shortest_edge": 384}, (384, 1.0, "squash")),
        ({"height": 96, "width": 96}, (96, 1.0, "squash")),
    ],
)
def test_the_configuration_of_transformers(size, expected, repository, tmp_path):
    config = {"model_type": "convnext", "hidden_act": "gelu",
              "id2label": dict(zip("012", NAMES, strict=True))}  # fmt: skip
    processor = {"size": size, "crop_pct": 0.9, "resample": 2, "image_mean": [0.5, 0.4, 0.3],
                 "image_std": [0.2, 0.2, 0.2], "do_resize": True,
                 "rescale_factor": 0.00392156862745098}  # fmt: skip
    folder = repository(config, processor, "transformers")
    images = nx.load_weights(tiny(seed=4), folder).preprocessing
    assert (images.image_size, images.crop, images.crop_mode) == expected
    assert (images.mean, images.interpolation) == ((0.5, 0.4, 0.3), "bilinear")
    assert convert_weights(folder, tmp_path / "own.safetensors").classes == NAMES


def test_a_processor_that_does_something_else(repository, refuses, tmp_path):
    wrong = [{"resample": value} for value in (9, 3.0, True, "3")]
    wrong += [{"rescale_factor": 2 / 255}, {"rescale_factor": "1/255"}, {"rescale_offset": True}]
    for processor in (*wrong, {"do_normalize": False}, {"size": {"width": 3}}):
        assert "mend or remove" in refuses(repository({"model_type": "convnext"}, processor))
    (tmp_path / "preprocessor_config.json").unlink()
    unnamed = {"model_type": "resnet", "id2label": {str(n): f"LABEL_{n}" for n in range(3)}}
    folder = repository(unnamed, naming="transformers", design=TINY_RESNET)
    loaded = nx.load_weights(tiny(design=TINY_RESNET), folder)
    assert not loaded.preprocessing.is_stated  # nothing is said of images


VALUES = [None, 0, -1, 3.5, float("nan"), True, "x", [], {}, [3, "a", 3], ["a"], {"0": ["a"]},
          {"a": 0}, {"²": "z"}, [[["a"]]], {"height": [1], "width": [1]}, 10**400]  # fmt: skip
FIELDS = ["pretrained_cfg", "input_size", "mean", "crop_pct", "crop_mode", "interpolation",
          "num_classes", "label_names", "first_conv", "architecture", "model_args", "global_pool",
          "test_input_size", "hidden_act", "id2label"]  # fmt: skip
PROCESSED = ["size", "crop_pct", "resample", "image_mean", "image_std", "do_resize"]


def test_values_of_any_type():
    """An `InputError` in one line, or something that is meant; nothing else."""
    for value in VALUES:
        given = [({name: value}, {}) for name in FIELDS]
        given += [({"pretrained_cfg": {name: value}}, {}) for name in FIELDS]
        given += [({"model_type": "convnext", name: value}, {}) for name in FIELDS]
        given += [({"model_type": "convnext"}, {name: value}) for name in PROCESSED]
        for config, processor in given:
            try:
                read_config(config, processor)
            except nx.InputError as error:
                assert "\n" not in str(error)
