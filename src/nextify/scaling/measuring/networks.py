"""Counting and timing networks over image sizes on this machine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from nextify.costs.spread import spread_of
from nextify.machine.facts import measured_on
from nextify.network import build
from nextify.scaling.laws.kept import POINTS
from nextify.scaling.laws.limits import usable_memory
from nextify.scaling.laws.networks import NetworkPoint, Networks, network, point, require_memory
from nextify.scaling.measuring.count import count_macs
from nextify.scaling.measuring.memory import growth
from nextify.scaling.measuring.timing import forward, prepared, time_rounds
from nextify.scaling.saving import Kept, keeping

Told = Callable[[str], None]
"""Called with what is about to be measured, in words."""


def measure_networks(
    asked: Networks,
    *,
    rounds: int = 7,
    memory: int | None = None,
    threads: int | None = None,
    save: Path | None = None,
    told: Told = lambda line: None,
) -> Networks:
    """The same with each network at each image size counted, and timed answering one image.

    At each size all networks are timed by turns; a round's time is the best of at least two calls.
    So where a file lacks one of them at a size, those that it has there are measured anew with it.

    Args:
        memory: bytes, at the most; None: half of the machine's.
        threads: of torch; None: as they are.
        save: a file to keep points in, each size as soon as it is done; sizes at which it has all
            networks are not measured.

    Raises:
        InputError: a size that does not fit the memory or the design, before any is tried; a file
            of other settings.
    """
    names, sides, classes = asked.names, asked.sides, asked.classes
    with prepared(threads), keeping(save):
        kept = Kept(POINTS, save, {**measured_on(), "rounds": rounds, "classes": classes})
        known = {(one.name, one.side): one for one in kept.results}
        missing = {
            side: list(dict.fromkeys([*(n for n, at in known if at == side), *names]))
            for side in sides
            if any((name, side) not in known for name in names)
        }
        for side, own in missing.items():
            require_memory(own, side, memory or usable_memory(), classes)
        for side, own in missing.items():
            points = _at(own, side, rounds, classes, told)
            kept.results = [one for one in kept.results if one.side != side]
            kept.add(*points)
            known.update({(one.name, side): one for one in points})
        measured = tuple(known[name, side] for side in sides for name in names)
        return replace(asked, measured=measured, threads=torch.get_num_threads())


def _at(names: list[str], side: int, rounds: int, classes: int, told: Told) -> list[NetworkPoint]:
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    points, networks = [], []
    for name in names:
        told(f"{name} at {side} pixels ...")
        networks.append(build(network(name), classes, image_size=side).eval())
        counted = _counted(name, side, classes)
        resident = growth(networks[-1], image)
        points.append(replace(point(name, side, classes), counted=counted, resident=resident))
    times = time_rounds([forward(module, image) for module in networks], rounds)
    return [replace(one, seconds=spread_of(own)) for one, own in zip(points, times, strict=True)]


def _counted(name: str, side: int, classes: int) -> int:
    """MACs by torch's counter, on shapes alone."""
    module = build(network(name), classes, image_size=side, device="meta").eval()
    return count_macs(module, torch.empty(1, 3, side, side, device="meta")).macs
