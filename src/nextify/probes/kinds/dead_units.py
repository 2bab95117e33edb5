"""Dead units: those whose activation function passes next to no gradient for any image.

The share of units that are flat (`nextify.probes.pre_activations`) at every position of every
image. For ReLU that is the usual definition: a pre-activation that is never positive. GELU has no
zone without any gradient; by the same threshold on the slope, 0.01, its number means the same.
More images can only bring units to life, so the number belongs to a number of images.
"""

from collections.abc import Sequence

from nextify.probes.measurement import Curve
from nextify.probes.pre_activations import Layer, by_stage, layers
from nextify.probes.probe import Found, Probe, Subject


def share_dead(found: Sequence[Layer]) -> float:
    """Of all units of some layers."""
    dead = sum(int(layer.dead.sum()) for layer in found)
    return dead / sum(len(layer.dead) for layer in found)


def _measure(subject: Subject) -> Found:
    found = layers(subject)
    stages = by_stage(subject, found)
    return Found(
        value=share_dead(found),
        values={stage: share_dead(those) for stage, those in stages.items()},
        curves={"layer": [share_dead([layer]) for layer in found]},
    )


PROBE = Probe(
    name="dead-units",
    title="Dead units",
    version=2,
    unit="share of units",
    better="lower",
    source="arXiv 1903.06733",
    curves={"layer": Curve(title="By layer", over="activation function")},
    measure=_measure,
)
