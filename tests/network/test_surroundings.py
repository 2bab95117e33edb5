"""Networks in whatever a program has set of torch around them."""

import copy
import io
import pickle
from contextlib import contextmanager
from importlib import reload

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import nextify as nx
from nextify.commands import data
from nextify.data import near
from nextify.measuring.clock import Effort
from nextify.measuring.tasks import prepared
from nextify.network import Card, load_network, save_network
from nextify.network.depthwise import depthwise_weight_gradient
from nextify.training.machine import plain_torch

CONVNEXT = nx.design("convnext-atto", depths=(1, 1, 1, 1), widths=(2, 3, 4, 5))
DESIGNS = [CONVNEXT, nx.design("resnet-18", depths=(1, 1), widths=(4, 6)), nx.design("vit-mini"),
           nx.design("swin-mini")]  # fmt: skip


def build(design):
    return nx.build(design, 3, image_size=32)


def equal(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs)


@pytest.fixture
def default_type():
    yield torch.set_default_dtype
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: type(design).__name__)
def test_build(design, default_type):
    usual = build(design)
    with torch.device("meta"):
        assert all(entry.is_meta for entry in build(design).parameters())
        assert equal(nx.build(design, 3, image_size=32, device="cpu"), usual)
    with torch.inference_mode():
        trainable = build(design)
    assert equal(trainable, usual)
    trainable.train()(torch.zeros(2, 3, 32, 32)).sum().backward()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert equal(build(design), usual)
    default_type(torch.float64)
    assert equal(build(design), usual.double())  # the same numbers


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: type(design).__name__)
def test_copies_and_files(design):
    network = build(design).eval()
    image = torch.rand(2, 3, 32, 32)
    expected = network(image)
    buffer = io.BytesIO()
    torch.save(network, buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)),
                  torch.load(buffer, weights_only=False), nn.DataParallel(network)):  # fmt: skip
        assert torch.equal(other(image), expected)
    on_meta = nx.build(design, 3, image_size=32, device="meta").eval()
    on_meta.load_state_dict(network.state_dict(), assign=True)
    assert torch.equal(on_meta(image), expected)
    assert copy.deepcopy(network).half()(image.half()).dtype == torch.float16


def test_load(tmp_path, default_type):
    usual = build(CONVNEXT)
    with torch.device("meta"):
        network = build(CONVNEXT)
        nx.load_weights(network, usual.state_dict())
    assert equal(network, usual)
    card = Card(CONVNEXT, ("a", "b", "c"), 32, (0.5,) * 3, (0.5,) * 3, {})
    file = str(tmp_path / "network.safetensors")  # a path as a text
    save_network(nn.DataParallel(usual), card, file)
    default_type(torch.float64)
    with torch.device("meta"), torch.inference_mode():
        network, _ = load_network(str(tmp_path))
    assert equal(network, usual)
    default_type(torch.float32)
    network.train()(torch.zeros(2, 3, 32, 32)).sum().backward()


def test_weights_of_and_into_what_wraps_a_network(tmp_path):
    usual = build(CONVNEXT)
    for wrap in (nn.DataParallel, torch.optim.swa_utils.AveragedModel, torch.compile):
        wrapped = wrap(nx.build(CONVNEXT, 3, seed=4))
        nx.load_weights(wrapped, wrap(usual).state_dict())
        nx.save_weights(wrapped, tmp_path / "timm.pth", "timm")
        again = nx.build(CONVNEXT, 3, seed=5)
        nx.load_weights(again, tmp_path / "timm.pth")
        assert equal(again, usual)
    with pytest.raises(nx.InputError, match="Linear with no networks of nextify"):
        nx.load_weights(nn.Linear(2, 2), usual.state_dict())
    with pytest.raises(nx.InputError, match="on the meta device and has no numbers"):
        nx.save_weights(nx.build(CONVNEXT, 3, device="meta"), tmp_path / "x.pth")


def test_no_classes():
    with pytest.raises(nx.InputError, match="classes is 0"):
        nx.build(CONVNEXT, 0)
    with pytest.raises(nx.InputError, match="classes is '10'; it must be a whole number"):
        nx.build(CONVNEXT, "10")


def test_a_run_is_the_same_in_all_of_them(default_type):
    def seen():
        with plain_torch():
            weight = torch.ones(2, requires_grad=True)
            product = torch.ones(2, 2) @ weight
            return product.dtype, product.device.type, product.requires_grad, weight.is_inference()

    usual = (torch.float32, "cpu", True, False)
    default_type(torch.float64)
    with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert seen() == usual
        assert torch.get_default_dtype() == torch.float64 and torch.is_inference_mode_enabled()


@contextmanager
def odd_surroundings():
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def test_python_answers_the_same_in_all_of_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXTIFY_CACHE", "cache")
    card = Card(CONVNEXT, ("a", "b", "c"), 32, (0.3, 0.4, 0.5), (0.2, 0.3, 0.25), {})
    save_network(build(CONVNEXT), card, "network.safetensors")
    draw = np.random.default_rng(0)
    for at in range(20):
        place = tmp_path / "pets" / ("cat", "dog")[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        photo = draw.integers(256, size=(40, 40, 3), dtype=np.uint8)
        Image.fromarray(photo).save(place / f"{at}.png")
    quick, types = Effort(rounds=1), []
    conditions = nx.Conditions(image_size=32, batch_size=2)

    def noted(task, network, *how):
        types.append(next(network.parameters()).dtype)
        return prepared(task, network, *how)

    monkeypatch.setattr("nextify.measuring.benchmark.prepared", noted)

    def seen():
        nx.export(
            "network.safetensors", "net.pt2", with_preprocessing=True, speed=False, quiet=True
        )
        nx.bench(CONVNEXT, conditions, beside="none", training=False, memory=False, effort=quick)
        assert nx.measure_latency([CONVNEXT], 32, effort=quick)[0].count == 1
        images = nx.load("pets", image_size=32)
        few = {"seeds": 1, "plan": True, "no_pilot": True, "quiet": True}
        plan = nx.study("small", "epochs=1", data=images, **few).plan
        weights = nx.initial_weights("network.safetensors", CONVNEXT, card.classes)
        found = data("pets", quiet=True).survey
        answers = [
            each.classes for name in ("network.safetensors", "net.pt2")
            for each in nx.classifier(name).predict(photo, photo)
        ]  # fmt: skip
        return answers, images.dataset.identity(), repr(images), plan, weights.about, found

    usual = seen()
    with odd_surroundings():
        assert seen() == usual
    assert set(types) == {torch.float32}


def test_what_is_kept_is_the_same_in_all_of_them():
    """Tensors that a module makes once: at its import, or the first time."""
    pixels = torch.rand(2, 3, 40, 40).mul(255).byte()
    x, grad = torch.rand(2, 3, 5, 4), torch.rand(2, 3, 5, 4)
    usual = near.frequencies(pixels)
    expected = depthwise_weight_gradient(x, grad, 7, 1, "taps")
    with odd_surroundings():
        reload(near)
        depthwise_weight_gradient(x, grad, 7, 1, "pairs")
    assert np.array_equal(near.frequencies(pixels), usual)
    torch.testing.assert_close(depthwise_weight_gradient(x, grad, 7, 1, "pairs"), expected)
