"""Feature collapse: how alike the channels of a map are (arXiv 2301.00808, section 4).

The mean over pairs of channels of (1 - cos(X_i, X_j)) / 2, where X_i is channel i over all
positions of one image; the mean over images. Near 0, all channels are alike; near 0.5, they have
nothing in common.

The tensor decides the curve. The value is of the blocks' outputs, the residual stream, which every
network has. The paper saw the collapse where a block is widest, after the expansion of its MLP:
that is `expanded`, after the activation function there, where blocks have such a place. The paper's
sum over pairs counts each channel with itself: its numbers are ours times (C - 1) / C.

A channel that is zero everywhere has no direction: its cosines are taken as 0, so that dead
channels count as diverse, 0.5.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nextify.probes.anatomy import maps_of, outputs
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

_BATCH = 100  # images


def diversity(maps: Tensor) -> float:
    """The mean cosine distance between pairs of channels: (N, C, H, W) to a number in 0..1."""
    count, channels = maps.shape[:2]
    rows = normalize(maps.flatten(2).double(), dim=2)
    # The sum over pairs of channels i != j of cos(i, j) is |sum of rows|^2 less the diagonal.
    diagonal = rows.square().sum((1, 2))
    cosines = rows.sum(1).square().sum(1) - diagonal
    pairs = channels * (channels - 1)
    return float((1 - cosines / pairs).sum() / (2 * count))


def _measure(subject: Subject) -> Found:
    found: dict[str, float] = {}
    for part in torch.split(subject.images, _BATCH):
        for name, maps in _maps(subject, part).items():
            share = len(part) / len(subject.images)
            found[name] = found.get(name, 0.0) + share * diversity(maps)
    curve = [found.pop(name) for name in subject.anatomy.blocks]
    ends = [len(stage) for stage in subject.anatomy.stages]
    values = {f"stage{at}": curve[sum(ends[:at]) - 1] for at in range(1, len(ends) + 1)}
    curves = {"block": curve}
    if found:
        curves["expanded"] = list(found.values())
        values["expanded"] = sum(found.values()) / len(found)
    return Found(value=sum(curve) / len(curve), values=values, curves=curves)


def _maps(subject: Subject, images: Tensor) -> dict[str, Tensor]:
    """What blocks put out, by name, then what their first activation functions do where that has
    more channels."""
    where = subject.anatomy
    inside = {name: each for each in where.blocks for name in where.activations
              if name.startswith(f"{each}.")}  # fmt: skip
    with torch.no_grad():
        heard = outputs(subject.network, images, [*where.blocks, *inside])
    sides = int(images.shape[2]), int(images.shape[3])
    found = maps_of(subject.network, {name: heard[name] for name in where.blocks}, sides)
    if any(maps.shape[1] < 2 for maps in found.values()):
        raise Undefined("a map has one channel only")
    wide: dict[str, Tensor] = {}
    flat = {name: heard[name] for name in inside if heard[name].ndim in (3, 4)}
    for name, maps in maps_of(subject.network, flat, sides).items():
        if (block := inside[name]) not in wide and maps.shape[1] > found[block].shape[1]:
            wide[block] = maps
    return found | {f"{block} expanded": maps for block, maps in wide.items()}


PROBE = Probe(
    name="feature-collapse",
    title="Diversity of channels",
    version=2,
    unit="cosine distance",
    source="arXiv 2301.00808, section 4",
    needs=Needs(blocks=True, side=8),
    curves={
        "block": Curve(title="By block"),
        "expanded": Curve(title="After the expansion", over="block that expands"),
    },
    measure=_measure,
)
