"""`measure`: probes on one network."""

import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nextify.errors import InputError
from nextify.probes.known import probes_named
from nextify.probes.measurement import Measurement
from nextify.probes.probe import Found, Probe, Subject, Undefined
from nextify.records.measurement import from_row, to_row
from nextify.training.machine import deterministic

_LONGEST = 200  # signs of an error that a reason repeats


def measure(
    network: nn.Module,
    images: Tensor,
    names: Sequence[str | Probe],
    labels: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Measurement]:
    """What probes find of a network, by name; the network is left as it was.

    The same weights, images and seed give the same bits on one machine with one number of threads.

    >>> from nextify.designs import design
    >>> from nextify.network import build
    >>> network = build(design("convnext-mini"), classes=10, image_size=32)
    >>> found = measure(network, torch.rand(8, 3, 32, 32), ["feature-collapse"])
    >>> found["feature-collapse"].reason
    ''

    Args:
        network: nextify's, timm's or torchvision's; (N, 3, H, W) to (N, classes).
        images: (N, 3, H, W), normalised as the network expects them.
        names: of probes, or probes; `default` and `all` stand for several.
        labels: (N,), true classes, for the probes that need them.
        seed: of all draws.

    Raises:
        InputError: a name is not known, or the images are none.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise InputError(f"images have the shape {tuple(images.shape)}; give (N, 3, H, W), N > 0")
    if labels is not None and labels.shape != images.shape[:1]:
        raise InputError(f"labels have the shape {tuple(labels.shape)}; give ({len(images)},)")
    probes = [each for name in names for each in _probes(name)]
    with _at_rest(network), deterministic(images.device):
        return {probe.name: _measured(probe, network, images, labels, seed) for probe in probes}


def _probes(name: str | Probe) -> tuple[Probe, ...]:
    return (name,) if isinstance(name, Probe) else probes_named([name])


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, its parameters without gradients; afterwards as before."""
    modes = {module: module.training for module in network.modules()}
    asked = {parameter: parameter.requires_grad for parameter in network.parameters()}
    network.eval()
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        with torch.inference_mode(False):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, is_asked in asked.items():
            parameter.requires_grad_(is_asked)


def _measured(
    probe: Probe, network: nn.Module, images: Tensor, labels: Tensor | None, seed: int
) -> Measurement:
    """One probe's measurement; what it raises is in it."""
    own = seed + zlib.crc32(probe.name.encode())  # no two probes draw the same
    subject = Subject(network, images, labels, own)
    began = time.perf_counter()
    blank = Measurement(
        probe=probe.name, version=probe.version, unit=probe.unit, better=probe.better or ""
    )
    try:
        _require(probe, subject)
        found = _finite(probe.measure(subject))
        full = replace(blank, value=found.value, values=found.values, units=found.units,
                       curves=found.curves, images=int(found.images or len(images)))  # fmt: skip
        blank = from_row(to_row("", full))  # what no study file can keep is refused here
    except Undefined as error:
        blank = replace(blank, reason=str(error))
    except Exception as error:  # a probe's fault must not cost the run that it is measured on
        said = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
        blank = replace(blank, reason=f"the probe failed: {said}", failed=True)
    return replace(blank, seconds=time.perf_counter() - began)


def _require(probe: Probe, subject: Subject) -> None:
    """Check what a probe needs, or raise `Undefined`."""
    needs, (count, _, *sides) = probe.needs, subject.images.shape
    if count < needs.images:
        raise Undefined(f"it needs at least {needs.images} images, and there are {count}")
    if min(sides) < needs.side:
        raise Undefined(f"it needs images of at least {needs.side} pixels a side, and they have "
                        f"{min(sides)}")  # fmt: skip
    if needs.labels:
        subject.needed_labels()
    if needs.blocks:
        subject.anatomy  # noqa: B018 - raises where there are none


def _finite(found: Found) -> Found:
    """Plain numbers, or `Undefined` where one is not finite."""
    values = {name: float(value) for name, value in found.values.items()}
    value = float(found.value)
    for name, each in {"its value": value, **values}.items():
        if not math.isfinite(each):
            raise Undefined(f"{name} is not finite for this network")
    return replace(found, value=value, values=values, curves=_plain(found.curves))


def _plain(curves: Any) -> Any:
    """Lists of numbers, of tensors, arrays and lists of such."""
    match curves:
        case Tensor() | np.ndarray() | np.generic():
            return curves.tolist()
        case Mapping():
            return {name: _plain(each) for name, each in curves.items()}
        case list() | tuple():
            return [_plain(each) for each in curves]
        case int() | float():
            return curves
    raise TypeError(f"a curve holds {type(curves).__name__}; give numbers, or rows of numbers")
