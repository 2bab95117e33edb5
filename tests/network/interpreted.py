"""All kernels under Triton's interpreter, against float64: run by test_kernels.py in a process of
its own, for Triton reads TRITON_INTERPRET when it is first imported."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from nextify.designs import design
from nextify.network import build, kernels, modules
from nextify.network.depthwise import DepthwiseConv2d
from nextify.network.kernels import launch, operators
from nextify.network.kernels.tiles import Tile
from nextify.probes.curvature import largest_eigenvalues

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import gpu_kernel_speed
import gpu_kernels
import gpu_several_rows


def close(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    assert (got.double() - expected).norm() <= tolerance * expected.norm()


def leaves(*tensors):
    """The same, as leaves in float64."""
    return [t.detach().double().requires_grad_() for t in tensors]


@pytest.mark.parametrize(
    ("n", "channels", "height", "width", "kernel"),
    [(2, 5, 5, 3, 3), (1, 2, 2, 2, 7), (2, 33, 3, 4, 5), (1, 3, 4, 6, 7), (2, 3, 1, 1, 7),
     (1, 2, 2, 3, 11), (1, 3, 3, 5, 9), (1, 3, 9, 10, 9), (1, 1, 12, 11, 11)],
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
    tile = Tile(rows=2, channels=4, warps=1, resident=programs)
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


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (33, 130)])
def test_gelu(shape):
    x, grad = 3 * torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    (wide,) = leaves(x)
    right = F.gelu(wide)
    close(launch.gelu(x), right, 1e-6)
    (expected,) = torch.autograd.grad(right, wide, grad.double())
    sums = launch.gelu_backward(x, grad, Tile(2, 64, 1, 4))
    close(grad, expected, 1e-6)
    close(sums, expected.sum(0))


def test_gelu_of_the_largest_and_of_what_is_no_number():
    y = launch.gelu(torch.tensor([-1e15, -0.0, 1e15, torch.inf, torch.nan]))
    assert torch.equal(y[:4], torch.tensor([0.0, 0.0, 1e15, torch.inf])) and y[4].isnan()


@pytest.mark.parametrize(("height", "width", "kernel"), [(3, 5, 3), (2, 2, 7), (4, 6, 7)])
def test_a_convolution_that_casts_and_adds(height, width, kernel):
    generator = torch.Generator().manual_seed(0)
    narrow = torch.bfloat16
    x, rest = torch.randn(2, 2, height, width, 5, generator=generator).to(narrow)
    taps = torch.randn(kernel**2, 5, generator=generator)
    tile, copy = Tile(2, 4, 1, 2), torch.empty_like(x)
    plain = launch.convolve(x.float(), taps, None, True, tile).double()
    y = launch.convolve(x.float(), taps, None, True, tile, copy=copy, dtype=narrow)
    assert torch.equal(copy, x) and y.dtype == narrow
    close(y, plain, 1e-2)
    close(launch.convolve(x, taps, None, True, tile, rest=rest.float(), dtype=torch.float32),
          rest + plain)  # fmt: skip


@pytest.mark.parametrize(
    ("own", "n", "height", "width", "channels", "kernel"),
    [(4, 2, 7, 5, 5, 7), (2, 1, 8, 3, 3, 7), (4, 2, 3, 2, 4, 7), (4, 2, 5, 6, 3, 3),
     (1, 1, 4, 4, 2, 5)],
)  # fmt: skip
@pytest.mark.parametrize("flip", [False, True])
def test_the_candidate_with_several_rows_a_thread(own, n, height, width, channels, kernel, flip):
    """Which benchmarks/gpu_kernels.py measures."""
    generator = torch.Generator().manual_seed(own)
    x, rest = torch.randn(2, n, height, width, channels, generator=generator)
    taps = torch.randn(kernel**2, channels, generator=generator)
    bias, copy = torch.randn(channels, generator=generator), torch.full_like(x, torch.nan)
    given, tile = (x, taps, bias, flip), Tile(2, 4, 1, 2)
    y = gpu_several_rows.convolved(*given, own, tile, rest=rest, copy=copy)
    weight = taps.double().t().reshape(channels, 1, kernel, kernel)
    weight = weight.flip(2, 3) if flip else weight
    maps = x.permute(0, 3, 1, 2).double()
    right = F.conv2d(maps, weight, bias.double(), padding=kernel // 2, groups=channels)
    close(y, right.permute(0, 2, 3, 1) + rest)
    assert torch.equal(copy, x)


def test_what_the_benchmark_compares_is_the_same(monkeypatch):
    """Every way of every operator of benchmarks/gpu_kernels.py, without the times."""
    found = {}

    class Untimed(gpu_kernels.Bench):
        def time(self, shape, what, calls, errors):
            found[what] = set(calls)
            assert max(errors.values()) <= gpu_kernels.TOLERANCE, (what, errors)
            for call in calls.values():
                call()

    monkeypatch.setattr(gpu_kernels, "DEVICE", "cpu")
    bench, shape = Untimed(60.0), gpu_kernels.Shape(1, 6, 3, 7)
    for measure in (gpu_kernels.in_a_step, gpu_kernels.depthwise, gpu_kernels.activation):
        measure(bench, shape)
    for measure in (gpu_kernels.normalise, gpu_kernels.scaled):
        measure(bench, shape, 2)
    candidates = set(gpu_several_rows.WAYS)
    assert all(name.startswith(gpu_kernel_speed.CANDIDATE) for name in candidates)
    assert all(candidates < found[of] for of in ("forward", "input", "step fwd", "step inp"))
    assert {"gelu", "gelu bwd", "weight", "norm", "norm bwd", "scale", "scalebwd"} < set(found)


def test_the_gradient_of_a_bias_at_the_end_of_a_branch():
    branch, grad = torch.randn(2, 3, 2, 3, 6, generator=torch.Generator().manual_seed(0))
    scale, keep = torch.randn(6), torch.tensor([0.0, 2.0, 1.0])
    of_branch, sums = launch.add_scaled_backward(branch, scale, keep, grad, Tile(2, 8, 1, 2))
    close(sums[1], of_branch.double().sum((0, 1, 2)))


def convnext(channels, kernel, drop):
    """A block with no parameter at a special value."""
    torch.manual_seed(0)
    branch = torch.nn.Sequential(
        DepthwiseConv2d(channels, channels, kernel, 1, kernel // 2, groups=channels),
        modules.ChannelNorm(channels), modules.PointwiseConv2d(channels, 4 * channels, 1),
        modules.Gelu(), modules.PointwiseConv2d(4 * channels, channels, 1),
        modules.Scale(channels, 1.0),
    )  # fmt: skip
    for parameters in (branch[1].weight, branch[1].bias, branch[-1].weight):
        torch.nn.init.normal_(parameters)
    return modules.ResidualBlock(branch, torch.nn.Sequential(), torch.nn.Sequential(), drop)


def outputs(block, x, training):
    """What it computes, and in training the gradients of its input and parameters."""
    torch.manual_seed(1)
    block, x = block.train(training), x.detach().requires_grad_()
    with torch.set_grad_enabled(training):
        y = block(x)
    asked = [x, *(p for p in block.parameters() if p.requires_grad)]
    return [y, *(torch.autograd.grad(y.square().sum(), asked) if training else [])]


@pytest.fixture(params=["joined", "one function"])
def fused(request, monkeypatch):
    monkeypatch.setattr(kernels, "fuses", lambda x: x.dtype != torch.float64)
    serves = request.param == "one function"
    monkeypatch.setattr(kernels, "serves_block", lambda x, kernel: serves)
    return request.param


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("n", "channels", "height", "width", "kernel", "drop"),
    [(4, 4, 3, 2, 3, 0.5), (1, 5, 4, 3, 7, 0.0), (3, 6, 1, 2, 5, 0.3)],
)
def test_a_fused_block_equals_its_modules(
    fused, training, n, channels, height, width, kernel, drop
):
    block = convnext(channels, kernel, drop)
    x = torch.randn(n, channels, height, width)
    mine = outputs(block, x, training)
    for one, right in zip(mine, outputs(block.double(), x.double(), training), strict=True):
        close(one, right)


def test_a_block_is_one_function_only_where_it_may(monkeypatch):
    monkeypatch.setattr(kernels, "fuses", lambda x: True)
    monkeypatch.setattr(kernels, "serves_block", lambda x, kernel: True)
    asked, block, x = [], convnext(4, 3, 0.0), torch.randn(1, 4, 2, 2)
    run = kernels.block
    monkeypatch.setattr(kernels, "block", lambda *given: asked.append(1) or run(*given))
    block(x)
    hook = block.branch[2].register_forward_hook(lambda *_: None)
    block(x)
    hook.remove()
    block.branch[3] = torch.nn.ReLU()
    block(x)
    assert asked == [1]


@pytest.mark.parametrize("stream", [torch.float32, torch.bfloat16])
def test_a_block_in_bfloat16_between_a_stream_of_its_own_type(monkeypatch, stream):
    monkeypatch.setattr(kernels, "fuses", lambda x: x.dtype != torch.float64)
    monkeypatch.setattr(kernels, "serves_block", lambda x, kernel: True)
    monkeypatch.setattr(kernels, "precision", lambda x: torch.bfloat16)
    block = convnext(6, 3, 0.4)
    x = torch.randn(3, 6, 3, 4).to(stream)
    mine = outputs(block, x, True)
    judged = outputs(block, x, False)
    assert [one.dtype for one in mine] == [torch.float32, stream, *[torch.float32] * 9]
    for one, right in zip(mine, outputs(block.double(), x.double(), True), strict=True):
        close(one, right, 2e-2)
    close(judged[0], outputs(block, x.double(), False)[0], 1e-2)


def test_a_frozen_block_has_the_gradient_of_its_input_and_a_shared_one_of_both_uses(fused):
    block = convnext(4, 3, 0.0)
    twice, x = torch.nn.Sequential(block, block), torch.randn(2, 4, 3, 3)
    mine = outputs(twice, x, True)
    for one, right in zip(mine, outputs(twice.double(), x.double(), True), strict=True):
        close(one, right)
    block.float().requires_grad_(False)
    block.branch[4].weight.requires_grad_()
    mine = outputs(block, x, True)
    assert len(mine) == 3
    for one, right in zip(mine, outputs(block.double(), x.double(), True), strict=True):
        close(one, right)


def test_forward_mode_and_gradients_of_gradients_leave_the_kernels_out(monkeypatch):
    """Forward mode would find no slope behind a kernel, and say nothing."""
    monkeypatch.setattr(kernels, "has_kernels", lambda x: True)
    block = convnext(4, 7, 0.0).eval().requires_grad_(False)
    x, along = torch.randn(2, 2, 4, 8, 8).unbind()
    assert kernels.fuses(x) and kernels.serves(x, 7, 1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch's own forward mode
        _, slope = torch.func.jvp(block, (x,), (along,))
        _, right = torch.func.jvp(block.double(), (x.double(),), (along.double(),))
    assert right.norm() > 1
    close(slope, right)
    small = replace(design("convnext-mini"), depths=(1,), widths=(2,))
    network = build(small, 3, image_size=8, seed=0).eval()
    given = network, torch.randn(4, 3, 8, 8), torch.arange(4) % 3
    mine = largest_eigenvalues(*given, count=1, l2=0.0, seed=0)
    monkeypatch.setattr(kernels, "has_kernels", lambda x: False)
    assert mine == largest_eigenvalues(*given, count=1, l2=0.0, seed=0)


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
