"""The Triton kernels on a GPU, beside cuDNN and torch's own: what `tiles.py` is set from.

    python benchmarks/gpu_kernels.py

Shapes: the four stages of ConvNeXt-T at 224 pixels (batch 128, bfloat16), and eight small
networks stacked (batch 64). Forward, input gradient and gradients of weight and bias, by torch in
channels_last memory (cuDNN in bfloat16), by ours, the weight's with several tiles, and by what
might be ours (gpu_several_rows.py): by itself, and as a block in mixed precision runs it ("step");
then GELU, normalisation and layer scale. Microseconds: medians over replays of a CUDA graph of
several calls; before, each result for a few images is compared with float64 (`!` and the relative
error where it is off). Prints a table, then one JSON line.
"""

import json
import statistics
import time
from collections.abc import Callable
from math import isqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from gpu_several_rows import WAYS, convolved
from torch import Tensor

from nextify.network.kernels import launch, tiles
from nextify.network.kernels.tiles import Tile

DEVICE = "cuda"
SECONDS = 50.0  # after which what is left is left out
TOLERANCE = 1e-2  # of the relative norm, in bfloat16
CHECKED = 4  # images that are compared with float64
CALLS, REPLAYS = 8, 7


class Shape(NamedTuple):
    """A depthwise convolution of square maps, stride 1."""

    batch: int
    channels: int
    side: int
    kernel: int
    dtype: torch.dtype = torch.bfloat16

    def __str__(self) -> str:
        kind = "" if self.dtype == torch.bfloat16 else " float32"
        return f"{self.batch}x{self.channels}x{self.side} k{self.kernel}{kind}"


