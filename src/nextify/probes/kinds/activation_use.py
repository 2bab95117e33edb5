"""Where on the curve of their activation function the units of a network live.

The value is the share of pre-activations at which the slope is below 0.01 in size, the mean over
the layers: there the function is flat and passes next to no gradient. `linear` is the share at
which the slope is 1 to within 0.01: there the function does nothing. `range` is from the lowest to
the highest value of a unit, over images and positions, the mean over units and layers.
"""

from collections.abc import Sequence

from nextify.probes.measurement import Curve
from nextify.probes.pre_activations import EDGES, Layer, by_stage, layers
from nextify.probes.probe import Found, Probe, Subject


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _flat(found: Sequence[Layer]) -> float:
    return _mean([layer.shares[0] for layer in found])


def _histogram(found: Sequence[Layer]) -> list[float]:
    """Shares of all values of some layers, each layer counting alike."""
    rows = [(layer.bins.double() / layer.bins.sum()).tolist() for layer in found]
    return [_mean(column) for column in zip(*rows, strict=True)]


def _measure(subject: Subject) -> Found:
    found = layers(subject)
    stages = by_stage(subject, found)
    spans = [(layer.high - layer.low).double().mean().item() for layer in found]
    linear = [layer.shares[1] for layer in found]
    return Found(
        value=_flat(found),
        values={
            **{stage: _flat(those) for stage, those in stages.items()},
            "linear": _mean(linear),
            "range": _mean(spans),
        },
        units={"range": "pre-activation"},
        curves={
            "flat": [layer.shares[0] for layer in found],
            "linear": linear,
            "range": spans,
            "histogram": [_histogram(those) for those in stages.values() or [found]],
            "edges": list(EDGES),
        },
    )


PROBE = Probe(
    name="activation-use",
    title="Flat pre-activations",
    version=2,
    unit="share of pre-activations",
    source="arXiv 1606.08415",
    curves={
        "flat": Curve(title="Flat", over="activation function"),
        "linear": Curve(title="Linear", over="activation function"),
        "range": Curve(title="Range", over="activation function", unit="pre-activation"),
        "histogram": Curve(
            title="Where units live",
            at="edges",
            over="pre-activation",
            unit="share",
            rows="stage",
        ),
    },
    measure=_measure,
)
