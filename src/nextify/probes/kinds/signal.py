"""Signal: how what tells images apart grows or fades from block to block.

The variance over images of each number that a block puts out, the mean over all of them. The value
is log10 of the last block's over the first's. Meant for networks at initialisation, where it should
neither vanish nor explode (arXiv 1502.01852, section 2.2; 1611.01232): the copy that is measured
normalises by its batch, as in training (`nextify.probes.as_in_training`).

The mean square would not do: where biases have taken over, it stays, and all images look alike.
`mean square` is there as a curve; the share of it that is variance falls to 0 then.
"""

from math import log10

import torch

from nextify.probes.anatomy import heard
from nextify.probes.as_in_training import as_in_training, batch, shuffled
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined


def _measure(subject: Subject) -> Found:
    twin, blocks = as_in_training(subject.network), subject.anatomy.blocks
    images = subject.images[shuffled(subject, batch(subject.images))]
    with torch.no_grad(), heard(twin, blocks) as found:
        twin(images)
    variances = [found[block].double().var(0, correction=0).mean().item() for block in blocks]
    squares = [found[block].double().square().mean().item() for block in blocks]
    if not all(0 < variance < float("inf") for variance in variances):
        raise Undefined("the signal of a block is 0 or infinite")
    ends = (stage[-1] for stage in subject.anatomy.stages)
    grown = [log10(variance / variances[0]) for variance in variances]
    return Found(
        value=grown[-1],
        values={f"stage{at}": grown[blocks.index(end)] for at, end in enumerate(ends, 1)},
        images=len(images),
        curves={"block": variances, "mean square": squares},
    )


PROBE = Probe(
    name="signal",
    title="Signal by depth",
    version=2,
    unit="log10 of variance, last over first block",
    source="arXiv 1502.01852, section 2.2; arXiv 1611.01232",
    needs=Needs(blocks=True, images=8),
    curves={
        "block": Curve(title="What differs between images", unit="variance", is_log=True),
        "mean square": Curve(title="All of the signal", unit="mean square", is_log=True),
    },
    measure=_measure,
)
