"""Counting and timing networks over image sizes on this machine."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from nextify.costs.spread import spread_of
from nextify.network import build
from nextify.scaling.laws.networks import (
    NetworkPoint,
    OnPoint,
    network,
    point,
    require_memory,
)
from nextify.scaling.measuring.count import count_macs
from nextify.scaling.measuring.memory import growth
from nextify.scaling.measuring.timing import forward, time_rounds


def measure_networks(
    names: Sequence[str],
    sides: Sequence[int],
    *,
    rounds: int = 7,
    memory: int,
    classes: int = 1000,
    on_point: OnPoint | None = None,
) -> list[NetworkPoint]:
    """Each network at each image size: counted, and answering one image.

    At each size all networks are timed by turns; a round's time is the best of at least two calls.

    Args:
        names: of designs. sides: of square images, in pixels.
        memory: bytes, at the most.

    Raises:
        InputError: a size that does not fit the memory or the design, before any is tried.
    """
    for side in sides:
        require_memory(names, side, memory, classes)
    found: list[NetworkPoint] = []
    for side in sides:
        found += _at(names, side, rounds, classes, on_point)
    return found


def _at(
    names: Sequence[str], side: int, rounds: int, classes: int, on_point: OnPoint | None
) -> list[NetworkPoint]:
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    points, networks = [], []
    for name in names:
        if on_point is not None:
            on_point(name, side)
        networks.append(build(network(name), classes, image_size=side).eval())
        counted = _counted(name, side, classes)
        resident = growth(networks[-1], image)
        points.append(replace(point(name, side, classes), counted=counted, resident=resident))
    times = time_rounds([forward(module, image) for module in networks], rounds)
    return [replace(one, seconds=spread_of(own)) for one, own in zip(points, times, strict=True)]


def _counted(name: str, side: int, classes: int) -> int:
    """MACs by torch's counter, on shapes alone."""
    module: nn.Module = build(network(name), classes, image_size=side, device="meta").eval()
    image: Tensor = torch.empty(1, 3, side, side, device="meta")
    return count_macs(module, image).macs
