"""The depthwise convolution on a CPU: forward, input gradient, weight gradient by every method.

    python benchmarks/depthwise.py

Shapes: those of a small ConvNeXt at 32 pixels (batch 128), of every design of the small path
(batch 64), of ConvNeXt-T at 224 pixels (batches 8 and 32), and maps of 1 to 7 pixels for both
kernels and strides. One thread; milliseconds of processor time, so that other work on the machine
matters less; medians of methods called in turn. Inputs are channels_last, as in a network, but for
`torch/c`. `*` marks the method that `weight_gradient_method` chooses; a row ends in `!` where
another one is more than 10 % (and 20 us) faster. Prints a table, then one JSON line.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

import nextify as nx
from nextify.network.depthwise import (
    DepthwiseConv2d,
    WeightGradient,
    depthwise_weight_gradient,
    weight_gradient_method,
)
from nextify.training.machine import keep_freed_memory

METHODS = get_args(WeightGradient)
BUDGET, FEWEST, MOST = 0.6, 3, 25  # seconds a shape, and calls of each of its methods
SLOWER, SLOWER_MS = 1.10, 0.02


class Shape(NamedTuple):
    """A depthwise convolution of square maps."""

    batch: int
    channels: int
    side: int
    kernel: int
    stride: int


def shapes_of(design: Any, size: int, batch: int) -> list[Shape]:
    """Those in a network, by a forward pass without memory."""
    found: list[Shape] = []
    network = nx.build(design, 10).to("meta")

    def note(module: Any, inputs: tuple[Tensor, ...]) -> None:
        shape = inputs[0].shape
        found.append(Shape(batch, shape[1], shape[2], module.kernel_size[0], module.stride[0]))

    for module in network.modules():
        if isinstance(module, DepthwiseConv2d):
            module.register_forward_pre_hook(note)
    network(torch.empty(1, 3, size, size, device="meta"))
    return found


def all_shapes() -> list[Shape]:
    """Every shape once, in order of appearance."""
    small = nx.path("small")
    found = [Shape(128, 24 * 2**at, 16 // 2**at, 7, 1) for at in range(4)] + [
        Shape(128, 24, 16, 3, 1)
    ]
    for step in small.steps:
        found += shapes_of(step.design, small.image_size, 64)
    found += [Shape(64, 96, side, k, s) for k in (3, 7) for s in (1, 2) for side in (7, 4, 3, 2, 1)]
    for batch in (8, 32):
        found += shapes_of(nx.design("convnext-tiny"), 224, batch)
    return list(dict.fromkeys(found))


def calls(shape: Shape) -> dict[str, Callable[[], Tensor]]:
    """What is timed."""
    n, channels, side, kernel, stride = shape
    after = (side - 1) // stride + 1
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(n, channels, side, side, generator=generator)
    plain_grad = torch.randn(n, channels, after, after, generator=generator)
    weight = torch.randn(channels, 1, kernel, kernel, generator=generator)
    x, grad = (t.contiguous(memory_format=torch.channels_last) for t in (plain, plain_grad))
    backward, padding = torch.ops.aten.convolution_backward, kernel // 2

    def input_gradient() -> Tensor:
        return backward(
            grad, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], channels,
            [True, False, False],
        )[0]  # fmt: skip

    timed: dict[str, Callable[[], Tensor]] = {
        "forward": lambda: F.conv2d(x, weight, None, stride, padding, groups=channels),
        "input": input_gradient,
        "torch/c": lambda: depthwise_weight_gradient(plain, plain_grad, kernel, stride, "torch"),
    }
    for method in METHODS:
        if feasible(method, side):
            timed[method] = lambda m=method: depthwise_weight_gradient(x, grad, kernel, stride, m)  # type: ignore[misc]
    return timed


def feasible(method: WeightGradient, side: int) -> bool:
    """All pairs of pixels fit into memory, or tap by tap is not hopeless."""
    return side <= {"pairs": 16, "taps": 28}.get(method, side)


def milliseconds(timed: dict[str, Callable[[], Tensor]]) -> dict[str, float]:
    """Medians over rounds in which each is called once."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    began, rounds = time.perf_counter(), 0
    while rounds < FEWEST or (rounds < MOST and time.perf_counter() - began < BUDGET):
        for name, call in timed.items():
            start = time.process_time()
            call()
            times[name].append(1000 * (time.process_time() - start))
        rounds += 1
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def measure(shape: Shape) -> dict[str, Any]:
    """One row."""
    times = milliseconds(calls(shape))
    chosen = weight_gradient_method(shape.kernel, shape.stride, shape.side, shape.side)
    best = min((m for m in METHODS if m in times), key=lambda m: times[m])
    behind = times[chosen] - times[best]
    slow = times[chosen] > SLOWER * times[best] and behind > SLOWER_MS
    return {**shape._asdict(), **times, "chosen": chosen, "best": best, "slow": slow}


def show(row: dict[str, Any]) -> None:
    """A line of the table."""
    cells = [
        f"{row['batch']},{row['channels']},{row['side']}",
        f"{row['kernel']}/{row['stride']}",
        *(f"{row[name]:.2f}" for name in ("forward", "input", "torch/c")),
        *(f"{row[m]:.2f}{'*' if m == row['chosen'] else ' '}" if m in row else "-"
          for m in METHODS),
    ]  # fmt: skip
    print("".join(f"{cell:>11}" for cell in cells), "!" if row["slow"] else "", flush=True)


def main() -> None:
    """Print the table and the JSON line."""
    torch.set_num_threads(1)
    keep_freed_memory()
    head = ["N,C,side", "kernel/s", "forward", "input", "torch/c", *METHODS]
    print("".join(f"{name:>11}" for name in head))
    rows = []
    for shape in all_shapes():
        rows.append(measure(shape))
        show(rows[-1])
    print(f"{sum(row['slow'] for row in rows)} of {len(rows)} shapes could be over 10 % faster")
    print(json.dumps({
        "threads": 1, "unit": "ms", "torch": torch.__version__, "python": platform.python_version(),
        "capability": torch.backends.cpu.get_cpu_capability(), "rows": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
