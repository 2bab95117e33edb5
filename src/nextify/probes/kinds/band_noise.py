"""Accuracy under noise in one band of spatial frequency (arXiv 2202.06709, section 3).

Noise of equal energy is added in one of three rings of frequencies at a time: x + F^-1(M F(d)),
where d is white noise and M the ring (see `nextify.probes.bands`), scaled to a root mean square of
half of the images' standard deviation. The value is the accuracy under noise in the highest ring
less that in the lowest one: positive where low frequencies are what a network cannot do without
(published of ViTs), negative where it is high ones (published of ResNets). The paper has rings of
a tenth of the band; three are enough for its contrast.
"""

from itertools import pairwise

from nextify.probes.bands import band_noise
from nextify.probes.deciding import accuracy
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject

EDGES = (0.0, 1 / 3, 2 / 3, 1.0)  # of the rings, as shares of the band; the mean is in none
STRENGTH = 0.5  # of the images' standard deviation


def _measure(subject: Subject) -> Found:
    images, labels, generator = subject.images, subject.needed_labels(), subject.generator
    scale = STRENGTH * images.double().std().item()
    found = []
    for above, up_to in pairwise(EDGES):
        noisy = images + scale * band_noise(images, above, up_to, generator)
        found.append(accuracy(subject.network, noisy, labels))
    names = ("low", "middle", "high")
    clean = accuracy(subject.network, images, labels)
    return Found(
        value=found[-1] - found[0],
        values={**dict(zip(names, found, strict=True)), "clean": clean},
        curves={"accuracy": found},
    )


PROBE = Probe(
    name="band-noise",
    title="Accuracy under noise: high frequencies less low ones",
    unit="accuracy",
    source="arXiv 2202.06709, section 3",
    needs=Needs(labels=True, side=8),
    curves={"accuracy": Curve(title="Under noise in a ring", over="ring, from low to high")},
    measure=_measure,
)
