"""How strong high frequencies are in feature maps, as published (see `nextify.probes.spectra`).

Maps under 14 x 14 have too few frequencies, and are not read: at 32 pixels that is most of a
network (`mirrored-frequency` reads maps from 7 x 7 on).
"""

from nextify.probes.probe import Found, Needs, Probe, Subject
from nextify.probes.spectra import CURVES, measure_spectra


def _measure(subject: Subject) -> Found:
    return measure_spectra(subject, lambda maps: maps)


PROBE = Probe(
    name="feature-frequency",
    title="High frequencies in feature maps",
    version=2,
    unit="log amplitude",
    source="arXiv 2202.06709, section 3",
    needs=Needs(blocks=True),
    curves=CURVES,
    measure=_measure,
)
