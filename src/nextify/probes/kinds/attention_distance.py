"""Attention distance: how far from a token that looks is what it attends to (arXiv 2010.11929,
section 4.5), in pixels, by head.

The mean over images and tokens of the distances to all tokens, weighted by attention. Class tokens
have no place and are left out, on both ends, as is what a window is padded with. Beside it stands
what attention to all tokens alike would have; in windows, a token cannot look beyond its own, nor
in shifted ones at what was brought there from the opposite border.
"""

import torch
from torch import Tensor

from nextify.probes.anatomy import maps_of, outputs
from nextify.probes.attention import attention_weights, distances, mean_distances
from nextify.probes.few import few
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

_PIXELS = 1 << 16  # 64 images of 32 pixels
_HIDDEN = 1e-30  # a weight that only a mask makes so small, in all images


def _measure(subject: Subject) -> Found:
    images = few(subject, _PIXELS)
    blocks, found = subject.anatomy.blocks, attention_weights(subject.network, images)
    if not found:
        raise Undefined("this network has no attention")
    if len(found) != len(blocks):
        raise Undefined(f"it has attention {len(found)} times in {len(blocks)} blocks, not once in "
                        "each")  # fmt: skip
    looks = _looks(subject, images, found)
    even = [float(mean_distances(_even(weights, len(images)), apart).mean())
            for weights, apart in looks]  # fmt: skip
    heads = {name: mean_distances(*look) for name, look in zip(blocks, looks, strict=True)}
    means = {name: float(each.mean()) for name, each in heads.items()}
    stages = {
        f"stage{at}": sum(means[name] for name in stage) / len(stage)
        for at, stage in enumerate(subject.anatomy.stages, 1)
    }
    return Found(
        value=sum(means.values()) / len(means),
        values={**stages, "uniform": sum(even) / len(even)},
        images=len(images),
        curves={
            "block": [[round(head, 3) for head in heads[name].tolist()] for name in blocks],
            "uniform": [round(each, 3) for each in even],
        },
    )


def _looks(subject: Subject, images: Tensor, found: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Of each block the weights among tokens that have a place, those before them included, and the
    distances between those with a place."""
    sides = int(images.shape[2]), int(images.shape[3])
    with torch.no_grad():
        put_out = outputs(subject.network, images, subject.anatomy.blocks)
    maps = maps_of(subject.network, put_out, sides)
    return [
        _look(weights, images, maps[name], put_out[name].ndim == 4)
        for weights, name in zip(found, subject.anatomy.blocks, strict=True)
    ]


def _look(weights: Tensor, images: Tensor, maps: Tensor, is_plane: bool) -> tuple[Tensor, Tensor]:
    """Of one block: over its map, or over each of its windows, which tokens in a plane may have."""
    (height, width), (rows, tokens) = maps.shape[2:], weights.shape[::2]
    down, across = images.shape[2] / height, images.shape[3] / width
    side, is_one = round(tokens**0.5), rows == len(images)
    if is_plane and is_one and side**2 == tokens and side >= max(height, width):
        # One window, which a smaller map fills up from its upper left: the rest is padding.
        there = torch.arange(tokens).view(side, side)[:height, :width].flatten()
        weights, tokens = weights[..., there, :][..., there], height * width
    if is_one and (tokens == height * width or (not is_plane and tokens > height * width)):
        return weights, distances(height, width, down, across)
    if side**2 != tokens or rows * tokens != len(images) * height * width:
        raise Undefined(f"its windows of {tokens} tokens do not divide its maps of "
                        f"{height} x {width}")  # fmt: skip
    return weights, distances(side, side, down, across)


def _even(weights: Tensor, count: int) -> Tensor:
    """(windows, 1, tokens, tokens) attention to all tokens alike but those that a shifted window's
    mask hides: their weight is e^-100 of what it would be, for all of the images and heads."""
    most = weights.reshape(count, -1, *weights.shape[1:]).amax((0, 2))
    return (most > _HIDDEN).double()[:, None]


PROBE = Probe(
    name="attention-distance",
    title="Attention distance",
    version=2,
    unit="px",
    source="arXiv 2010.11929, section 4.5",
    needs=Needs(blocks=True),
    curves={"block": Curve(title="Each head"), "uniform": Curve(title="Of even attention")},
    measure=_measure,
)
