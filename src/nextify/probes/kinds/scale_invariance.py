"""Scale invariance: the share of the weights whose size the network does not notice.

The weights of one layer, with their bias, are made twice as large; a norm right behind undoes that,
so that only their direction counts and their size sets how fast they learn (arXiv 1706.05350). A
layer counts as invariant if the logits change by at most a twentieth of what they do when a random
change of the same norm is made instead: so that a layer that matters little is none. The value is
the share of all weights that are in such layers. Batch norms normalise by the batch
(`nextify.probes.as_in_training`), and all is computed in float64.

`contrast` is how much the logits change, relative to themselves, when the normalised images are
halved, as the network evaluates; `decisions` the share of images whose class changes by that.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nextify.probes.as_in_training import as_in_training, shuffled
from nextify.probes.kinds.batch_dependence import change
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject

_IMAGES = 8  # what holds of the weights holds for any image
_NOTICED = 0.05


def layers(network: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """Weights with the bias that belongs to them, by the weight's name."""
    named = dict(network.named_parameters())
    for name, weight in named.items():
        if name.endswith("weight") and weight.ndim > 1:
            bias = named.get(name.removesuffix("weight") + "bias")
            yield name, [weight] if bias is None else [weight, bias]


def noticed(network: nn.Module, images: Tensor, generator: torch.Generator) -> dict[str, float]:
    """By layer: the change of the logits when its weights are doubled, over that by a random
    change of the same norm. Layers that nothing depends on are left out."""
    found = {}
    with torch.no_grad():
        plain = network(images)
        for name, tensors in layers(network):
            kept = [each.clone() for each in tensors]
            for each in tensors:
                each.mul_(2)
            doubled = change(network(images), plain)
            for each, before in zip(tensors, kept, strict=True):
                noise = torch.randn(each.shape, generator=generator, dtype=each.dtype).to(each)
                each.copy_(before + noise * before.norm() / noise.norm())
            other = change(network(images), plain)
            for each, before in zip(tensors, kept, strict=True):
                each.copy_(before)
            if other > 0:
                found[name] = doubled / other
    return found


def _measure(subject: Subject) -> Found:
    images = subject.images[shuffled(subject, _IMAGES)].double()
    twin = as_in_training(subject.network).double()
    found = noticed(twin, images, subject.generator)
    sizes = {name: tensors[0].numel() for name, tensors in layers(twin) if name in found}
    free = sum(sizes[name] for name, each in found.items() if each <= _NOTICED)
    with torch.no_grad():
        few = subject.images[shuffled(subject, 128)]
        full, half = subject.network(few), subject.network(few / 2)
    decisions = (full.argmax(1) != half.argmax(1)).double().mean().item()
    return Found(
        value=free / sum(sizes.values()),
        values={"contrast": change(half, full), "decisions": decisions},
        units={"contrast": "relative change of the logits", "decisions": "share of images"},
        curves={"layer": list(found.values())},
    )


PROBE = Probe(
    name="scale-invariance",
    title="Weights whose size does not count",
    unit="share of weights",
    source="arXiv 1706.05350; arXiv 1502.03167, section 3.3",
    needs=Needs(images=_IMAGES),
    is_default=False,  # two passes for every layer, in float64
    curves={
        "layer": Curve(title="Doubled, over a random change", over="layer", unit="ratio of changes")
    },
    measure=_measure,
)
