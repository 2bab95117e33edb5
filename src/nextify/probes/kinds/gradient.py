"""Gradient: how the loss's gradient grows or fades on its way back from block to block.

The norm of the gradient of an image's cross-entropy by what a block puts out, the mean over images.
The value is log10 of the first block's over the last's. Meant for networks at initialisation, where
it should neither vanish nor explode (arXiv 1502.01852, section 2.2): the copy that is measured
normalises by its batch, as in training (`nextify.probes.as_in_training`). Without true classes they
are drawn.

`weights` is what reaches the weights of each block: the norm of their gradient over their own;
`elsewhere` the same of all other weights. A block behind a layer scale of 1e-6 gets next to
nothing, whatever flows past it.
"""

from collections.abc import Iterable
from math import log10

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.probes.anatomy import watched
from nextify.probes.as_in_training import as_in_training, batch, shuffled
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined


def _labels(subject: Subject, chosen: Tensor, classes: int) -> Tensor:
    if subject.labels is not None:
        return subject.labels[chosen]
    drawn = torch.randint(classes, (len(chosen),), generator=subject.generator)
    return drawn.to(subject.images.device)


def _reached(parameters: Iterable[nn.Parameter]) -> float:
    """The norm of the gradient of weights, relative to theirs."""
    pairs = [(p, p.grad) for p in parameters if p.ndim > 1 and p.grad is not None]
    own, grown = (
        sum(each.double().square().sum().item() for each in those)
        for those in ([p for p, _ in pairs], [gradient for _, gradient in pairs])
    )
    return float((grown / own) ** 0.5) if own else 0.0


def _measure(subject: Subject) -> Found:
    twin, blocks = as_in_training(subject.network).requires_grad_(), subject.anatomy.blocks
    chosen, norms = shuffled(subject, batch(subject.images)), dict[str, float]()

    def see(block: str, out: Tensor) -> None:
        def keep(gradient: Tensor) -> None:
            norms[block] = gradient.flatten(1).double().norm(dim=1).mean().item()

        out.register_hook(keep)  # type: ignore[no-untyped-call]

    with torch.enable_grad(), watched(twin, blocks, see):
        logits = twin(subject.images[chosen])
        labels = _labels(subject, chosen, logits.shape[1])
        loss = F.cross_entropy(logits, labels, reduction="sum")
        loss.backward()  # type: ignore[no-untyped-call]
    inside = {block: list(twin.get_submodule(block).parameters()) for block in blocks}
    own = {parameter for each in inside.values() for parameter in each}
    curve = [norms[block] for block in blocks]
    if not all(0 < norm < float("inf") for norm in curve):
        raise Undefined("the gradient at a block is 0 or infinite")
    grown = [log10(norm / curve[-1]) for norm in curve]
    ends = (stage[-1] for stage in subject.anatomy.stages)
    return Found(
        value=grown[0],
        values={f"stage{at}": grown[blocks.index(end)] for at, end in enumerate(ends, 1)},
        images=len(chosen),
        curves={
            "block": curve,
            "weights": [_reached(each) / len(chosen) for each in inside.values()],
            "elsewhere": [_reached(p for p in twin.parameters() if p not in own) / len(chosen)],
        },
    )


PROBE = Probe(
    name="gradient",
    title="Gradient by depth",
    version=2,
    unit="log10 of norm, first over last block",
    source="arXiv 1502.01852, section 2.2",
    needs=Needs(blocks=True, images=8),
    curves={
        "block": Curve(title="What blocks put out", unit="norm of the gradient", is_log=True),
        "weights": Curve(title="Weights", unit="norm, over that of weights", is_log=True),
    },
    measure=_measure,
)
