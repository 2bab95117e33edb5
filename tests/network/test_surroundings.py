"""Networks in whatever a program has set of torch around them."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import nextify as nx
from nextify.network import Card, load_network, save_network
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
