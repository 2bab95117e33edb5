"""Feature collapse: how alike the channels of a map are (arXiv 2301.00808, section 3.1).

The mean over pairs of channels of (1 - cos(X_i, X_j)) / 2, where X_i is channel i over all
positions of one image; the mean over images. The tensor decides the curve: it is the block's
output, the residual stream. Near 0, all channels are alike; near 0.5, they have nothing in common.
"""

from torch import Tensor
from torch.nn.functional import normalize

from nextify.probes.anatomy import maps_after_blocks
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined


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
    stages = subject.anatomy.stages
    maps = maps_after_blocks(subject.network, subject.images)
    if any(maps[name].shape[1] < 2 for name in maps):
        raise Undefined("a map has one channel only")
    curve = [diversity(maps[name]) for stage in stages for name in stage]
    ends = {f"stage{at}": diversity(maps[stage[-1]]) for at, stage in enumerate(stages, 1)}
    return Found(value=sum(curve) / len(curve), values=ends, curves={"block": curve})


PROBE = Probe(
    name="feature-collapse",
    title="Diversity of channels",
    unit="cosine distance",
    source="arXiv 2301.00808, section 3.1",
    needs=Needs(blocks=True, side=8),
    measure=_measure,
)
