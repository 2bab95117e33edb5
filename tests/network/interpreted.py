"""All kernels under Triton's interpreter, against float64: run by test_kernels.py in a process of
its own, for Triton reads TRITON_INTERPRET when it is first imported."""

import pytest
import torch
import torch.nn.functional as F

from nextify.network import kernels, modules
from nextify.network.depthwise import DepthwiseConv2d
from nextify.network.kernels import launch, operators
from nextify.network.kernels.tiles import Tile


def close(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    assert (got.double() - expected).norm() <= tolerance * expected.norm()


def leaves(*tensors):
    """The same, as leaves in float64."""
    return [t.detach().double().requires_grad_() for t in tensors]


@pytest.mark.parametrize(
    ("n", "channels", "height", "width", "kernel"),
    [(2, 5, 5, 3, 3), (1, 2, 2, 2, 7), (2, 33, 3, 4, 5), (1, 3, 4, 6, 7), (2, 3, 1, 1, 7),
     (1, 2, 2, 3, 11), (1, 3, 3, 5, 9)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("bias", "layout"), [(True, torch.channels_last), (False, torch.contiguous_format)]
)
def test_depthwise(n, channels, height, width, kernel, bias, layout):
    generator = torch.Generator().manual_seed(kernel)
    x = torch.randn(n, channels, height, width, generator=generator)
    x = x.contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(channels, 1, kernel, kernel, generator=generator, requires_grad=True)
    parameters = [weight]
    if bias:
        parameters.append(torch.randn(channels, generator=generator, requires_grad=True))
    y = kernels.depthwise(x, weight, parameters[1] if bias else None)
    assert y.permute(0, 2, 3, 1).is_contiguous()
    grad = torch.randn(y.shape, generator=generator).contiguous(memory_format=layout)
    got = torch.autograd.grad(y, (x, *parameters), grad)
    wide = leaves(x, *parameters)
    expected = F.conv2d(*wide, padding=kernel // 2, groups=channels)
    close(y, expected)
    for mine, right in zip(got, torch.autograd.grad(expected, wide, grad.double()), strict=True):
        close(mine, right)


def test_bfloat16_in_and_out_and_float32_within():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, 4, generator=generator).bfloat16().requires_grad_()
    weight = torch.randn(3, 1, 3, 3, generator=generator, requires_grad=True)
    y = kernels.depthwise(x, weight, None)
    grad = torch.randn(y.shape, generator=generator).bfloat16()
    got = torch.autograd.grad(y, (x, weight), grad)
    wide = leaves(x, weight)
    expected = F.conv2d(*wide, padding=1, groups=3)
    right = torch.autograd.grad(expected, wide, grad.double())
    assert (y.dtype, got[0].dtype, got[1].dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    close(y, expected, 1e-2)
    close(got[0], right[0], 1e-2)
    close(got[1], right[1], 1e-5)


@pytest.mark.parametrize("programs", [0, 1, 2])
def test_any_tile_gives_the_same(programs):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 3, 4, 5, generator=generator)
    grad = torch.randn(3, 3, 4, 5, generator=generator)
    taps = torch.randn(9, 5, generator=generator)
    tile = Tile(rows=2, channels=4, warps=1, programs=programs)
    wide = x.permute(0, 3, 1, 2).double()
    weight = taps.t().reshape(5, 1, 3, 3).double().requires_grad_()
    y = F.conv2d(wide, weight, padding=1, groups=5)
    close(launch.convolve(x, taps, None, False, tile), y.permute(0, 2, 3, 1))
    (right,) = torch.autograd.grad(y, weight, grad.permute(0, 3, 1, 2).double())
    expected = torch.cat([right.flatten(1).t(), grad.double().sum((0, 1, 2))[None]])
    close(launch.correlate(x, grad, 3, tile), expected)
    close(operators._weight_gradient_of_torch(x, grad, 3), expected)


@pytest.mark.parametrize(("copies", "channels"), [(1, 3), (1, 40), (3, 6)])
def test_norm(copies, channels):
    generator = torch.Generator().manual_seed(channels)
    x = (3 + torch.randn(2, copies * channels, 3, 3, generator=generator)).requires_grad_()
    scale, shift = torch.randn(2, copies * channels, generator=generator, requires_grad=True)
    grad = torch.randn(x.shape, generator=generator)
    z = kernels.layer_norm(x, scale, shift, 1e-6, copies)
    wide = leaves(x, scale, shift)
    each = wide[0].permute(0, 2, 3, 1).unflatten(-1, (copies, channels))
    normal = F.layer_norm(each, (channels,), eps=1e-6).flatten(-2)
    expected = (normal * wide[1] + wide[2]).permute(0, 3, 1, 2)
    close(z, expected)
    got = torch.autograd.grad(z, (x, scale, shift), grad)
    for mine, right in zip(got, torch.autograd.grad(expected, wide, grad.double()), strict=True):
        close(mine, right)


def test_a_norm_of_float32_in_bfloat16():
    x = torch.randn(2, 4, 3, 3, requires_grad=True)
    scale, shift = torch.rand(2, 4)
    last = x.permute(0, 2, 3, 1)
    z = operators.layer_norm(last, scale, shift, 1e-6, 1, torch.bfloat16)
    assert z.dtype == torch.bfloat16
    right = F.layer_norm(last, (4,), scale, shift, 1e-6)
    close(z, right, 1e-2)
    grad = torch.randn(z.shape).bfloat16()
    (mine,) = torch.autograd.grad(z, x, grad)
    assert mine.dtype == torch.float32
    close(mine, torch.autograd.grad(right, x, grad.float())[0].double())


@pytest.mark.parametrize(
    "keep", [None, [[0.0], [2.0], [2.0]], [[0.0, 2.0], [2.0, 2.0], [2.0, 0.0]]]
)
def test_scale_and_residual(keep):
    generator = torch.Generator().manual_seed(0)
    x, branch = torch.randn(2, 3, 6, 2, 3, generator=generator, requires_grad=True).unbind()
    scale = torch.randn(6, generator=generator, requires_grad=True)
    factors = None if keep is None else torch.tensor(keep)
    y = kernels.add_scaled(x, branch, scale, factors)
    wide = leaves(x, branch, scale)
    wide[2] = wide[2].view(-1, 1, 1).detach().requires_grad_()
    factor = 1.0
    if factors is not None:
        factor = factors.double().repeat_interleave(6 // factors.shape[1], 1)[:, :, None, None]
    expected = wide[0] + wide[1] * wide[2] * factor
    close(y, expected)
    grad = torch.randn(y.shape, generator=generator)
    got = torch.autograd.grad(y, (x, branch, scale), grad)
    for mine, right in zip(got, torch.autograd.grad(expected, wide, grad.double()), strict=True):
        close(mine, right.view(mine.shape))


@pytest.mark.parametrize("training", [True, False])
def test_a_block_of_joined_kernels_equals_its_modules(monkeypatch, training):
    torch.manual_seed(0)
    branch = torch.nn.Sequential(
        DepthwiseConv2d(4, 4, 3, 1, 1, groups=4), modules.ChannelNorm(4),
        modules.PointwiseConv2d(4, 8, 1), modules.Gelu(), modules.PointwiseConv2d(8, 4, 1),
        modules.Scale(4, 1.0),
    )  # fmt: skip
    torch.nn.init.normal_(branch[-1].weight)
    torch.nn.init.normal_(branch[1].bias)
    identity = torch.nn.Identity()
    block = modules.ResidualBlock(branch, identity, identity, 0.5).train(training)
    x = torch.randn(4, 4, 3, 2, requires_grad=True)
    found = []
    for joined in (True, False):
        monkeypatch.setattr(kernels, "fuses", lambda x, joined=joined: joined)
        torch.manual_seed(1)
        with torch.set_grad_enabled(training):
            y = block(x)
        leaves = [x, *block.parameters()] if training else []
        found.append([y, *(torch.autograd.grad(y.square().sum(), leaves) if training else [])])
    for mine, right in zip(*found, strict=True):
        close(mine, right)


def test_torch_knows_the_operators():
    x = torch.randn(1, 2, 2, 3, requires_grad=True)
    vector = torch.randn(3, requires_grad=True)
    checks = ("test_schema", "test_faketensor", "test_autograd_registration")
    for operator, inputs in (
        (operators.depthwise, (x, torch.randn(9, 3, requires_grad=True), vector)),
        (operators.depthwise_weight_gradient, (x.detach(), x.detach(), 3)),
        (operators.layer_norm, (x, vector, vector, 1e-6, 1, torch.bfloat16)),
        (operators.add_scaled, (x, x, vector, None)),
    ):
        torch.library.opcheck(operator, inputs, test_utils=checks)
