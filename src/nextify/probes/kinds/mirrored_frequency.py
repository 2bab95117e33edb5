"""How strong high frequencies are in feature maps, for small maps, too: a variant, not published.

Maps are mirrored to twice their side before `nextify.probes.spectra` reads them, which makes it the
spectrum of the cosine transform: a map of 7 x 7 then has the frequencies of 14 x 14, and no edge
where its left border meets its right one. (Zeros around a map would do the first, but its mean
would leak into every frequency.) Numbers of this and of `feature-frequency` differ, white noise by
a constant; compare each with itself.
"""

from nextify.probes.probe import Found, Needs, Probe, Subject
from nextify.probes.spectra import CURVES, measure_spectra, mirrored


def _measure(subject: Subject) -> Found:
    return measure_spectra(subject, mirrored)


PROBE = Probe(
    name="mirrored-frequency",
    title="High frequencies in mirrored feature maps",
    version=2,
    unit="log amplitude",
    source="after arXiv 2202.06709, section 3; maps mirrored",
    needs=Needs(blocks=True),
    curves=CURVES,
    measure=_measure,
)
