"""`Probe`: what there is to tell of a probe, and what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import Anatomy, anatomy
from nextify.probes.measurement import Curve

Better = Literal["higher", "lower"]


class Undefined(Exception):
    """A probe is not defined for a network or for these images; the text says why."""


@dataclass(frozen=True)
class Subject:
    """What a probe is given: a network that evaluates, and images as it sees them.

    A probe may change nothing of it: where it needs another mode or other weights, it works on a
    copy (`copy.deepcopy(subject.network)`).

    Attributes:
        network: in evaluation mode, (N, 3, H, W) to (N, classes).
        images: (N, 3, H, W), normalised as the network expects them, on its device.
        labels: (N,), the true classes; None where they are not known.
        seed: from which every draw of the probe follows.
    """

    network: nn.Module
    images: Tensor
    labels: Tensor | None = None
    seed: int = 0

    @property
    def generator(self) -> torch.Generator:
        """A new one, of the CPU, each time; the same draws for the same seed."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where the network's stages, blocks, activations ... are.

        Raises:
            Undefined: nothing is known of how the network is laid out.
        """
        found = anatomy(self.network)
        if not found.stages:
            raise Undefined("no blocks are found in this network")
        return found

    def needed_labels(self) -> Tensor:
        """The labels, or `Undefined`."""
        if self.labels is None:
            raise Undefined("it needs the images' true classes")
        return self.labels


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a probe returns; see `Measurement`. Numbers may be tensors of one element, and
    curves tensors or arrays.

    Attributes:
        images: how many were looked at; None: all.
    """

    value: float
    values: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    images: int | None = None


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a probe needs; `measure` gives the reason where it is not there.

    Attributes:
        labels: the images' true classes.
        images: at least so many.
        side: images of at least so many pixels a side.
        blocks: a network whose blocks are found.
    """

    labels: bool = False
    images: int = 1
    side: int = 1
    blocks: bool = False


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A property of trained networks, and how it is measured.

    Attributes:
        name: as it is typed, such as `shift-consistency`.
        title: as it stands over a figure.
        version: raised whenever the same network would get another value.
        unit: of its value; empty for a pure number.
        better: whether more of it is better, where that can be said at all.
        source: the paper and section that defines it.
        curves: how those that it returns are read, by name; `stage` stands for `stage1` and so on.
        is_default: whether studies measure it when they are asked for `default`.
        measure: a network and images to numbers; raises `Undefined`.
    """

    name: str
    title: str
    version: int = 1
    unit: str = ""
    better: Better | None = None
    source: str = ""
    needs: Needs = field(default_factory=Needs)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    is_default: bool = True
    measure: Callable[[Subject], Found]
