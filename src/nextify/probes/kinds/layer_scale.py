"""Layer scale: the learned factors on blocks' branches (arXiv 2103.17239, section 2).

The mean over channels of a factor's size, and the mean over blocks. Training starts them near 0
(ConvNeXt: 1e-6), where a block does nothing; what they have grown to is how much of each block the
network has come to use.
"""

from torch import Tensor, nn

from nextify.network.modules import Scale
from nextify.probes.branches import by_stage
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

_NAMES = {"gamma", "layer_scale"}  # as timm and torchvision call them; norms have a `weight`


def factors(block: nn.Module) -> list[Tensor]:
    """The layer scales of a block; a transformer's may have two."""
    own: list[Tensor] = [m.weight for m in block.modules() if isinstance(m, Scale)]
    named = block.named_parameters()
    return own + [value for name, value in named if name.rpartition(".")[2] in _NAMES]


def _measure(subject: Subject) -> Found:
    found: dict[str, float] = {}
    for block in subject.anatomy.blocks:
        if those := factors(subject.network.get_submodule(block)):
            sizes = [each.double().abs().mean().item() for each in those]
            found[block] = sum(sizes) / len(sizes)
    if not found:
        raise Undefined("no block of this network has a layer scale")
    curve = list(found.values())
    return Found(
        value=sum(curve) / len(curve), values=by_stage(subject, found), curves={"block": curve}
    )


PROBE = Probe(
    name="layer-scale",
    title="Layer scale",
    version=2,
    unit="factor",
    source="arXiv 2103.17239, section 2",
    needs=Needs(blocks=True),
    curves={"block": Curve(title="By block")},
    measure=_measure,
)
