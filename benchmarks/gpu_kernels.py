"""The Triton kernels on a GPU, beside cuDNN and torch's own: what `tiles.py` is set from.

    python benchmarks/gpu_kernels.py

Shapes: the four stages of ConvNeXt-T at 224 pixels (batch 128, bfloat16), and eight small
networks stacked (batch 64). Forward, input gradient and weight gradient, by cuDNN in channels_last
memory, by torch's own kernel in contiguous memory, and by ours with every tile; then what is fused
against its parts. Microseconds: medians over replays of a CUDA
graph of several calls; before, each result for a few images is compared with float64 (`!` and the
relative error where it is off). Prints a table, then one JSON line.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.network.kernels import launch, tiles
from nextify.network.kernels.tiles import Tile

SECONDS = 70.0  # after which what is left is left out
TOLERANCE = 1e-2  # of the relative norm, in bfloat16
CHECKED = 16  # images that are compared with float64
CALLS, REPLAYS = 8, 7


class Shape(NamedTuple):
    """A depthwise convolution of square maps, stride 1."""

    batch: int
    channels: int
    side: int
    kernel: int

    def __str__(self) -> str:
        return f"{self.batch}x{self.channels}x{self.side} k{self.kernel}"


TINY = [Shape(128, 96 * 2**at, 56 // 2**at, 7) for at in range(4)]
STACKED = [Shape(64, 8 * 24 * 2**at, 16 // 2**at, k) for k in (7, 3) for at in range(4)]
CONVOLVE = {
    7: [Tile(8, 32, 4), Tile(8, 32, 4, 396), Tile(4, 64, 4), Tile(8, 32, 8), Tile(16, 32, 8)],
    3: [Tile(16, 32, 4), Tile(8, 32, 4), Tile(8, 64, 4), Tile(16, 32, 4, 1056)],
}
CORRELATE = {
    7: [Tile(8, 32, 4, 396), Tile(4, 64, 4, 396), Tile(8, 32, 8, 264), Tile(8, 32, 4, 792)],
    3: [Tile(16, 32, 4, 792), Tile(8, 32, 4, 792), Tile(8, 32, 4, 1584)],
}

Calls = dict[str, Callable[[], Any]]


def microseconds(call: Callable[[], Any]) -> float:
    """Of one call, replayed in a CUDA graph."""
    call()
    torch.cuda.synchronize()
    began = time.perf_counter()
    call()
    torch.cuda.synchronize()
    slow = time.perf_counter() - began > 0.003
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(1 if slow else CALLS):
            call()
    graph.replay()
    times = []
    for _ in range(3 if slow else REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(1000 * start.elapsed_time(end) / (1 if slow else CALLS))
    return statistics.median(times)


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Of the norm of the difference; infinite where a value is not finite."""
    error = (got.double() - expected.double()).norm() / expected.double().norm()
    return float(error) if bool(torch.isfinite(error)) else float("inf")


class Bench:
    """The rows measured so far, until the time is up."""

    def __init__(self, seconds: float) -> None:
        self.rows: list[dict[str, Any]] = []
        self.until = time.perf_counter() + seconds

    def time(self, shape: str, what: str, calls: Calls, errors: dict[str, float]) -> None:
        """A line: each way to do the same, and its error beside it where it is off."""
        cells = []
        for name, call in calls.items():
            if time.perf_counter() > self.until:
                cells.append(f"{name} -")
                continue
            row: dict[str, Any] = {"shape": shape, "what": what, "how": name}
            try:
                row["us"] = round(microseconds(call), 2)
                row["error"] = errors.get(name)
                off = row["error"] is not None and row["error"] > TOLERANCE
                cells.append(f"{name} {row['us']:.1f}" + (f" !{row['error']:.1e}" if off else ""))
            except Exception as failure:  # one kernel that fails must not cost the others' figures
                row["failure"] = f"{type(failure).__name__}: {str(failure)[:300]}"
                cells.append(f"{name} FAILED {row['failure'][:120]}")
            self.rows.append(row)
        print(f"{shape:>16} {what:<8}", " | ".join(cells), flush=True)

    def check(self, calls: Calls, expected: Tensor) -> dict[str, float]:
        """The errors of results of a few images."""
        errors = {}
        for name, call in calls.items():
            try:
                errors[name] = relative_error(call(), expected)
            except Exception as failure:
                print(f"{name} FAILED {str(failure)[:500]}", flush=True)
                errors[name] = float("inf")
        return errors


