"""Where the units of a map are in the image: the middle of what each can see, by strides and
padding.

A patchify stem's first unit looks at pixels 0 to 3 and is at 1.5; a ResNet's, whose convolutions
are padded by half their kernel, is at 0. So the middle of the map is not the middle of the image,
and not the same in all networks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import heard, maps_after_blocks
from nextify.probes.probe import Subject

_STRIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


@dataclass(frozen=True)
class Lattice:
    """Unit i along an axis is at pixel `first + i * stride`, where pixel j is at j."""

    first: float
    stride: float

    def at(self, unit: int) -> float:
        """The place of a unit, in pixels."""
        return self.first + unit * self.stride


def ends_that_move(subject: Subject) -> dict[str, str]:
    """The last block of each stage, by `stage1` ..., whose map has two units or more along both
    axes. One unit alone has nowhere to move to, whatever the network does."""
    maps = maps_after_blocks(subject.network, subject.images[:1])
    ends = {f"stage{at}": stage[-1] for at, stage in enumerate(subject.anatomy.stages, 1)}
    return {stage: end for stage, end in ends.items() if min(maps[end].shape[2:]) > 1}


def lattices(network: nn.Module, images: Tensor, sides: tuple[int, int]) -> tuple[Lattice, Lattice]:
    """The lattices, down and across, of a map of (height, width) `sides` in a network.

    Convolutions and pooling are followed as they run. What makes maps smaller in another way is
    taken to join neighbours, as a Swin's merging does: two by two, with a border of zeros where a
    side is odd.

    Args:
        images: (N, 3, H, W), of which one is looked at.
    """
    striding = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _STRIDING) and max(_pair(module.stride)) > 1
    }
    with torch.no_grad(), heard(network, list(striding), inputs=True) as found:
        network(images[:1])
    seen = [(striding[name], given.shape[2:]) for name, given in found.items()]
    down, across = (
        _follow([(module, shape[axis]) for module, shape in seen],
                axis, images.shape[2 + axis], sides[axis])
        for axis in (0, 1)
    )  # fmt: skip
    return down, across


def _follow(steps: list[tuple[nn.Module, int]], axis: int, side: int, end: int) -> Lattice:
    """Along an axis of `side` pixels, to a map of `end` units."""
    first, stride = 0.0, 1.0
    for module, given in steps:
        if side == end:
            break
        if given != side:  # a shortcut beside what was followed
            continue
        kernel, step, padding, dilation = (
            _pair(getattr(module, name, 1))[axis]
            for name in ("kernel_size", "stride", "padding", "dilation")
        )
        reach = (kernel - 1) * dilation
        first += (reach / 2 - padding) * stride
        stride *= step
        side = (side + 2 * padding - reach - 1) // step + 1
    joined = _joined(side, end)
    return Lattice(first + (joined - 1) / 2 * stride, stride * joined)


def _joined(side: int, end: int) -> int:
    """How many of `side` units are one of `end` that follow: two by two as often as it takes, since
    what is left alone at the border of an odd map joins nothing there; if that never comes to
    `end`, their ratio."""
    joined, left = 1, side
    while left > end:
        left, joined = -(-left // 2), 2 * joined
    return joined if left == end else max(1, round(side / end))


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value, value)
