"""Block removal: the accuracy that is lost with one block's branch taken out (arXiv 1605.06431).

One block at a time gives its skip alone (`nextify.probes.branches`), as if it had learned nothing,
and nothing is trained anew. The value is the mean over blocks: near 0, no block is missed by
itself, as in an ensemble of paths.
"""

from torch import Tensor, nn

from nextify.probes.anatomy import replaced
from nextify.probes.branches import Parts, by_stage, see_parts, skip_of
from nextify.probes.deciding import accuracy
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject


def without(subject: Subject, block: str, end: nn.Module) -> float:
    """The accuracy in per cent of the network without a block's branch."""
    module = subject.network.get_submodule(block)

    def alone(given: Tensor) -> Tensor:
        out: Tensor = end.forward(skip_of(module, given).clone())
        return out

    with replaced(subject.network, block, alone):
        return 100 * accuracy(subject.network, subject.images, subject.needed_labels())


def _measure(subject: Subject) -> Found:
    whole = 100 * accuracy(subject.network, subject.images, subject.needed_labels())
    ends: dict[str, nn.Module] = {}

    def see(block: str, parts: Parts) -> None:
        ends[block] = parts.end

    see_parts(subject, see, subject.images[:1])
    lost = {block: whole - without(subject, block, end) for block, end in ends.items()}
    curve = list(lost.values())
    return Found(
        value=sum(curve) / len(curve),
        values={**by_stage(subject, lost), "most": max(curve)},
        curves={"block": curve},
    )


PROBE = Probe(
    name="block-removal",
    title="Accuracy lost without a block",
    version=2,
    unit="points",
    source="arXiv 1605.06431, section 4.1",
    needs=Needs(blocks=True, labels=True),
    is_default=False,  # a pass over the images for every block
    curves={"block": Curve(title="By block")},
    measure=_measure,
)
