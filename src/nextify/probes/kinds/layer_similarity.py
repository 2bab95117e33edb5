"""How alike the blocks of one network see images: unbiased CKA (see `nextify.probes.cka`).

The value is the mean over all pairs of blocks: how uniform the representation is from the first
block to the last, which is what was found to tell ViTs (uniform) from ResNets (arXiv 2108.08810,
section 3). The mean over neighbours says less: it rises with the number of blocks, since each then
does less. It is given beside it, as is the similarity of the first and the last block.
"""

import torch

from nextify.probes.cka import LEAST, similarity
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined


def _measure(subject: Subject) -> Found:
    found = similarity(subject.network, subject.network, subject.images)
    blocks = len(found)
    if blocks < 2:
        raise Undefined("it has one block only")
    if not found.isfinite().all():
        raise Undefined("a block puts out the same for all images")
    others = ~torch.eye(blocks, dtype=torch.bool)
    return Found(
        value=float(found[others].mean()),
        values={"neighbours": float(found.diagonal(1).mean()), "ends": float(found[0, -1])},
        curves={"similarity": found.tolist()},
    )


PROBE = Probe(
    name="layer-similarity",
    title="Similarity of blocks",
    version=2,
    unit="CKA",
    source="arXiv 1905.00414; unbiased as in arXiv 2010.15327",
    needs=Needs(images=LEAST, blocks=True),
    curves={"similarity": Curve(title="Blocks by blocks", rows="block")},
    measure=_measure,
)