def depthwise(bench: Bench, shape: Shape) -> None:
    """Forward, input gradient, weight gradient."""
    n, channels, side, k = shape
    generator = torch.Generator("cuda").manual_seed(0)
    make = {"device": "cuda", "generator": generator}
    x = torch.randn(n, side, side, channels, **make).bfloat16()
    grad = torch.randn(n, side, side, channels, **make).bfloat16()
    weight = torch.randn(channels, 1, k, k, **make) / k
    bias = torch.randn(channels, **make)

    def ways(of: str, x: Tensor, grad: Tensor) -> Calls:
        taps = weight.flatten(1).t().contiguous()
        narrow, low = weight.bfloat16(), bias.bfloat16()
        last, last_grad = x.permute(0, 3, 1, 2), grad.permute(0, 3, 1, 2)
        plain, plain_grad = last.contiguous(), last_grad.contiguous()

        def torchs(x: Tensor, grad: Tensor) -> Callable[[], Tensor]:
            if of == "forward":
                return lambda: F.conv2d(x, narrow, low, 1, k // 2, groups=channels)
            mask = [of == "input", of == "weight", False]
            how = [1] * 2, [k // 2] * 2, [1, 1], False, [0, 0], channels, mask
            backward = torch.ops.aten.convolution_backward
            return lambda: backward(grad, x, narrow, None, *how)[mask.index(True)]

        calls: Calls = {"cudnn": torchs(last, last_grad), "native": torchs(plain, plain_grad)}
        if side < 16:
            del calls["native"]
        for tile in (CORRELATE if of == "weight" else CONVOLVE)[k]:
            name = f"{tile.rows}x{tile.channels}/{tile.warps}/{tile.programs}"
            if of == "forward":
                calls[name] = lambda t=tile: launch.convolve(x, taps, bias, None, False, t)
            elif of == "input":
                calls[name] = lambda t=tile: launch.convolve(grad, taps, None, None, True, t)
            else:
                calls[name] = lambda t=tile: launch.correlate(x, grad, k, t)[0]
        return calls

    few = x[:CHECKED].contiguous(), grad[:CHECKED].contiguous()
    wide = few[0].double().permute(0, 3, 1, 2).requires_grad_()
    of_weight = weight.double().requires_grad_()
    y = F.conv2d(wide, of_weight, bias.double(), 1, k // 2, groups=channels)
    gradients = torch.autograd.grad(y, (wide, of_weight), few[1].double().permute(0, 3, 1, 2))
    expected = {
        "forward": y.detach(), "input": gradients[0], "weight": gradients[1].flatten(1)
    }  # fmt: skip
    for of, right in expected.items():
        errors = bench.check(
            {name: lambda c=call, r=right: like(c(), r) for name, call in ways(of, *few).items()},
            right,
        )
        bench.time(str(shape), of, ways(of, x, grad), errors)


def like(got: Tensor, right: Tensor) -> Tensor:
    """In the order of axes of `right`: maps (N, C, H, W), weights (C, k*k)."""
    if right.ndim == 2:
        return got.t() if got.ndim == 2 and got.shape != right.shape else got.reshape(right.shape)
    return got if got.shape == right.shape else got.permute(0, 3, 1, 2)


def rest(bench: Bench, shape: Shape) -> None:
    """The convolution with layer normalisation, its gradient, GELU, and layer scale."""
    n, channels, side, k = shape
    make = {"device": "cuda", "generator": torch.Generator("cuda").manual_seed(1)}
    x = torch.randn(n, side, side, channels, **make).bfloat16()
    grad = torch.randn(n, side, side, channels, **make).bfloat16()
    taps = torch.randn(k * k, channels, **make) / k
    bias, scale, shift = torch.randn(3, channels, **make).unbind()
    narrow = taps.t().reshape(channels, 1, k, k).bfloat16()
    tile, norm = tiles.convolve_tile(k, side, side, channels), tiles.norm_tile(channels)
    low_scale, low_shift, low_bias = (t.bfloat16() for t in (scale, shift, bias))
    size, eps = (channels,), 1e-6

    def by_torch() -> Tensor:
        y = F.conv2d(x.permute(0, 3, 1, 2), narrow, low_bias, 1, k // 2, groups=channels)
        return F.layer_norm(y.permute(0, 2, 3, 1), size, low_scale, low_shift, eps)

    def parts() -> Tensor:
        y = launch.convolve(x, taps, bias, None, False, tile)
        return launch.normalise(y, scale, shift, eps, norm)

    def fused(keep: bool) -> Tensor:
        tile = tiles.fused_tile(channels)
        return launch.convolve_and_normalise(x, taps, bias, scale, shift, eps, keep, tile)[1]

    right = F.layer_norm(
        F.conv2d(
            x.double().permute(0, 3, 1, 2), taps.double().t().reshape(-1, 1, k, k), bias.double(),
            1, k // 2, groups=channels,
        ).permute(0, 2, 3, 1),
        size, scale.double(), shift.double(), eps,
    )  # fmt: skip
    calls: Calls = {"torch": by_torch, "parts": parts, "fused": lambda: fused(False)}
    calls["fused+y"] = lambda: fused(True)
    bench.time(str(shape), "dw+norm", calls, bench.check(calls, right))
    normalise(bench, shape, x, grad, scale, shift)
    scaled(bench, shape, x, grad, scale)


def normalise(
    bench: Bench, shape: Shape, x: Tensor, grad: Tensor, scale: Tensor, shift: Tensor
) -> None:
    """Layer normalisation alone, forward and backward, and GELU of four times the channels."""
    norm, size, eps = tiles.norm_tile(shape.channels), (shape.channels,), 1e-6
    low_scale, low_shift = scale.bfloat16(), shift.bfloat16()
    calls: Calls = {
        "torch": lambda: F.layer_norm(x, size, low_scale, low_shift, eps),
        "ours": lambda: launch.normalise(x, scale, shift, eps, norm),
    }
    right = F.layer_norm(x.double(), size, scale.double(), shift.double(), eps)
    bench.time(str(shape), "norm", calls, bench.check(calls, right))
    _, mean, rate = torch.native_layer_norm(x, size, low_scale, low_shift, eps)
    backward = torch.ops.aten.native_layer_norm_backward
    calls = {
        "torch": lambda: backward(
            grad, x, size, mean, rate, low_scale, low_shift, [True, True, True]
        )[0],
        "ours": lambda: launch.normalise_backward(x, scale, grad, eps, norm)[0],
    }
    wide = x.double().requires_grad_()
    y = F.layer_norm(wide, size, scale.double(), shift.double(), eps)
    (right,) = torch.autograd.grad(y, wide, grad.double())
    bench.time(str(shape), "norm bwd", calls, bench.check(calls, right))
    hidden, above = x.repeat(1, 1, 1, 4), grad.repeat(1, 1, 1, 4)
    calls = {"torch": lambda: F.gelu(hidden), "ours": lambda: launch.gelu(hidden)}
    bench.time(str(shape), "gelu", calls, bench.check(calls, F.gelu(hidden.double())))
    calls = {
        "torch": lambda: torch.ops.aten.gelu_backward(above, hidden),
        "ours": lambda: launch.gelu_backward(hidden, above),
    }
    right = torch.ops.aten.gelu_backward(above.double(), hidden.double())
    bench.time(str(shape), "gelu bwd", calls, bench.check(calls, right))


def scaled(bench: Bench, shape: Shape, branch: Tensor, grad: Tensor, scale: Tensor) -> None:
    """Layer scale, stochastic depth and a residual stream in float32."""
    tile = tiles.scale_tile(shape.channels)
    x = grad.float()
    keep = (torch.arange(shape.batch, device="cuda") % 2).float() * 2
    factor = keep.view(-1, 1, 1, 1)
    calls: Calls = {
        "torch": lambda: x + (branch * scale) * factor,
        "ours": lambda: launch.add_scaled(x, branch, scale, keep, tile),
    }
    right = x.double() + branch.double() * scale.double() * factor.double()
    bench.time(str(shape), "scale", calls, bench.check(calls, right))
    calls = {
        "ours": lambda: launch.add_scaled_backward(branch, scale, keep, x, tile)[1],
    }
    right = (x.double() * factor * branch.double()).sum((0, 1, 2))
    bench.time(str(shape), "scalebwd", calls, bench.check(calls, right))


def copy_bandwidth() -> float:
    """Gigabytes a second, read and written."""
    source = torch.empty(2**29, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() / microseconds(lambda: target.copy_(source)) / 1e3


def measure_kernels(seconds: float = SECONDS) -> dict[str, Any]:
    """Print the table; everything measured, with card and versions."""
    import triton

    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    bench, began = Bench(seconds), time.perf_counter()
    copied = copy_bandwidth()
    print(f"copy {copied:.0f} GB/s; microseconds; ours: rows x channels / warps / programs")
    for shape in TINY:
        depthwise(bench, shape)
    rest(bench, TINY[0])
    for shape in STACKED:
        depthwise(bench, shape)
    for shape in TINY[1:]:
        rest(bench, shape)
    torch.backends.cudnn.benchmark = before
    return {
        "card": torch.cuda.get_device_name(), "torch": torch.__version__,
        "triton": triton.__version__, "cudnn": torch.backends.cudnn.version(),
        "copy_gb_s": round(copied), "seconds": round(time.perf_counter() - began, 1),
        "rows": bench.rows,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure_kernels()))
