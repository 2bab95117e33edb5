"""1 x 1 convolutions as matrix products (`PointwiseConv2d`) against `nn.Conv2d`.

    python benchmarks/pointwise.py

A training step (forward, loss, backward) of every design of the small path at 28 pixels with
batches of 64, of ConvNeXt-T and ResNet-50 at 224 pixels with batches of 8, and inference of one
image and of 16 by these and ConvNeXt-atto, where products are made as in training. Each network
exists twice with the same weights, in one of them with the class swapped; their steps alternate.
One thread; milliseconds of processor time, so that other work on the machine matters less; medians,
with the range of the ratio over pairs of steps. Prints a table, then one JSON line.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import nextify as nx
from nextify.designs import Design
from nextify.network import Network, modules
from nextify.network.modules import PointwiseConv2d
from nextify.training.machine import keep_freed_memory

CLASSES = 10
SECONDS, FEWEST, MOST = 6.0, 5, 40  # for a network, and pairs of steps


def networks(design: Design) -> dict[str, Network]:
    """The network as it is, and with torch's own 1 x 1 convolutions."""
    both = {"product": nx.build(design, CLASSES), "conv": nx.build(design, CLASSES)}
    for module in both["conv"].modules():
        if isinstance(module, PointwiseConv2d):
            module.__class__ = nn.Conv2d
    return both


def training_step(network: Network, size: int, batch: int) -> Callable[[], None]:
    """Forward, loss and backward."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=generator)
    labels = torch.randint(CLASSES, (batch,), generator=generator)
    network.train()

    def step() -> None:
        F.cross_entropy(network(images), labels).backward()
        network.zero_grad()

    return step


def inference(network: Network, size: int, batch: int) -> Callable[[], None]:
    """Forward alone."""
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    network.eval()

    def step() -> None:
        with torch.inference_mode():
            network(images)

    return step


def milliseconds(step: Callable[[], None]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    step()
    return 1000 * (time.process_time() - start)


def measure(name: str, design: Design, kind: str, size: int, batch: int) -> dict[str, Any]:
    """One row: `ratio` is the time with convolutions over that with products."""
    make = training_step if kind == "training" else inference
    steps = {which: make(net, size, batch) for which, net in networks(design).items()}
    times: dict[str, list[float]] = {which: [] for which in steps}
    for step in steps.values():
        step()
    began = time.perf_counter()
    while (done := len(times["conv"])) < FEWEST or (
        done < MOST and time.perf_counter() - began < SECONDS
    ):
        for which, step in steps.items():
            times[which].append(milliseconds(step))
    ratios = [conv / product for conv, product in zip(times["conv"], times["product"], strict=True)]
    medians = {f"{which}_ms": statistics.median(values) for which, values in times.items()}
    return {"network": name, "kind": kind, "size": size, "batch": batch, **medians,
            "ratio": statistics.median(ratios), "ratio_min": min(ratios),
            "ratio_max": max(ratios), "pairs": len(ratios)}  # fmt: skip


def cases() -> list[tuple[str, Design, str, int, int]]:
    """Network, what is done with it, image size and batch."""
    small = nx.path("small")
    # The recipe step has the design of the start.
    found = [
        (step.name, step.design, "training", small.image_size, 64)
        for step in small.steps
        if step.name != "training recipe"
    ]
    for name in ("convnext-tiny", "resnet-50"):
        found.append((name, nx.design(name), "training", 224, 8))
    for name in ("convnext-atto", "convnext-tiny", "resnet-50"):
        found += [(name, nx.design(name), "inference", 224, batch) for batch in (1, 16)]
    return found


def main() -> None:
    """Print the table and the JSON line."""
    modules.LARGE_MAP = 1 << 62  # no map is: products are compared
    torch.set_num_threads(1)
    keep_freed_memory()
    head = ["batch", "conv ms", "product ms", "ratio", "min", "max", "pairs"]
    print(f"{'':34}" + "".join(f"{name:>11}" for name in head))
    rows = []
    for case in cases():
        row = measure(*case)
        rows.append(row)
        numbers = [row["conv_ms"], row["product_ms"], row["ratio"], row["ratio_min"],
                   row["ratio_max"]]  # fmt: skip
        cells = "".join(f"{value:>11.2f}" for value in numbers)
        print(
            f"{row['network']:24}{row['kind']:10}{row['batch']:>11}{cells}{row['pairs']:>11}",
            flush=True,
        )
    print(json.dumps({
        "threads": 1, "unit": "ms", "torch": torch.__version__, "python": platform.python_version(),
        "capability": torch.backends.cpu.get_cpu_capability(), "rows": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
