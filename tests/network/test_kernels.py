"""The Triton kernels: under the interpreter here, and on a GPU where there is one."""

import copy
import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import nextify as nx
from nextify.network import kernels, modules
from nextify.network.depthwise import DepthwiseConv2d
from nextify.network.kernels import operators, tiles

gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not kernels.available(), reason="no GPU that Triton can use"),
]
WIDE, NARROW = torch.float32, torch.bfloat16
SMALL = (7, 192, 16, 16, 3)
SHAPES = [(SMALL, NARROW), ((16, 96, 56, 56, 7), NARROW), ((5, 40, 9, 13, 7), NARROW),
          ((5, 40, 9, 13, 7), WIDE), ((3, 24, 2, 2, 7), WIDE),
          ((2, 20, 12, 30, 11), NARROW)]  # fmt: skip


@pytest.mark.skipif(find_spec("triton") is None, reason="no triton")
def test_all_kernels_in_the_interpreter():
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-W", "ignore::DeprecationWarning"]  # of numpy, in Triton's interpreter
    done = subprocess.run(
        [*command, str(here / "interpreted.py")], capture_output=True, text=True,
        env={**os.environ, "TRITON_INTERPRET": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


def test_a_machine_without_a_gpu_uses_none():
    x = torch.zeros(1, 3, 8, 8)
    assert not kernels.serves(x, 7, 1)


CARDS = """
    import torch
    from nextify.network import kernels

    is_available, torch.cuda.is_available = torch.cuda.is_available, lambda: True
    torch.cuda.current_device = lambda: 1
    torch.cuda.get_device_capability = lambda card: {0: (9, 0), 1: (7, 5)}[card]
    assert [kernels.available(card) for card in (0, 1, None, 0)] == [True, False, False, True]

    torch.cuda.is_available = is_available  # torch.compile asks a card that is there for more

    def asked(x):
        return x + 1 if kernels.available(0) else x - 1

    assert torch.compile(asked, backend="eager", fullgraph=True)(torch.zeros(1)) == 1
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="no triton")
def test_each_card_is_asked_for_itself():
    """And `torch.compile` takes the answer as it is."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(CARDS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_without_triton_a_network_trains_as_before():
    code = """
        import sys
        sys.modules["triton"] = None  # as if it were not installed
        import torch, nextify as nx
        network = nx.build(nx.path("small").steps[-1].design, 2)
        network(torch.zeros(2, 3, 32, 32)).sum().backward()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9, 11])
@pytest.mark.parametrize("side", [1, 2, 3, 8, 56])
@pytest.mark.parametrize("channels", [1, 24, 96, 1024])
def test_tiles_are_powers_of_two_and_hold_the_taps_in_registers(kernel, side, channels):
    for choose in (tiles.convolve_tile, tiles.correlate_tile):
        tile = choose(kernel, side, side, channels)
        assert tile.rows & (tile.rows - 1) == 0 and tile.channels & (tile.channels - 1) == 0
        held = tile.rows * tile.channels // (32 * tile.warps)
        assert held * tiles.reachable(kernel, side) ** 2 <= 121


H100, A100, RTX4090 = 132, 108, 128  # multiprocessors


@pytest.mark.parametrize(
    ("tile", "on_h100", "on_a100", "on_4090"),
    [
        (tiles.convolve_tile(7, 56, 56, 96), 396, 324, 384),
        (tiles.correlate_tile(7, 56, 56, 96), 396, 324, 384),
        (tiles.correlate_tile(3, 16, 16, 192), 396, 324, 384),
        (tiles.convolve_tile(7, 16, 16, 40), 264, 216, 256),
        (tiles.norm_tile(96), 528, 432, 512),
        (tiles.scale_tile(384), 1056, 864, 1024),
    ],
)
def test_as_many_programs_as_a_card_takes_at_once(tile, on_h100, on_a100, on_4090):
    """Those of an H100 were measured; one more than fit would take another round of them all."""
    found = [tile.programs(10**6, 1, processors) for processors in (H100, A100, RTX4090)]
    assert found == [on_h100, on_a100, on_4090]
    assert tile.programs(10**6, 3, H100) == on_h100 // 3
    assert tile.programs(1, 3, H100) == 1


def pair(shape, dtype):
    """Our layer and torch's in float64, of the same weights, an input and a gradient."""
    n, channels, height, width, kernel = shape
    torch.manual_seed(0)
    how = (channels, channels, kernel, 1, kernel // 2)
    ours = DepthwiseConv2d(*how, groups=channels).cuda()
    plain = torch.nn.Conv2d(*how, groups=channels).cuda().double()
    plain.load_state_dict(ours.state_dict())
    x, grad = torch.randn(2, n, channels, height, width, device="cuda").to(dtype).unbind()
    return ours, plain, *(t.contiguous(memory_format=torch.channels_last) for t in (x, grad))


def gradients(layer, x, grad):
    """The output, and the gradients of the input and the parameters."""
    x = x.detach().requires_grad_()
    y = layer(x)
    return [y.detach(), *torch.autograd.grad(y, [x, *layer.parameters()], grad)]


class TestOnGpu:
    """Against float64, again and again, in a graph, and compiled."""

    pytestmark = gpu

    @pytest.fixture(autouse=True)
    def _determined(self):  # cuDNN's weight gradient, too
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            yield

    @pytest.mark.parametrize(("shape", "dtype"), SHAPES)
    def test_gradients(self, shape, dtype):
        ours, plain, x, grad = pair(shape, dtype)
        assert kernels.serves(x, shape[-1], 1)
        poison = [torch.full_like(x, torch.nan) for _ in range(8)]
        del poison  # what comes from freed memory is no longer zero by luck
        with torch.autocast("cuda", NARROW, enabled=dtype == NARROW):
            got = gradients(ours, x, grad)
            again = gradients(ours, x, grad)
        expected = gradients(plain, x.double(), grad.double())
        tolerance = 1e-5 if dtype == WIDE else 1e-2
        for mine, repeated, right in zip(got, again, expected, strict=True):
            assert torch.equal(mine, repeated)
            assert (mine.double() - right).norm() <= tolerance * right.norm()
        assert got[0].dtype == dtype and got[2].dtype == torch.float32

    def test_a_captured_graph_repeats_it(self):
        ours, _, x, grad = pair(SMALL, NARROW)

        def step():
            with torch.autocast("cuda", NARROW):
                return gradients(ours, x, grad)

        step()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = step()
        x.copy_(torch.randn_like(x))
        graph.replay()
        for mine, right in zip(captured, step(), strict=True):
            assert torch.equal(mine, right)

    def test_compiled_equals_eager(self):
        ours, _, x, grad = pair((5, 40, 9, 13, 7), WIDE)
        block = torch.nn.Sequential(ours, torch.nn.GELU())
        eager, compiled = (
            gradients(block, x, grad),
            gradients(torch.compile(block, backend="aot_eager"), x, grad),
        )
        for mine, right in zip(compiled, eager, strict=True):
            assert (mine - right).norm() <= 1e-5 * right.norm()

    def test_a_network_in_bfloat16(self):
        design = nx.path("small").steps[-1].design
        networks = [nx.build(design, 10, seed=0, device="cuda") for _ in range(2)]
        images = torch.randn(16, 3, 32, 32, device="cuda")
        with torch.autocast("cuda", NARROW):
            logits = networks[0](images)
            with torch.inference_mode():
                judged = networks[0].eval()(images)
        right = networks[1].double()(images.double())
        found = []
        for network, out in zip(networks, (logits, right), strict=True):
            out.float().logsumexp(1).sum().backward()
            found.append([out, *(p.grad for p in network.parameters())])
        assert (judged.double() - right).norm() <= 3e-2 * right.norm()
        for mine, other in zip(*found, strict=True):
            assert (mine.double() - other.double()).norm() <= 0.1 * other.norm()

    @pytest.mark.parametrize(("copies", "channels"), [(1, 96), (1, 200), (8, 24)])
    def test_norm_and_scale(self, copies, channels):
        make = {"device": "cuda", "generator": torch.Generator("cuda").manual_seed(0)}
        x, grad = torch.randn(2, 6, 7, 9, copies * channels, **make).bfloat16().unbind()
        scale, shift = torch.randn(2, copies * channels, **make).unbind()
        keep = 2.0 * (torch.arange(6 * copies, device="cuda") % 3 > 0).view(6, copies)
        factors = keep.repeat_interleave(channels, 1).view(6, 1, 1, -1)

        def norm(x, scale, shift):
            each = F.layer_norm(x.unflatten(-1, (copies, channels)), (channels,), eps=1e-6)
            return each.flatten(-2) * scale + shift

        for ours, plain, inputs in (
            (lambda *a: operators.layer_norm(*a, 1e-6, copies, NARROW), norm, (x, scale, shift)),
            (lambda x, b, s: operators.add_scaled(x, b, s, keep.flatten()),
             lambda x, b, s: x + b * s * factors, (grad.float(), x, scale)),
        ):  # fmt: skip
            mine = [t.detach().requires_grad_() for t in inputs]
            wide = [t.detach().double().requires_grad_() for t in inputs]
            y, right = ours(*mine), plain(*wide)
            got = [y, *torch.autograd.grad(y, mine, grad.to(y.dtype))]
            expected = [right, *torch.autograd.grad(right, wide, grad.double())]
            for one, other in zip(got, expected, strict=True):
                assert (one.double() - other).norm() <= 1e-2 * other.norm()

    @pytest.mark.parametrize("stream", [WIDE, NARROW])
    def test_a_block_as_one_function(self, monkeypatch, stream):
        block, x, grad = convnext_block(stream)
        asked, run = [], kernels.block
        monkeypatch.setattr(kernels, "block", lambda *given: asked.append(1) or run(*given))
        got, again = trained(block, x, grad), trained(block, x, grad)
        assert asked == [1, 1] and (got[0].dtype, got[1].dtype) == (WIDE, stream)
        with torch.inference_mode(), torch.autocast("cuda", NARROW):
            judged = block(x)
        assert (judged - got[0]).norm() <= 1e-3 * got[0].norm()
        expected = trained(copy.deepcopy(block).double(), x.double(), grad.double())
        for mine, repeated, right in zip(got, again, expected, strict=True):
            assert torch.equal(mine, repeated)
            assert (mine.double() - right).norm() <= 2e-2 * right.norm()

    def test_a_captured_block_repeats_it(self):
        block, x, grad = convnext_block(WIDE)
        block.drop.probability, block.drop.generator = 0.5, Halves(None)
        trained(block, x, grad)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = trained(block, x, grad)
        x.copy_(torch.randn_like(x))
        graph.replay()
        found = [one.clone() for one in captured]
        graph.replay()
        for mine, again, right in zip(captured, found, trained(block, x, grad), strict=True):
            assert torch.equal(mine, again)
            assert (mine - right).norm() <= 1e-2 * right.norm()
        assert torch.equal(found[0][0], x[0]) and not torch.equal(found[0][1], x[1])


class Halves(modules.Draws):
    """Draws that drop every other image, the first one first."""

    def take(self, count):
        return 1.0 - torch.arange(count, device="cuda") % 2


def convnext_block(stream):
    """A block of ConvNeXt with nothing at a special value, a map for it, and a gradient."""
    torch.manual_seed(0)
    network = nx.build(nx.path("small").steps[-1].design, 10, device="cuda")
    block = network.stages[1].blocks[0]
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=1.0 if parameter.ndim == 1 else 0.1)
    x, grad = torch.randn(2, 5, len(block.branch[-1].weight), 9, 14, device="cuda")
    return block, x.to(stream).contiguous(memory_format=torch.channels_last), grad


def trained(block, x, grad):
    """The output in mixed precision, and the gradients of the input and the parameters."""
    x = x.detach().requires_grad_()
    with torch.autocast("cuda", NARROW, enabled=x.dtype != torch.float64, cache_enabled=False):
        y = block(x)
    return [y.detach(), *torch.autograd.grad(y, [x, *block.parameters()], grad)]
