"""What is done otherwise where no gradient is needed: the same answers, by other operators."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import nextify as nx
from network.references import perturb
from nextify.network.modules import PointwiseConv2d, ResidualBlock


class Operators(TorchDispatchMode):
    """Counts the operators that run inside, by name."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.seen[operator.overloadpacket.__name__] += 1
        return operator(*args, **(kwargs or {}))


def operators(call, *, grad: bool) -> Counter:
    with torch.set_grad_enabled(grad), Operators() as found:
        call()
    return found.seen


@pytest.mark.parametrize(
    ("side", "stride", "is_large"), [(56, 1, True), (56, 2, True), (8, 1, False), (28, 2, False)]
)
@pytest.mark.parametrize("images", [1, 3])
def test_large_maps_are_convolved_where_no_gradient_is_needed(side, stride, is_large, images):
    layer = PointwiseConv2d(64, 256, 1, stride)
    x = torch.randn(images, 64, side, side).contiguous(memory_format=torch.channels_last)
    without, trained = (operators(lambda: layer(x), grad=grad) for grad in (False, True))
    assert ("convolution" in without) == is_large
    assert "convolution" not in trained
    with torch.no_grad():
        found = layer(x)
    right = layer(x)
    assert is_large or found.equal(right)
    torch.testing.assert_close(found, right)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["resnet-small", "convnext-mini"])
def test_sums_take_the_branchs_place_where_no_gradient_is_needed(name):
    network = nx.build(nx.design(name), 5).eval()
    perturb(network, 0)
    blocks = sum(isinstance(module, ResidualBlock) for module in network.modules())
    x = torch.randn(2, 3, 32, 32)
    without, trained = (operators(lambda: network(x), grad=grad) for grad in (False, True))
    assert (without["add_"] - trained["add_"], trained["add"] - without["add"]) == (blocks, blocks)
    right = network(x)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert network(x).equal(right)
    network.train()
    for grad in (False, True):  # nor do batch norms' statistics or what is drawn come into it
        assert operators(lambda: network(x), grad=grad)["add_"] >= (0 if grad else blocks)


def test_nothing_that_others_hold_is_overwritten():
    """The block's own input, which its shortcut hands on, and outputs that somebody listens to."""
    block = ResidualBlock(
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)), nn.Sequential(),
        nn.ReLU(inplace=True), 0.0,
    ).eval()  # fmt: skip
    x = torch.randn(2, 4, 6, 6)
    before, right = x.clone(), block(x)
    with torch.no_grad():
        assert block(x).equal(right) and x.equal(before)
        for part in (block.branch, block.branch[1], block.drop):
            heard = []
            handle = part.register_forward_hook(lambda *all, heard=heard: heard.append(all[2]))
            assert block(x).equal(right)
            handle.remove()
            assert heard[0].equal(block.branch(x)), "what was heard is still what it was"


def test_sums_of_two_types_have_the_wider_one():
    """As under autocast, where a branch ends in bfloat16 and a shortcut is the input."""
    block = ResidualBlock(nn.Conv2d(4, 4, 1), nn.Sequential(), nn.Identity(), 0.0)
    x = torch.randn(2, 4, 6, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert block(x).dtype == torch.float32
