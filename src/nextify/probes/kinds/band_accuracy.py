"""Accuracy under low-pass and high-pass filtered images: which frequencies a network reads.

The share of its accuracy that a network keeps when images lose all frequencies above a quarter of
the band (see `nextify.probes.bands`); both are taken above what always answering the most frequent
class would reach, so that a network to which filtered images all look alike keeps nothing. At half
of the band small networks on images of 32 pixels keep .92 to .98, which tells little; at a quarter,
.65 to 1. It works at every size, unlike the frequency of feature maps. The filter is the exact one,
whose ringing is part of what the network sees.
"""

from nextify.probes.bands import WHOLE, band
from nextify.probes.deciding import accuracy
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

RADII = (0.25, 0.5)  # where images are cut, as shares of the band
VALUE = "below 0.25"


def _measure(subject: Subject) -> Found:
    images, labels = subject.images, subject.needed_labels()
    chance = float(labels.bincount().max() / len(labels))
    whole = accuracy(subject.network, images, labels)
    if whole <= chance:
        raise Undefined("the network classifies no better than the most frequent class would")
    below = [accuracy(subject.network, band(images, WHOLE[0], at), labels) for at in RADII]
    above = [accuracy(subject.network, band(images, at, WHOLE[1]), labels) for at in RADII]
    kept = {
        f"{side} {at:g}": (found - chance) / (whole - chance)
        for side, row in (("below", below), ("above", above))
        for at, found in zip(RADII, row, strict=True)
    }
    return Found(
        value=kept[VALUE],
        values={**kept, "accuracy": whole},
        units={"accuracy": "accuracy"},
        curves={"radius": list(RADII), "below": below, "above": above},
    )


PROBE = Probe(
    name="band-accuracy",
    title="Accuracy kept by the lowest quarter of frequencies",
    unit="share",
    needs=Needs(labels=True, side=8),
    curves={
        name: Curve(
            title=f"Of frequencies {name} the cut",
            at="radius",
            unit="accuracy",
            over="cut, share of the band",
        )
        for name in ("below", "above")
    },
    measure=_measure,
)
