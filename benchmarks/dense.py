"""The dense convolution on small maps: as a matrix product, beside torch's own.

    python benchmarks/dense.py

One thread, 64 images; milliseconds of a forward and of a forward and backward pass, medians of
interleaved rounds; the ratio is of the whole.
"""

import json
import time
from statistics import median

import torch
import torch.nn.functional as F

from nextify.network.dense import _AsProduct

SHAPES = ((256, 2, 7), (128, 4, 7), (64, 4, 7), (256, 2, 5), (128, 3, 5), (64, 2, 7), (64, 8, 7))
ROUNDS = 9


def seconds(function, x, weight, grad):
    """Of a forward, and of a backward pass."""
    began = time.perf_counter()
    y = function(x, weight)
    middle = time.perf_counter()
    torch.autograd.grad(y, (x, weight), grad)
    return middle - began, time.perf_counter() - middle


def measure(channels, side, kernel):
    """Median milliseconds of both, whole and forward."""
    last = torch.channels_last
    x, grad = (torch.randn(64, channels, side, side).contiguous(memory_format=last) for _ in "xg")
    weight = torch.randn(channels, channels, kernel, kernel).contiguous(memory_format=last)
    x.requires_grad_(), weight.requires_grad_()
    ways = {
        "torch": lambda x, w: F.conv2d(x, w, padding=kernel // 2),
        "product": _AsProduct.apply,
    }
    times = {name: [] for name in ways}
    for _ in range(ROUNDS + 2):
        for name, way in ways.items():
            times[name].append(seconds(way, x, weight, grad))
    return {
        name: [1000 * median(t[0] for t in ts[2:]), 1000 * median(sum(t) for t in ts[2:])]
        for name, ts in times.items()
    }


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = {}
    print("channels  map    kernel  torch fwd, all   product fwd, all   ratio")
    for channels, side, kernel in SHAPES:
        found = measure(channels, side, kernel)
        (a, b), (c, d) = found["torch"], found["product"]
        print(f"{channels:8}  {side} x {side}  {kernel:6}  {a:8.1f} {b:7.1f}  {c:9.1f} {d:7.1f}"
              f"  {b / d:8.2f}")  # fmt: skip
        rows[f"{channels}x{side}x{kernel}"] = found
    print(json.dumps({"threads": 1, "torch": torch.__version__, "milliseconds": rows}))


if __name__ == "__main__":
    main()
