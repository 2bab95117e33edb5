"""Will it train? What an untrained network's signal and gradient say, as codes.

The report says them in words (`nextify.report.doctor`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Literal

from nextify.records import Measurement

Code = Literal[
    "signal vanishes", "signal explodes", "images look alike", "gradient vanishes",
    "gradient explodes", "blocks asleep",
]  # fmt: skip

# Powers of ten, see docs/probes.md: `scripts/will_it_train.py` trains what is beyond them and not.
SIGNAL = 4.0  # of the variance, from the first block to the last
GRADIENT = 1.5  # of the norm, from the last block to the first
ALIKE = 1e-3  # of the mean square, what is variance over images
ASLEEP = 1e-4  # of the relative gradient of weights, beside that of weights in no block


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that is wrong with an untrained network.

    Attributes:
        code: what.
        block: the number of the first block, from 1, at which it is beyond the bound: on the way
            forward for a signal, on the way back for a gradient. blocks: how many there are.
        amount: log10 of the ratio there; of sleeping blocks, how many there are.
    """

    code: Code
    block: int
    blocks: int
    amount: float


def diagnosis(found: Mapping[str, Measurement]) -> tuple[Symptom, ...]:
    """What is wrong, by the measurements `signal` and `gradient` of an untrained network; nothing
    where both are well or could not be measured.

    >>> curves = {"block": [1.0, 1e-3, 1e-6], "mean square": [1.0, 1e-3, 1e-6]}
    >>> diagnosis({"signal": Measurement(probe="signal", version=1, value=-6.0, curves=curves)})
    (Symptom(code='signal vanishes', block=3, blocks=3, amount=-6.0),)
    """
    symptoms: list[Symptom] = []
    if (signal := found.get("signal")) is not None and signal.value is not None:
        symptoms += _of_signal(signal.curves["block"], signal.curves["mean square"])
    if (gradient := found.get("gradient")) is not None and gradient.value is not None:
        symptoms += _of_gradient(gradient.curves["block"])
        symptoms += _asleep(gradient.curves["weights"], *gradient.curves["elsewhere"])
    return tuple(symptoms)


def _of_signal(variances: Sequence[float], squares: Sequence[float]) -> Iterator[Symptom]:
    yield from _beyond(variances, SIGNAL, "signal vanishes", "signal explodes")
    shares = [one / other for one, other in zip(variances, squares, strict=True)]
    if alike := next((at for at, share in enumerate(shares, 1) if share < ALIKE), None):
        yield Symptom("images look alike", alike, len(shares), log10(shares[alike - 1]))


def _of_gradient(norms: Sequence[float]) -> Iterator[Symptom]:
    count = len(norms)
    for each in _beyond(norms[::-1], GRADIENT, "gradient vanishes", "gradient explodes"):
        yield Symptom(each.code, count + 1 - each.block, count, each.amount)


def _beyond(
    values: Sequence[float], bound: float, vanishes: Code, explodes: Code
) -> Iterator[Symptom]:
    """The first of the values that is so many powers of ten away from the first."""
    for at, value in enumerate(values, 1):
        grown = log10(value / values[0])
        if abs(grown) > bound:
            yield Symptom(vanishes if grown < 0 else explodes, at, len(values), grown)
            return


def _asleep(reached: Sequence[float], elsewhere: float) -> Iterator[Symptom]:
    """Blocks whose weights the gradient does not reach, as it reaches those in no block."""
    asleep = [at for at, each in enumerate(reached, 1) if each < ASLEEP * elsewhere]
    if asleep:
        yield Symptom("blocks asleep", asleep[0], len(reached), float(len(asleep)))
