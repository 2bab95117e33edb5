"""evaluate and predict with converted weights: images are looked at as timm looks at them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config

import nextify as nx
from nextify.data import View, load
from nextify.measuring import Conditions
from nextify.measuring.reference import build_ours
from nextify.network import build
from nextify.network.weights.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from nextify.network.weights.save import foreign_entries

SIDE = 64
CASES = [("bicubic", 0.95), ("bilinear", 0.875), ("bicubic", 1.0)]


def photograph(draw: np.random.Generator, width: int, height: int) -> Image.Image:
    """Smooth shapes and edges: a file that resizing changes, as a photograph does."""
    coarse = draw.integers(256, size=(height // 12 + 1, width // 12 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)


@pytest.fixture
def photographs(own_folder: Path) -> Path:
    draw = np.random.default_rng(0)
    sizes = [(200, 150), (97, 173), (64, 64), (91, 68), (50, 40), (401, 120)]
    for side in ("train", "val"):
        for label in ("0", "1"):
            folder = own_folder / "photographs" / side / label
            folder.mkdir(parents=True)
            for at, (width, height) in enumerate(sizes):
                photograph(draw, width, height).save(folder / f"{at}.png")
    return own_folder / "photographs"


def converted(nextify, interpolation: str, crop: float, classes: int) -> torch.nn.Module:
    """timm's network with weights of ours, which `convert` has made `net.safetensors` of."""
    design = nx.design("convnext-atto")
    network = build_ours(design, Conditions(classes=classes))
    with torch.no_grad():  # answers that depend on the image
        network.head.get_submodule("classifier").weight.mul_(3)
    images = Preprocessing(image_size=SIDE, interpolation=interpolation, crop=crop)
    nx.save_weights(network, "timm.safetensors", "timm", preprocessing=images)
    assert nextify("convert", "timm.safetensors", "net.safetensors").code == 0
    theirs = timm.create_model("convnext_atto", num_classes=classes).eval()
    theirs.load_state_dict(load_file("timm.safetensors"))
    theirs.pretrained_cfg = {
        **theirs.pretrained_cfg,
        "input_size": (3, SIDE, SIDE), "interpolation": interpolation, "crop_pct": crop,
        "mean": IMAGENET_MEAN, "std": IMAGENET_STD,
    }  # fmt: skip
    return theirs


def transform_of(theirs: torch.nn.Module):
    return create_transform(**resolve_data_config({}, model=theirs))


@pytest.mark.parametrize(("interpolation", "crop"), CASES)
def test_predictions_are_timms(nextify, photographs, interpolation, crop):
    theirs = converted(nextify, interpolation, crop, 5)
    transform = transform_of(theirs)
    answer = nextify("predict", "net.safetensors", photographs, "--top", "5", "--json")
    answers = json.loads(answer.out)["images"]
    assert len(answers) == 24
    for one in answers:
        image = Image.open(one["image"]).convert("RGB")
        with torch.no_grad():
            expected = theirs(transform(image)[None]).softmax(1)[0]
        found = torch.empty(5)
        for best in one["classes"]:
            found[int(best["class"])] = best["probability"]
        assert torch.allclose(found, expected, atol=1e-5), one["image"]
        assert expected.max() < 0.9999  # there is something to compare


@pytest.mark.parametrize(("interpolation", "crop"), CASES)
def test_evaluation_is_timms(nextify, photographs, interpolation, crop):
    theirs = converted(nextify, interpolation, crop, 2)
    transform = transform_of(theirs)
    losses = []
    for label in (0, 1):
        for path in sorted((photographs / "val" / str(label)).iterdir()):
            with torch.no_grad():
                answer = theirs(transform(Image.open(path))[None]).log_softmax(1)[0]
            losses.append(-answer[label].item())
    said = nextify("evaluate", "net.safetensors", "--data", photographs, "--loaders", "0", "--json")
    values = json.loads(said.out)
    assert values["images"] == 12 and values["nll"] == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("crop", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_pixels_are_timms(interpolation, crop):
    """The resized and cropped pixels, to the bit."""
    draw = np.random.default_rng(1)
    for size in ((224, 224), (300, 225), (33, 500), (639, 480), (64, 73), (31, 17)):
        image = photograph(draw, *size)
        transform = create_transform(
            (3, SIDE, SIDE), interpolation=interpolation, crop_pct=crop, mean=(0.0,) * 3,
            std=(1.0,) * 3,
        )  # fmt: skip
        theirs = (transform(image) * 255).round().to(torch.uint8)
        assert torch.equal(View(SIDE, crop, interpolation)(image), theirs), size


def test_the_crop_matters(nextify, photographs):
    """Where crop and interpolation were ignored, these would be equal."""
    seen = []
    for interpolation, crop in CASES:
        converted(nextify, interpolation, crop, 5)
        seen.append(nextify("predict", "net.safetensors", photographs, "--json").out)
    assert len(set(seen)) == 3


def test_images_in_memory():
    """The embedded images, from 28 pixels to the 64 that the weights want."""
    images = load("embedded", train_limit=10).test.take(torch.arange(3))
    seen = View(SIDE, 0.875, "bicubic").of_images(images)
    assert seen.pixels.shape == (3, 3, SIDE, SIDE)
    side = math.floor(SIDE / 0.875)
    for pixels, own in zip(images.pixels, seen.pixels, strict=True):
        image = Image.fromarray(pixels[0].numpy()).convert("RGB")
        image = image.resize((side, side), Image.Resampling.BICUBIC)
        start = round((side - SIDE) / 2)
        middle = np.array(image)[start : start + SIDE, start : start + SIDE]
        assert torch.equal(own, torch.from_numpy(middle).permute(2, 0, 1))


def test_a_damaged_preprocessing_is_refused(nextify, refused, photographs):
    converted(nextify, "bicubic", 0.9, 2)
    with safe_open("net.safetensors", "pt") as file:
        metadata = file.metadata()
    tensors = load_file("net.safetensors")
    for wrong in ({"crop": 0}, {"crop": "much"}, {"interpolation": "magic"}, 3):
        card = json.loads(metadata["card"])
        previous = card["about"]["preprocessing"]
        card["about"]["preprocessing"] = {**previous, **wrong} if wrong != 3 else 3
        save_file(tensors, "wrong.safetensors", {**metadata, "card": json.dumps(card)})
        said = refused("predict", "wrong.safetensors", photographs)
        assert "preprocessing" in said or "unknown interpolation 'magic'" in said


def test_nextifys_own_networks_see_centre_squares(photographs):
    """A card without a published preprocessing leaves everything as it was."""
    from nextify.network import Card
    from nextify.training.classify import published_view

    card = Card(design=nx.design("convnext-atto"), classes=("a", "b"), image_size=SIDE,
                mean=IMAGENET_MEAN, std=IMAGENET_STD, about={"epoch": 3})  # fmt: skip
    assert published_view(card) is None
    assert foreign_entries(build(card.design, 2), "timm")


def test_paths_may_be_texts_and_texts_paths(nextify, photographs):
    from nextify.network import convert_weights, load_network

    converted(nextify, "bicubic", 0.9, 2)
    convert_weights("net.safetensors", "again.safetensors")
    assert load_network("again.safetensors")[1] == load_network(Path("again.safetensors"))[1]
    file = next(photographs.rglob("*.png"))
    assert len(nx.predict(network=Path("net.safetensors"), images=(file,))) == 1
    assert load(photographs).classes == load(str(photographs)).classes
