"""Designs for a latency that is measured.

What a design will take is first guessed by a line: a time for every MAC, every byte of activations
kept in training, every parameter, every block and every answer, none of them negative, which fit
the latencies measured for a few random designs. Since MACs, bytes and parameters are polynomials
in the widths, so is the guess, and the search for budgets takes it as one more of them. What it
proposes is measured; the guess is corrected by that, and the search repeated. What is returned has
been measured once more at the end, all by turns and apart from what it was chosen by, so that it
is not a lucky measurement that is reported.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from nextify.costs import Form, Polynomial
from nextify.costs.form import Coefficients
from nextify.costs.spread import Spread
from nextify.designs import Design
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.fitting.fit import Measure
from nextify.fitting.space import Space
from nextify.words import seconds_in_words

_SAMPLES = 400  # random designs, of which some are measured
_CALIBRATED = 8  # of them
_FACTOR = 4  # in MACs, from one probe to the next
_ROUNDS = 4
_TARGET = 0.98  # of the latency: what the guess may use, since it is a guess
_ENOUGH = 0.95  # of the latency: so many designs that take this end the search
_TICK = 1e-15  # seconds: a guess's coefficients are whole numbers of these
_COUNTED = ("macs", "training_bytes", "params")


class TimedForm(NamedTuple):
    """A `Form` with a guess of the latency, in ticks of 1e-15 s."""

    params: Polynomial
    macs: Polynomial
    training_bytes: Polynomial
    latency: Polynomial


@dataclass(frozen=True, slots=True)
class Guess:
    """Seconds for each MAC, byte of training activations, parameter, block, and answer."""

    weights: tuple[float, ...]

    def timed(self, form: Form) -> TimedForm:
        """The form with its latency."""
        factors = [weight / _TICK for weight in self.weights]
        return TimedForm(*form, _combined(form, factors))


@dataclass(frozen=True, slots=True)
class Sample:
    """A design with its form, and what it took once it is measured."""

    design: Design
    form: Form
    took: Spread | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Measures designs under fixed conditions.

    Attributes:
        allowed: the latency that designs are to keep, in seconds.
    """

    measure: Measure
    allowed: float
    image_size: int | tuple[int, int]
    classes: int

    def __call__(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples with what they took."""
        took = self.measure([one.design for one in samples], self.image_size, self.classes)
        return [replace(one, took=spread) for one, spread in zip(samples, took, strict=True)]


Propose = Callable[[Guess, float], list[Sample]]
"""Searches with a guess for designs within so many seconds, the best first."""


def within_latency(
    clock: Clock,
    space: Space,
    forms: Sequence[tuple[Design, Form]],
    keeps_others: Callable[[Sample], bool],
    propose: Propose,
    count: int,
) -> list[Sample]:
    """Measured designs within the latency.

    Args:
        forms: of which the search may choose. keeps_others: whether a design keeps the other
            budgets. propose: the search. count: how many designs are wanted.

    Raises:
        InputError: if the smallest design takes longer; it says how long.
    """
    smallest = _smallest(clock, space, forms)
    known = [smallest, *_calibration(clock, space, forms, keeps_others, smallest)]
    kept = [one for one in known if _keeps(one, clock)]
    for _ in range(_ROUNDS):
        guess = _guess(known, clock)
        fresh = [one for one in propose(guess, _TARGET * clock.allowed) if not _is_in(one, known)]
        if not fresh:
            break
        known += (found := clock(fresh[: count + 2]))
        kept = [*(one for one in found if _keeps(one, clock)), *kept]
        if sum(_median(one) >= _ENOUGH * clock.allowed for one in kept) >= count:
            break
    best = sorted(kept, key=lambda one: -_median(one))[: 2 * count]
    confirmed = [one for one in clock(best) if _keeps(one, clock)]
    return confirmed or [smallest]


def _keeps(one: Sample, clock: Clock) -> bool:
    return _median(one) <= clock.allowed


def _median(one: Sample) -> float:
    assert one.took is not None
    return one.took.median


def _is_in(one: Sample, known: Sequence[Sample]) -> bool:
    return any(one.design == other.design for other in known)


def _smallest(clock: Clock, space: Space, forms: Sequence[tuple[Design, Form]]) -> Sample:
    """The smallest design, measured: of several forms, the one with the fewest MACs."""
    depths, widths = space.smallest()
    design, form = min(forms, key=lambda one: one[1].macs.at(depths, widths, clock.classes))
    least = with_fields(design, {"depths": depths, "widths": widths})
    (found,) = clock([Sample(least, form)])
    if not _keeps(found, clock):
        raise InputError(
            f"no design keeps a latency of {seconds_in_words(clock.allowed)}: the smallest "
            f"possible, depths {depths} and widths {widths}, was measured to take "
            f"{seconds_in_words(_median(found))}; give at least that, or a smaller image"
        )
    return found


def _calibration(
    clock: Clock,
    space: Space,
    forms: Sequence[tuple[Design, Form]],
    keeps_others: Callable[[Sample], bool],
    smallest: Sample,
) -> list[Sample]:
    """Random designs that take from a quarter of the latency to all of it and a little more."""
    drawn = [one for one in _drawn(space, forms) if keeps_others(one)]
    drawn.sort(key=lambda one: _macs(one, clock))
    probes, largest = [], _macs(smallest, clock)
    while True:
        more = [one for one in drawn if _macs(one, clock) >= _FACTOR * largest]
        if not more:
            break
        probes += clock(more[:1])
        largest = _macs(more[0], clock)
        if not _keeps(probes[-1], clock):
            break
    near = [one for one in drawn if largest / _FACTOR**2 <= _macs(one, clock) <= largest]
    step = max(1, len(near) // _CALIBRATED)
    return [*probes, *(clock(near[::step][:_CALIBRATED]) if near else [])]


def _macs(one: Sample, clock: Clock) -> int:
    return one.form.macs.at(one.design.depths, one.design.widths, clock.classes)


def _drawn(space: Space, forms: Sequence[tuple[Design, Form]]) -> Iterator[Sample]:
    draw = random.Random(0)
    for at in range(_SAMPLES):
        depths, widths = space.sample(draw)
        design, form = forms[at % len(forms)]
        yield Sample(with_fields(design, {"depths": depths, "widths": widths}), form)


def _guess(known: Sequence[Sample], clock: Clock) -> Guess:
    """The line that fits best relative to what was measured, corrected near the latency."""
    rows = np.array([_features(one, clock) for one in known])
    took = np.array([_median(one) for one in known])
    # Designs that take about as long as is allowed count most.
    trust = np.exp(-np.abs(np.log(took / clock.allowed)))
    scale = rows.max(0)
    found, _ = nnls(rows / scale * (trust / took)[:, None], trust)
    weights = found / scale
    near = np.abs(np.log(took / clock.allowed)) < 0.2
    if near.any():
        weights = weights * median((took / (rows @ weights))[near])
    return Guess(tuple(float(weight) for weight in weights))


def _features(one: Sample, clock: Clock) -> tuple[float, ...]:
    depths, widths = one.design.depths, one.design.widths
    counted = (getattr(one.form, name).at(depths, widths, clock.classes) for name in _COUNTED)
    return (*(float(amount) for amount in counted), float(sum(depths)), 1.0)


def _combined(form: Form, factors: Sequence[float]) -> Polynomial:
    """The sum of the counted polynomials, each times its factor, and of blocks and a constant."""
    parts: Mapping[str, Polynomial] = {name: getattr(form, name) for name in _COUNTED}
    weighted = [(parts[name], factors[at]) for at, name in enumerate(_COUNTED)]

    def total(*amounts: int, plus: float = 0.0) -> int:
        terms = zip(amounts, (factor for _, factor in weighted), strict=True)
        return round(sum((amount * factor for amount, factor in terms), plus))

    polynomials = [one for one, _ in weighted]
    block, answer = factors[len(_COUNTED) :]
    stages = len(form.macs.stages)
    return Polynomial(
        tuple(
            Coefficients(*(total(*terms) for terms in zip(*each, strict=True)))
            for each in zip(*(one.stages for one in polynomials), strict=True)
        ),
        total(*(one.constant for one in polynomials), plus=answer + stages * block),
        tuple(
            total(*each, plus=block)
            for each in zip(*(one.more_constant for one in polynomials), strict=True)
        ),
        (
            total(*(one.classes[0] for one in polynomials)),
            total(*(one.classes[1] for one in polynomials)),
        ),
    )


def ticks(seconds: float) -> int:
    """Seconds as a guess counts them."""
    return round(seconds / _TICK)
