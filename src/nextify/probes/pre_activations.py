"""Where on their activation function's curve the units of a trained network live.

A unit is a channel, as it stands before an activation function, at all positions of all images. It
is flat where the slope there is below 0.01 in size, so that next to no gradient passes, and linear
where the slope is 1 to within 0.01. So said, ReLU and GELU can be compared: a ReLU is flat exactly
where it is negative, a GELU below -3.1 (and in a sliver around its minimum, at -0.75).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from nextify.probes.activation_curves import slope
from nextify.probes.anatomy import anatomy, as_maps, watched, works_on_tokens
from nextify.probes.probe import Subject, Undefined

FLAT = 0.01  # a slope below this in size
_BATCH = 32  # images at a time: slopes take several times the memory of a map
EDGES = tuple(half / 2 for half in range(-12, 13))  # of the histogram's 26 bins, two of them open


@dataclass
class Layer:
    """What was seen before one activation function of a network, its units in a row.

    Attributes:
        name: of the module. at: which of its calls this is, of a module that stands for several.
        positions: of all images, together. flat, linear: how many of them there are of each unit.
        low, high: of each unit's values. bins: how many of all values are between `EDGES`.
    """

    name: str
    at: int
    positions: int
    flat: Tensor
    linear: Tensor
    low: Tensor
    high: Tensor
    bins: Tensor

    @property
    def dead(self) -> Tensor:
        """(units,) whether a unit is flat at every position of every image."""
        return self.flat == self.positions

    @property
    def shares(self) -> tuple[float, float]:
        """Of all its values, those that are flat and those that are linear."""
        return tuple(  # type: ignore[return-value]
            (each.double().mean() / self.positions).item() for each in (self.flat, self.linear)
        )

    def add(self, other: "Layer") -> None:
        """More images."""
        for name in ("positions", "flat", "linear", "bins"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.low = torch.minimum(self.low, other.low)
        self.high = torch.maximum(self.high, other.high)


def layers(subject: Subject) -> tuple[Layer, ...]:
    """All activation functions of a network in the order in which they run, and what they are
    given for the images.

    Raises:
        Undefined: there are none.
    """
    network, images = subject.network, subject.images
    names = anatomy(network).activations
    if not names:
        raise Undefined("no activation function is found in this network")
    sides = int(images.shape[2]), int(images.shape[3])
    by_unit = {name: partial(_by_unit, sides=sides, has_tokens=works_on_tokens(network, name))
               for name in names}  # fmt: skip
    found: dict[tuple[str, int], Layer] = {}
    calls: Counter[str] = Counter()

    def see(name: str, given: Tensor) -> None:
        seen = _layer(name, calls[name], network.get_submodule(name), given, by_unit[name])
        calls[name] += 1
        if (there := found.setdefault((name, seen.at), seen)) is not seen:
            there.add(seen)

    with torch.no_grad(), watched(network, names, see, inputs=True):
        for part in torch.split(images, _BATCH):
            calls.clear()
            network(part)
    return tuple(found.values())


def _layer(
    name: str, at: int, module: nn.Module, given: Tensor, by_unit: Callable[[Tensor], Tensor]
) -> Layer:
    slopes = by_unit(slope(module.forward, given))  # `forward`: no hook hears of it
    values = by_unit(given)
    return Layer(
        name=name,
        at=at,
        positions=values.shape[1],
        flat=_count(slopes.abs() < FLAT),
        linear=_count((slopes - 1).abs() < FLAT),
        low=values.amin(1),
        high=values.amax(1),
        bins=_bins(given),
    )


def _count(which: Tensor) -> Tensor:
    """By unit; in 32 bits, which is twice as fast as in 64."""
    return which.sum(1, dtype=torch.int32).long()


def _bins(values: Tensor) -> Tensor:
    """How many values are in each bin, above its lower edge and up to its upper one: arithmetic on
    edges that are half a unit apart, a third of what `torch.bucketize` takes."""
    at = (values * 2).ceil_().nan_to_num_(nan=torch.inf).clamp_(2 * EDGES[0], 2 * EDGES[-1] + 1)
    places = at.sub_(2 * EDGES[0]).flatten().to(torch.uint8)
    return torch.bincount(places, minlength=len(EDGES) + 1)


def _by_unit(tensor: Tensor, sides: tuple[int, int], has_tokens: bool) -> Tensor:
    """Channels by positions of all images; of tokens, a class token is one of the positions."""
    if tensor.ndim == 4:
        return as_maps(tensor, sides, has_tokens).transpose(0, 1).flatten(1)
    return tensor.flatten(0, -2).T


def by_stage(subject: Subject, found: Sequence[Layer]) -> dict[str, list[Layer]]:
    """The layers inside the blocks of each stage, by `stage1` ...; of those that have some."""
    stages = anatomy(subject.network).stages
    within = {
        f"stage{at}": [layer for layer in found for block in stage
                       if layer.name.startswith(f"{block}.")]
        for at, stage in enumerate(stages, 1)
    }  # fmt: skip
    return {stage: those for stage, those in within.items() if those}
