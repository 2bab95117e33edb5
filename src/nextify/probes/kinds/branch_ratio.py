"""Branch over skip: how much a residual block adds to what it is given.

||branch|| / ||skip||, both over all channels and positions of an image, the mean over images; the
value is the mean over blocks. What a block's branch and skip are is said in
`nextify.probes.branches`. The skip grows with depth, so that later blocks may add as much and have
a smaller ratio; at 0 a block does nothing.
"""

from collections import defaultdict

import torch
from torch import Tensor

from nextify.probes.branches import Parts, by_stage, see_parts
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject


def ratios(skip: Tensor, branch: Tensor) -> Tensor:
    """(N,) of (N, ...) both."""
    norms = [each.flatten(1).double().norm(dim=1) for each in (branch, skip)]
    found: Tensor = norms[0] / norms[1].clamp_min(torch.finfo(skip.dtype).tiny)
    return found


def _measure(subject: Subject) -> Found:
    found: dict[str, list[Tensor]] = defaultdict(list)

    def see(block: str, parts: Parts) -> None:
        found[block].append(ratios(parts.skip, parts.branch))

    see_parts(subject, see, subject.images)
    means = {block: torch.cat(each).mean().item() for block, each in found.items()}
    curve = list(means.values())
    return Found(
        value=sum(curve) / len(curve), values=by_stage(subject, means), curves={"block": curve}
    )


PROBE = Probe(
    name="branch-ratio",
    title="Branch over skip",
    version=2,
    unit="ratio of norms",
    source="arXiv 1605.06431, section 3",
    needs=Needs(blocks=True),
    curves={"block": Curve(title="By block")},
    measure=_measure,
)
