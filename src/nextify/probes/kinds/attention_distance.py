"""Attention distance: how far from a token that looks is what it attends to (arXiv 2010.11929,
section 4.5), in pixels, by head.

The mean over images and tokens of the distances to all tokens, weighted by attention. Class tokens
have no place and are left out, on both ends. Beside it stands what attention to all tokens alike
would have; in windows, a token cannot look beyond its own.
"""

from torch import Tensor

from nextify.probes.anatomy import maps_after_blocks
from nextify.probes.attention import attention_weights, distances, mean_distances
from nextify.probes.few import few
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

_PIXELS = 1 << 16  # 64 images of 32 pixels


def _measure(subject: Subject) -> Found:
    images = few(subject, _PIXELS)
    blocks, found = subject.anatomy.blocks, attention_weights(subject.network, images)
    if not found:
        raise Undefined("this network has no attention")
    if len(found) != len(blocks):
        raise Undefined(f"it has attention {len(found)} times in {len(blocks)} blocks, not once in "
                        "each")  # fmt: skip
    maps = maps_after_blocks(subject.network, images)
    apart = [_apart(weights, images, maps[name])
             for weights, name in zip(found, blocks, strict=True)]  # fmt: skip
    heads = dict(zip(blocks, map(mean_distances, found, apart), strict=True))
    means = {name: float(each.mean()) for name, each in heads.items()}
    stages = {
        f"stage{at}": sum(means[name] for name in stage) / len(stage)
        for at, stage in enumerate(subject.anatomy.stages, 1)
    }
    return Found(
        value=sum(means.values()) / len(means),
        values={**stages, "uniform": sum(float(each.mean()) for each in apart) / len(apart)},
        images=len(images),
        curves={
            "block": [[round(head, 3) for head in heads[name].tolist()] for name in blocks],
            "uniform": [round(float(each.mean()), 3) for each in apart],
        },
    )


def _apart(weights: Tensor, images: Tensor, maps: Tensor) -> Tensor:
    """The distances between tokens of the map, or of one of its windows."""
    (height, width), (rows, tokens) = maps.shape[2:], weights.shape[::2]
    down, across = images.shape[2] / height, images.shape[3] / width
    if rows == len(images) and tokens >= height * width:
        return distances(height, width, down, across)
    side = round(tokens**0.5)
    if side**2 != tokens or rows * tokens != len(images) * height * width:
        raise Undefined(f"its windows of {tokens} tokens do not divide its maps of "
                        f"{height} x {width}")  # fmt: skip
    return distances(side, side, down, across)


PROBE = Probe(
    name="attention-distance",
    title="Attention distance",
    unit="px",
    source="arXiv 2010.11929, section 4.5",
    needs=Needs(blocks=True),
    curves={"block": Curve(title="Each head"), "uniform": Curve(title="Of even attention")},
    measure=_measure,
)
