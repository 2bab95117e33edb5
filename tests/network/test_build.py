"""Every subset of the choices builds, runs and learns; initialisation in one place."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import nextify as nx
from nextify.network.modules import ResponseNorm2d, StochasticDepth
from strategies import subsets_of


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_every_subset_trains(data):
    """A step changes every parameter, and gradients are finite."""
    design = data.draw(subsets_of("small"))
    network = nx.build(design, 5, weight_init="he_normal").train()
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    loss = F.cross_entropy(network(images), torch.arange(8) % 5)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert sum(p.grad.abs().sum() for p in network.parameters()) > 0


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_subsets_of_the_full_size_path_run(data):
    design = data.draw(subsets_of("resnet50"))
    network = nx.build(design, 7, device="meta")
    assert network(torch.empty(2, 3, 64, 96, device="meta")).shape == (2, 7)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state():
    before = torch.get_rng_state()
    first = nx.build(nx.design("convnext-mini"), 10, seed=3)
    again = nx.build("convnext-mini", np.int64(10), seed=np.int64(3))
    other = nx.build(nx.design("convnext-mini"), 10, seed=4)
    assert torch.equal(before, torch.get_rng_state())
    for name, entry in first.state_dict().items():
        assert torch.equal(entry, again.state_dict()[name])
    assert not torch.equal(first.stem.conv.weight, other.stem.conv.weight)


def sd(network: nn.Module, kind: type) -> dict[str, tuple[float, float]]:
    """Standard deviation of the larger weights, beside He's for their fan out per group."""
    return {
        name: (
            m.weight.std().item(),
            (2 / (m.weight[0, 0].numel() * m.out_channels / m.groups)) ** 0.5,
        )
        for name, m in network.named_modules()
        if isinstance(m, kind) and m.weight.numel() > 4000
    }


def test_initialisation_is_what_each_paper_prescribes():
    resnet = nx.build(nx.design("resnet50"), 10)
    for name, (found, he) in sd(resnet, nn.Conv2d).items():
        assert found == pytest.approx(he, rel=0.05), name
    convnext = nx.build(nx.design("convnext-tiny"), 10)
    for name, (found, _) in sd(convnext, nn.Conv2d).items():
        assert found == pytest.approx(0.02, rel=0.05), name
    for network in (resnet, convnext):
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                assert (parameter == 0).all(), name
            elif name.endswith("norm.weight"):
                assert (parameter == 1).all(), name
            elif name.endswith("scale.weight"):
                assert (parameter == 1e-6).all(), name


def test_he_normal_equals_torchs_for_dense_convolutions():
    resnet = nx.build(nx.design("resnet50"), 10, seed=0)
    theirs = torch.empty_like(resnet.stem.conv.weight, memory_format=torch.contiguous_format)
    nn.init.kaiming_normal_(
        theirs, mode="fan_out", nonlinearity="relu", generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(resnet.stem.conv.weight, theirs)


def test_meta_networks_have_no_memory_and_load():
    meta = nx.build(nx.design("convnext-tiny"), device="meta")
    assert all(p.is_meta for p in meta.parameters())
    real = nx.build(nx.design("convnext-tiny"))
    meta.load_state_dict(real.state_dict(), assign=True)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(meta.eval()(images), real.eval()(images))


def test_stochastic_depth_keeps_the_mean_and_draws_per_image():
    drop = StochasticDepth(0.25).train()
    drop.generator = torch.Generator().manual_seed(0)
    out = drop(torch.ones(20_000, 1, 1, 1)).flatten()
    assert sorted(out.unique().tolist()) == pytest.approx([0.0, 4 / 3])
    # Four standard errors of the mean of Bernoulli draws.
    assert out.mean().item() == pytest.approx(1.0, abs=4 * (0.25 / 0.75 / 20_000) ** 0.5)
    assert torch.equal(drop.eval()(torch.ones(3, 1, 1, 1)), torch.ones(3, 1, 1, 1))


def test_channels_last_is_kept_through_the_network():
    network = nx.build(nx.design("convnext-mini"), 10)
    x = network.stages(network.stem(torch.randn(2, 3, 32, 32).contiguous(
        memory_format=torch.channels_last)))  # fmt: skip
    assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_response_norm_is_safe_with_large_activations(dtype):
    """The sum of squares of such a map is far outside float16's range."""
    norm = ResponseNorm2d(4)
    for parameter in norm.parameters():
        nn.init.constant_(parameter, 0.5)
    norm = norm.to(dtype)
    x = torch.full((2, 4, 56, 56), 3000.0, dtype=dtype)
    x[:, 1] = 0
    out = norm(x)
    assert out.dtype == dtype and out.isfinite().all()
    # Three equal channels and an empty one: their norm is 4/3 of the mean.
    expected = 3000.0 * (1 + 0.5 * 4 / 3) + 0.5
    assert out[0, 0, 0, 0].item() == pytest.approx(expected, rel=0.01)
    assert out[0, 1, 0, 0].item() == pytest.approx(0.5)
