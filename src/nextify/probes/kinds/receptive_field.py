"""Receptive field in theory: how many pixels a side a unit after the last block can depend on.

Arithmetic on the network's blueprint; nothing is measured, and the weights do not matter. It is
counted as if the image went on (`nextify.costs.receptive`).
"""

from nextify.costs.receptive import fields_of
from nextify.network.modules import Network
from nextify.probes.probe import Found, Probe, Subject, Undefined


def _measure(subject: Subject) -> Found:
    if not isinstance(subject.network, Network):
        raise Undefined("only nextify's own networks have a blueprint to count on")
    height, width = subject.images.shape[2:]
    stages = fields_of(subject.network.blueprint, (height, width))
    return Found(
        value=stages[-1], values={f"stage{at}": field for at, field in enumerate(stages, 1)}
    )


PROBE = Probe(
    name="receptive-field",
    title="Receptive field in theory",
    unit="px",
    source="Araujo, Norris, Sim, Distill 2019, doi 10.23915/distill.00021",
    measure=_measure,
)
