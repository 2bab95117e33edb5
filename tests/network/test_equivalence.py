"""The same weights give the same outputs as torchvision and timm."""

import pytest
import timm
import torch
import torchvision

import nextify as nx
from network.references import (
    BASIC_RESNET,
    CONVNEXT_TIMM,
    CONVNEXT_TORCHVISION,
    RESNET,
    carry_over,
    perturb,
    renamed,
)

MODELS = [
    ("resnet50", lambda: torchvision.models.resnet50(), RESNET),
    ("resnet50", lambda: timm.create_model("resnet50"), RESNET),
    ("convnext-tiny", lambda: torchvision.models.convnext_tiny(), CONVNEXT_TORCHVISION),
    ("convnext-tiny", lambda: timm.create_model("convnext_tiny"), CONVNEXT_TIMM),
    ("convnext-atto", lambda: timm.create_model("convnext_atto"), CONVNEXT_TIMM),
    ("resnet18", lambda: torchvision.models.resnet18(), BASIC_RESNET),
    ("resnet34", lambda: timm.create_model("resnet34"), BASIC_RESNET),
    ("convnextv2-atto", lambda: timm.create_model("convnextv2_atto"), CONVNEXT_TIMM),
    ("resnet101", lambda: torchvision.models.resnet101(), RESNET),
]


@pytest.mark.parametrize(("name", "make", "rules"), MODELS)
@pytest.mark.parametrize("perturbed", [False, True], ids=["initial", "perturbed"])
def test_outputs_equal_the_reference(name, make, rules, perturbed):
    torch.manual_seed(0)
    reference = make().eval()
    if perturbed:
        perturb(reference, seed=1)
    network = nx.build(nx.design(name)).eval()
    carry_over(reference, network, rules)
    for size in ((64, 64), (96, 64)):
        images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            ours, theirs = network(images), reference(images)
        assert ours.std() > 0
        error = (ours - theirs).norm() / theirs.norm()
        assert error < 1e-5, f"{name} at {size}: relative error {error:.1e}"


def test_ends_of_the_path_are_these_networks():
    assert nx.path("resnet50").start == nx.design("resnet50")
    assert nx.path("resnet50").end == nx.design("convnext-tiny")
    assert nx.path("resnet200").end == nx.design("convnext-base")


def test_gradients_equal_the_reference():
    """One training step's gradients, through batch norm in training mode."""
    reference = torchvision.models.resnet50().double().train()
    perturb(reference, seed=3)
    network = nx.build(nx.design("resnet50")).double().train()
    carry_over(reference, network, RESNET)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(4)).double()
    for net in (reference, network):
        net(images).square().mean().backward()
    ours = {name: p.grad for name, p in network.named_parameters()}
    theirs = {renamed(name, RESNET): p.grad for name, p in reference.named_parameters()}
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_stochastic_depth_rates_equal_torchvision(rate):
    reference = torchvision.models.convnext_tiny(stochastic_depth_prob=rate)
    theirs = [m.p for m in reference.modules() if isinstance(m, torchvision.ops.StochasticDepth)]
    network = nx.build(nx.design("convnext-tiny"), stochastic_depth=rate, device="meta")
    ours = [m.probability for m in network.modules() if type(m).__name__ == "StochasticDepth"]
    assert ours == pytest.approx(theirs)
