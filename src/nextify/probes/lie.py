"""Lie derivatives: how a network's output begins to change when its images begin to move
(arXiv 2210.02984, sections 3 and 4).

L f = d/dt g_-t f(g_t x) at t = 0, which is J A x - A' f(x), where A x is how the images begin to
move and A' the same for maps; J A x is one pass in forward mode. Classes do not move with their
image, so there A' is 0, and what is left over would be 0 in a network that does not care.

Traps of published code: its script takes the mean of absolute values where the paper has squares
(both are here); it interpolates bilinearly, of which at t = 0 only one side is the derivative; its
unit of translation is half the width (here a pixel); and it takes every tensor of four dimensions
for a map with the channels first.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

from nextify.probes.anatomy import heard, maps_of
from nextify.probes.few import few
from nextify.probes.lattice import Lattice, ends_that_move, lattices
from nextify.probes.moving import DIRECTIONS, Direction, Edges, begun
from nextify.probes.probe import Found, Needs, Probe, Subject

_PIXELS = 1 << 16  # 64 images of 32 pixels
_BATCH = 32


@dataclass(frozen=True)
class Change:
    """How something begins to change when the images begin to move in one direction.

    Attributes:
        found: J A x.
        wanted: A' f(x), how it would change if it moved with them.
    """

    found: Tensor
    wanted: Tensor

    @property
    def lie(self) -> Tensor:
        """L f."""
        return self.found - self.wanted

    @property
    def error(self) -> tuple[float, float]:
        """|L f|^2, and |J A x|^2 + |A' f|^2, of which it is a part."""
        off, found, wanted = (
            float(each.double().square().sum()) for each in (self.lie, self.found, self.wanted)
        )
        return off, found + wanted


def changes(
    network: nn.Module,
    images: Tensor,
    names: Sequence[str],
    direction: Direction,
    edges: Edges = "mirrored",
) -> tuple[Change, dict[str, Change]]:
    """Of the classes' probabilities, and of the maps after modules, by name."""
    sides = int(images.shape[2]), int(images.shape[3])
    middle = (sides[0] - 1) / 2, (sides[1] - 1) / 2

    def outputs(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with heard(network, names) as found:
            probabilities = network(x).softmax(1)
        return probabilities, maps_of(network, found, sides)

    here = Lattice(0.0, 1.0), Lattice(0.0, 1.0)
    tangent = begun(images, direction, here, middle, edges)
    # The fused operator of attention has no forward mode.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        # torch's own forward mode warns, once, of what it uses of itself.
        warnings.simplefilter("ignore", FutureWarning)
        (_, values), (classes, slopes), *_ = jvp(outputs, (images,), (tangent,))
    found = {}
    for name, maps in values.items():
        where = lattices(network, images, (maps.shape[2], maps.shape[3]))
        found[name] = Change(slopes[name], begun(maps, direction, where, middle, edges))
    return Change(classes, torch.zeros_like(classes)), found


def _measured(kind: str, subject: Subject) -> Found:
    """The paper's number is the mean over images, classes and directions of squares. Of the map
    after a stage, |J A x - A' f|^2 / (|J A x|^2 + |A' f|^2): 0 if it moves with the image, 1 if
    the two have nothing in common; no stage whose map has one position along an axis, where it
    would be 1 by construction."""
    ends = ends_that_move(subject)
    classes, errors = [], []
    images = few(subject, _PIXELS)
    for some in torch.split(images, _BATCH):
        for direction in DIRECTIONS[kind]:
            probabilities, maps = changes(subject.network, some, list(ends.values()), direction)
            classes.append(probabilities.lie.double())
            errors.append([maps[name].error for name in ends.values()])
    every = torch.cat(classes)
    pairs = torch.tensor(errors, dtype=torch.float64).view(len(errors), len(ends), 2)
    off, whole = pairs.sum(0).unbind(1)
    stages = dict(zip(ends, (off / whole).tolist(), strict=True))
    return Found(
        value=float(every.square().mean()),
        values={"absolute": float(every.abs().mean()), **stages},
        units={"absolute": _UNITS[kind], **dict.fromkeys(stages, "")},
        images=len(images),
    )


_UNITS = {"translation": "1/px", "rotation": "1/rad", "scale": ""}


def lie_probe(kind: str) -> Probe:
    """The probe of one kind of motion."""
    unit = _UNITS[kind]
    return Probe(
        name=f"lie-{kind}",
        title=f"Lie derivative: {kind}",
        version=2,
        unit=f"{unit}²" if unit else "",
        better="lower",
        source="arXiv 2210.02984, section 4",
        needs=Needs(blocks=True, side=8),
        measure=partial(_measured, kind),
    )