TINY = [Shape(128, 96 * 2**at, 56 // 2**at, 7) for at in range(4)]
STACKED = [Shape(64, 8 * 24 * 2**at, 16 // 2**at, k) for k in (7, 3) for at in range(4)]
WIDE = [Shape(64, 48, 14, 7, torch.float32), Shape(64, 48, 14, 3, torch.float32)]
CORRELATE = {
    7: [Tile(8, 32, 4, 3), Tile(8, 32, 4, 2), Tile(4, 32, 2, 6), Tile(1, 64, 1, 8)],
    3: [Tile(8, 64, 4, 3), Tile(8, 64, 4, 2), Tile(1, 64, 1, 8)],
}
NORM_BACKWARD = [(2048, 4), (1024, 8), (1024, 4)]  # elements at a time, programs of a processor

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
        print(f"{shape:>20} {what:<8}", " | ".join(cells), flush=True)

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
    """Forward, input gradient, gradients of weight and bias."""
    n, channels, side, k, dtype = shape
    make = {"device": DEVICE, "generator": torch.Generator(DEVICE).manual_seed(0)}
    x, grad = torch.randn(2, n, side, side, channels, **make).to(dtype).unbind()
    weight, bias = torch.randn(channels, 1, k, k, **make) / k, torch.randn(channels, **make)
    few = x[:CHECKED].contiguous(), grad[:CHECKED].contiguous()
    wide = few[0].double().permute(0, 3, 1, 2).requires_grad_()
    of_weight = weight.double().requires_grad_()
    y = F.conv2d(wide, of_weight, bias.double(), 1, k // 2, groups=channels)
    gradients = torch.autograd.grad(y, (wide, of_weight), few[1].double().permute(0, 3, 1, 2))
    expected = {"forward": y.detach(), "input": gradients[0], "weight": gradients[1].flatten(1)}
    for of, right in expected.items():
        errors = bench.check(
            {
                name: lambda c=call, r=right: like(c(), r)
                for name, call in ways(of, *few, weight, bias).items()
            },
            right,
        )
        bench.time(str(shape), of, ways(of, x, grad, weight, bias), errors)


def ways(of: str, x: Tensor, grad: Tensor, weight: Tensor, bias: Tensor) -> Calls:
    """torch's operator and ours; of the weight's gradient with all tiles."""
    channels, k = weight.shape[0], weight.shape[-1]
    taps = weight.flatten(1).t().contiguous()
    narrow, low = weight.to(x.dtype), bias.to(x.dtype)
    last, last_grad = x.permute(0, 3, 1, 2), grad.permute(0, 3, 1, 2)
    masks = {"input": [True, False, False], "weight": [False, True, True]}

    def torchs() -> Tensor:
        if of == "forward":
            return F.conv2d(last, narrow, low, 1, k // 2, groups=channels)
        how = [1] * 2, [k // 2] * 2, [1, 1], False, [0, 0], channels, masks[of]
        found = torch.ops.aten.convolution_backward(last_grad, last, narrow, [channels], *how)
        result: Tensor = found[masks[of].index(True)]
        return result

    calls: Calls = {"cudnn": torchs}
    tile = tiles.convolve_tile(k, *x.shape[1:])
    if of == "forward":
        calls["ours"] = lambda: launch.convolve(x, taps, bias, False, tile)
        calls |= candidates(x, taps, bias, False)
    elif of == "input":
        calls["ours"] = lambda: launch.convolve(grad, taps, None, True, tile)
        calls |= candidates(grad, taps, None, True)
    else:
        for tile_ in CORRELATE[k]:
            name = f"{tile_.rows}x{tile_.channels}/{tile_.warps}/{tile_.resident}"
            calls[name] = lambda t=tile_: launch.correlate(x, grad, k, t)[:-1]
    return calls


def candidates(x: Tensor, taps: Tensor, bias: Tensor | None, flip: bool, **more: Any) -> Calls:
    """Kernels that are not used, for want of a measurement: of 7 x 7, which is not bound by
    memory."""
    if isqrt(len(taps)) != 7:
        return {}
    return {
        name: lambda w=way: convolved(x, taps, bias, flip, w.rows, w.tile(x.shape[-1]), **more)
        for name, way in WAYS.items()
    }


def in_a_step(bench: Bench, shape: Shape) -> None:
    """The convolution as a block runs it in mixed precision: forward from a stream in float32, of
    which it keeps a copy in bfloat16; back into it, added to the gradient that goes past."""
    n, channels, side, k, _ = shape
    make = {"device": DEVICE, "generator": torch.Generator(DEVICE).manual_seed(3)}
    x, rest = torch.randn(2, n, side, side, channels, **make).unbind()
    weight, bias = torch.randn(channels, 1, k, k, **make) / k, torch.randn(channels, **make)
    few, some = x[:CHECKED].contiguous(), rest[:CHECKED].contiguous()
    how = {"padding": k // 2, "groups": channels}
    wide = few.permute(0, 3, 1, 2).double()
    forward = F.conv2d(wide, weight.double(), bias.double(), **how)
    input_ = F.conv_transpose2d(wide, weight.double(), **how) + some.permute(0, 3, 1, 2)
    for of, right in (("step fwd", forward), ("step inp", input_)):
        calls = ways_in_a_step(of, few, some, weight, bias)
        checked = {name: lambda c=call, r=right: like(c(), r) for name, call in calls.items()}
        errors = bench.check(checked, right)
        bench.time(str(shape), of, ways_in_a_step(of, x, rest, weight, bias), errors)


def ways_in_a_step(of: str, x: Tensor, rest: Tensor, weight: Tensor, bias: Tensor) -> Calls:
    """torch's operators, ours and those that might be; x stands for the gradient, too."""
    channels, k = weight.shape[0], weight.shape[-1]
    low, narrow = x.bfloat16(), weight.bfloat16()
    taps, tile = weight.flatten(1).t().contiguous(), tiles.convolve_tile(k, *x.shape[1:])
    if of == "step fwd":
        more = {"copy": torch.empty_like(low), "dtype": torch.bfloat16}
        given: tuple[Any, ...] = (x, taps, bias, False)

        def torchs() -> Tensor:
            last = x.bfloat16().permute(0, 3, 1, 2)
            return F.conv2d(last, narrow, bias.bfloat16(), 1, k // 2, groups=channels)
    else:
        more = {"rest": rest, "dtype": torch.float32}
        given = (low, taps, None, True)
        last, aside = low.permute(0, 3, 1, 2), rest.permute(0, 3, 1, 2)
        how = [1] * 2, [k // 2] * 2, [1, 1], False, [0, 0], channels, [True, False, False]

        def torchs() -> Tensor:
            below = torch.ops.aten.convolution_backward(last, last, narrow, [channels], *how)
            return aside + below[0]  # type: ignore[no-any-return]

    ours = {"ours": lambda: launch.convolve(*given, tile, **more)}
    return {"cudnn": torchs, **ours, **candidates(*given, **more)}


def activation(bench: Bench, shape: Shape) -> None:
    """GELU of a block's four times as wide map, and its gradient with that of the bias before."""
    n, channels, side, _, dtype = shape
    make = {"device": DEVICE, "generator": torch.Generator(DEVICE).manual_seed(4)}
    x, grad = torch.randn(2, n * side * side, 4 * channels, **make).to(dtype).unbind()
    few, above = x[: CHECKED * side * side], grad[: CHECKED * side * side]
    wide = few.double().requires_grad_()
    right = F.gelu(wide)
    checked: Calls = {"torch": lambda: F.gelu(few), "ours": lambda: launch.gelu(few)}
    errors = bench.check(checked, right.detach())
    calls: Calls = {"torch": lambda: F.gelu(x), "ours": lambda: launch.gelu(x)}
    bench.time(str(shape), "gelu", calls, errors)
    (right,) = torch.autograd.grad(right, wide, above.double())
    tile, backward = tiles.scale_tile(4 * channels), torch.ops.aten.gelu_backward

    def ours() -> Tensor:
        below = above.clone()
        launch.gelu_backward(few, below, tile)  # in place
        return below

    errors = bench.check({"torch": lambda: backward(above, few), "ours": ours}, right)
    calls = {
        "torch": lambda: backward(grad, x).sum(0, dtype=torch.float32),
        "ours": lambda: launch.gelu_backward(x, grad, tile),
    }
    bench.time(str(shape), "gelu bwd", calls, errors)  # ours last: nothing reads grad after it


def like(got: Tensor, right: Tensor) -> Tensor:
    """In the order of axes of `right`: maps (N, C, H, W), weights (C, k*k)."""
    if right.ndim == 2:
        return got.t() if got.ndim == 2 and got.shape != right.shape else got.reshape(right.shape)
    return got if got.shape == right.shape else got.permute(0, 3, 1, 2)


def normalise(bench: Bench, shape: Shape, copies: int) -> None:
    """Layer normalisation of each copy's channels, forward and backward."""
    n, channels, side, _, dtype = shape
    make = {"device": DEVICE, "generator": torch.Generator(DEVICE).manual_seed(1)}
    x, grad = torch.randn(2, n, side, side, channels, **make).to(dtype).unbind()
    scale, shift = torch.randn(2, channels, **make).unbind()
    width, eps = channels // copies, 1e-6
    own, low_scale, low_shift = (
        t.to(dtype) for t in (torch.ones(width, device=DEVICE), scale, shift)
    )

    def plain(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if copies == 1:
            return F.layer_norm(x, (channels,), scale, shift, eps)
        each = F.layer_norm(x.unflatten(-1, (copies, width)), (width,), eps=eps)
        return torch.addcmul(shift, each.flatten(-2), scale)

    tile = tiles.norm_tile(width)
    calls: Calls = {
        "torch": lambda: plain(x, low_scale, low_shift),
        "ours": lambda: launch.normalise(x, scale, shift, eps, copies, dtype, tile),
    }
    name, wide = f"{shape} S{copies}", x.double().requires_grad_()
    right = plain(wide, scale.double(), shift.double())
    bench.time(name, "norm", calls, bench.check(calls, right.detach()))
    each, above = (t.unflatten(-1, (copies, width)) for t in (x, grad))
    _, mean, rate = torch.native_layer_norm(each, (width,), own, own, eps)
    how = each, (width,), mean, rate, own, own, [True, True, True]
    backward = torch.ops.aten.native_layer_norm_backward
    calls = {"torch": lambda: backward(above, *how)[0].flatten(-2)}
    for elements, resident in NORM_BACKWARD:
        at_once = Tile(max(1, elements // tile.channels), tile.channels, 4, resident)
        calls[f"{at_once.rows}/{resident}"] = lambda t=at_once: launch.normalise_backward(
            x, scale, grad, eps, copies, t
        )[0]
    (right,) = torch.autograd.grad(right, wide, grad.double())
    errors = bench.check({name: calls[name] for name in calls if name != "torch"}, right)
    bench.time(name, "norm bwd", calls, errors)  # torch's has no scale of a copy: time alone


def scaled(bench: Bench, shape: Shape, copies: int) -> None:
    """Layer scale, stochastic depth and a residual stream in float32."""
    n, channels, side, _, dtype = shape
    make = {"device": DEVICE, "generator": torch.Generator(DEVICE).manual_seed(2)}
    x, other = torch.randn(2, n, side, side, channels, **make).unbind()
    branch, scale = other.to(dtype), torch.randn(channels, **make)
    keep = 2.0 * (torch.arange(n * copies, device=DEVICE) % 2).view(n, copies)
    factor = keep.repeat_interleave(channels // copies, 1).view(n, 1, 1, -1)
    tile, name = tiles.scale_tile(channels), f"{shape} S{copies}"
    calls: Calls = {
        "torch": lambda: x + (branch * scale) * factor,
        "ours": lambda: launch.add_scaled(x, branch, scale, keep, tile),
    }
    right = x.double() + branch.double() * scale.double() * factor.double()
    bench.time(name, "scale", calls, bench.check(calls, right))
    calls = {"ours": lambda: launch.add_scaled_backward(branch, scale, keep, x, tile)[1][0]}
    right = (x.double() * factor * branch.double()).sum((0, 1, 2))
    bench.time(name, "scalebwd", calls, bench.check(calls, right))


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
    print(f"copy {copied:.0f} GB/s; microseconds; ours: rows x channels / warps / programs that a "
          "multiprocessor has at once")  # fmt: skip
    for shape in TINY:  # what decides on candidates comes first
        in_a_step(bench, shape)
    for shape in STACKED + TINY + WIDE:
        depthwise(bench, shape)
    for shape in (TINY[0], TINY[2]):
        activation(bench, shape)
    for shape, copies in ((STACKED[0], 8), (TINY[1], 1), (WIDE[0], 1)):
        normalise(bench, shape, copies)
        scaled(bench, shape, copies)
    torch.backends.cudnn.benchmark = before
    return {
        "card": torch.cuda.get_device_name(), "torch": torch.__version__,
        "triton": triton.__version__, "cudnn": torch.backends.cudnn.version(),
        "copy_gb_s": round(copied), "seconds": round(time.perf_counter() - began, 1),
        "rows": bench.rows,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure_kernels()))
