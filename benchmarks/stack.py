"""Training images a second of S networks in one stack, against one network after another.

    python benchmarks/stack.py [--device cuda] [--copies 1 8] [--batch 64]

A whole step (forward, loss, backward, AdamW, average) of `resnet-small` and `convnext-mini` at 32
pixels, on random images that are there already: on a GPU in bfloat16, eager and captured as a CUDA
graph, on a CPU in float32, eager. `single` is one network of its own modules; `stack` one of as
many copies; `grouped` the same stack with torch's grouped convolutions in place of batched
products. Images a second of all copies together, the median over rounds of so many steps after a
warm-up. Prints a table, then one JSON line.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nextify as nx
from nextify.designs import Design, Precision, recipe
from nextify.network import Network, Stack, build, stack_of
from nextify.network.stack import StackedConv2d
from nextify.training.ema import WeightAverage
from nextify.training.machine import deterministic
from nextify.training.optimizer import make_optimizer
from nextify.training.step import Captured, Eager, Step, Update

CLASSES, SIZE, WARM_UP = 10, 32, 3
DESIGNS = ("resnet-small", "convnext-mini")


def network_of(kind: str, design: Design, copies: int, device: str) -> Network:
    """The network of a case, in training mode."""
    drop = recipe("modern-small").stochastic_depth
    if kind == "single":
        return build(design, CLASSES, stochastic_depth=drop, device=device).train()
    each = [build(design, CLASSES, seed=seed, device=device) for seed in range(copies)]
    network = stack_of(each, drop).train()
    for module in network.modules():
        if kind == "grouped" and isinstance(module, StackedConv2d):
            module.__class__ = nn.Conv2d
    return network


def step_of(network: Network, device: str, precision: Precision, captured: bool) -> Step:
    """A whole training step of a network or of a stack."""

    def loss_of(images: Tensor, targets: Tensor) -> Tensor:
        kind, narrow = images.device.type, precision == "bfloat16"
        with torch.autocast(kind, torch.bfloat16, narrow, cache_enabled=False):
            logits = network(images)
            if not stacked:
                return F.cross_entropy(logits, targets)
            each = F.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1), reduction="none")
        return each.view(len(images), -1).mean(0)

    copies = network.copies if isinstance(network, Stack) else 1
    stacked = isinstance(network, Stack)
    update = Update(
        network=network,
        optimizer=make_optimizer(network, recipe("modern-small")),
        average=WeightAverage(network, 0.99),
        loss_of=loss_of,
        rate=lambda: 1e-3,
        clip=lambda: None,
        generators=[torch.Generator(device).manual_seed(at) for at in range(copies)],
        draw_from=network.use_generators if stacked
        else lambda sources: network.use_generator(sources[0]),
    )  # fmt: skip
    return Captured(update, graph=device != "cpu") if captured else Eager(update)


def case(
    kind: str, design: Design, copies: int, device: str, batch: int, captured: bool
) -> Callable[[], None]:
    """A step, ready to be timed; the device has still to be waited for."""
    network = network_of(kind, design, copies, device)
    step = step_of(network, device, "float32" if device == "cpu" else "bfloat16", captured)
    images = torch.randn(batch, 3 * copies, SIZE, SIZE, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    shape = (batch, CLASSES) if kind == "single" else (batch, copies, CLASSES)
    targets = torch.full(shape, 1 / CLASSES, device=device)
    return lambda: (step(images, targets), None)[1]


def images_a_second(
    design: Design, copies: int, *, kind: str = "stack", device: str = "cuda", batch: int = 64,
    captured: bool = False, steps: int = 50, rounds: int = 5,
) -> float:  # fmt: skip
    """Of all copies together, the median over rounds of so many steps."""
    with deterministic(device):
        step = case(kind, design, copies, device, batch, captured)
        for _ in range(WARM_UP):
            step()
        times = []
        for _ in range(rounds):
            wait(device)
            began = time.perf_counter()
            for _ in range(steps):
                step()
            wait(device)
            times.append(time.perf_counter() - began)
    return batch * copies * steps / statistics.median(times)


def wait(device: str) -> None:
    """For all that was asked of a GPU."""
    if device != "cpu":
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    ways = (False,) if given.device == "cpu" else (False, True)
    found = []
    for name in DESIGNS:
        for captured in ways:
            cases = [("single", 1), *(("stack", copies) for copies in given.copies),
                     ("grouped", max(given.copies))]  # fmt: skip
            for kind, copies in cases:
                rate = images_a_second(nx.design(name), copies, kind=kind, device=given.device,
                                       batch=given.batch, captured=captured, steps=given.steps,
                                       rounds=3)  # fmt: skip
                found.append({"design": name, "kind": kind, "copies": copies,
                              "captured": captured, "images_per_second": round(rate)})  # fmt: skip
                how = "captured" if captured else "eager"
                print(f"{name:15} {how:8} {kind:8} S={copies}  {rate:12,.0f} images/s", flush=True)
    card = torch.cuda.get_device_name() if given.device != "cpu" else platform.processor()
    print(json.dumps({"device": card, "torch": torch.__version__, "cases": found}))


if __name__ == "__main__":
    main()
