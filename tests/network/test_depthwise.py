"""The depthwise weight gradient: exact for every kernel, odd sizes, and maps below the kernel."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.network.depthwise import (
    DepthwiseConv2d,
    depthwise_weight_gradient,
    weight_gradient_method,
)

METHODS = ("torch", "grouped", "pairs", "taps")


def reference(x: torch.Tensor, grad: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """By torch's own convolution in float64."""
    channels = x.shape[1]
    weight = torch.zeros(channels, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    y = F.conv2d(x.double(), weight, stride=stride, padding=kernel // 2, groups=channels)
    return torch.autograd.grad(y, weight, grad.double())[0]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 4),
    channels=st.integers(1, 9),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    kernel=st.sampled_from((1, 3, 5, 7, 9, 11)),
    stride=st.sampled_from((1, 2, 3)),
    last=st.booleans(),
)
def test_every_method_is_exact(method, n, channels, height, width, kernel, stride, last):
    generator = torch.Generator().manual_seed(n * 1000 + channels)
    x = torch.randn(n, channels, height, width, generator=generator)
    output = (n, channels, (height - 1) // stride + 1, (width - 1) // stride + 1)
    grad = torch.randn(output, generator=generator)
    if last:
        x, grad = (t.contiguous(memory_format=torch.channels_last) for t in (x, grad))
    got = depthwise_weight_gradient(x, grad, kernel, stride, method)
    assert got.shape == (channels, 1, kernel, kernel)
    expected = reference(x, grad, kernel, stride)
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 4), (9, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_gradcheck(kernel, size, bias, stride):
    conv = DepthwiseConv2d(2, 2, kernel, stride, kernel // 2, groups=2, bias=bias).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 2, *size, dtype=torch.float64, generator=generator, requires_grad=True)
    parameters = list(conv.parameters())

    def run(x, *parameters):
        names = [name for name, _ in conv.named_parameters()]
        return torch.func.functional_call(conv, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *parameters))


@pytest.mark.parametrize(("kernel", "stride"), [(7, 1), (7, 2), (3, 1), (11, 1)])
def test_module_equals_conv2d(kernel, stride):
    torch.manual_seed(0)
    ours = DepthwiseConv2d(6, 6, kernel, stride, kernel // 2, groups=6)
    plain = torch.nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6)
    plain.load_state_dict(ours.state_dict())
    grads = []
    for conv in (ours, plain):
        x = torch.randn(3, 6, 9, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
        y = conv(x)
        y.square().sum().backward()
        grads.append((y, x.grad, conv.weight.grad, conv.bias.grad))
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


def test_the_choice_is_used_and_small_kernels_keep_torchs():
    assert weight_gradient_method(3, 1, 14, 14) == "torch"
    assert weight_gradient_method(3, 1, 2, 2) == "taps"
    assert weight_gradient_method(7, 1, 14, 14) == "grouped"
    assert weight_gradient_method(7, 2, 14, 14) == "torch"
    assert weight_gradient_method(7, 2, 7, 7) == "pairs"
    assert weight_gradient_method(7, 1, 4, 4) == "pairs"
    conv = DepthwiseConv2d(4, 4, 7, padding=3, groups=4)
    x = torch.randn(2, 4, 8, 8)
    assert type(conv(x).grad_fn).__name__ == "_DepthwiseBackward"
    with torch.no_grad():
        assert conv(x).grad_fn is None
    with torch.autocast("cpu", torch.bfloat16):
        assert type(conv(x).grad_fn).__name__ != "_DepthwiseBackward"
