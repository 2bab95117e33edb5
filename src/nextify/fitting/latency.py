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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from operator import mul
from statistics import median

import numpy as np
from scipy.optimize import nnls

from nextify.costs import Form, Polynomial
from nextify.costs.form import Coefficients
from nextify.designs import Design
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.fitting.budgets import Measure
from nextify.fitting.problem import Problem, Sample
from nextify.words import seconds_in_words

_SAMPLES = 400  # random designs, of which some are measured
_CALIBRATED = 8  # of them
_FACTOR = 4  # in MACs, from one probe to the next
_ROUNDS = 4
_TARGET = 0.98  # of the latency: what the guess may use, since it is a guess
_ENOUGH = 0.95  # of the latency: so many designs that take this end the search
_TICK = 1e-15  # seconds: a guess's coefficients are whole numbers of these
_COUNTED = ("macs", "training_bytes", "params")


@dataclass(frozen=True, slots=True)
class Clock:
    """Measures designs of a problem under its conditions.

    Attributes:
        allowed: the latency that designs are to keep, in seconds.
    """

    problem: Problem
    measure: Measure
    allowed: float

    def __call__(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples with what they took."""
        designs = [one.design for one in samples]
        took = self.measure(designs, self.problem.image_size, self.problem.classes)
        return [replace(one, took=spread) for one, spread in zip(samples, took, strict=True)]

    def keeps(self, one: Sample) -> bool:
        """Whether a measured design keeps the latency."""
        return _median(one) <= self.allowed

    def count(self, one: Sample, name: str) -> int:
        """What a sample costs, by a name of `Totals`."""
        counted: Polynomial = getattr(one.form, name)
        return counted.at(one.design.depths, one.design.widths, self.problem.classes)


def within_latency(problem: Problem, measure: Measure, allowed: float, count: int) -> list[Sample]:
    """Measured designs within a latency in seconds; `count` are wanted.

    Raises:
        InputError: if the smallest design takes longer; it says how long.
    """
    clock = Clock(problem, measure, allowed)
    smallest = _smallest(clock)
    known = [smallest, *_calibration(clock, smallest)]
    kept = [one for one in known if clock.keeps(one)]
    for _ in range(_ROUNDS):
        guess = partial(_latency, _guess(known, clock))
        proposed = problem.proposals(guess, round(_TARGET * allowed / _TICK))
        fresh = [one for one in proposed if all(one.design != other.design for other in known)]
        if not fresh:
            break
        known += (found := clock(fresh[: count + 2]))
        kept = [*filter(clock.keeps, found), *kept]
        if sum(_median(one) >= _ENOUGH * allowed for one in kept) >= count:
            break
    best = sorted(kept, key=lambda one: -_median(one))[: 2 * count]
    return list(filter(clock.keeps, clock(best))) or [smallest]


def _median(one: Sample) -> float:
    assert one.took is not None
    return one.took.median


def _smallest(clock: Clock) -> Sample:
    """The smallest design, measured: of several forms, the one with the fewest MACs."""
    depths, widths = clock.problem.space.smallest()
    samples = [_sized(one, depths, widths) for one in clock.problem.forms]
    (found,) = clock([min(samples, key=lambda one: clock.count(one, "macs"))])
    if not clock.keeps(found):
        raise InputError(
            f"no design keeps a latency of {seconds_in_words(clock.allowed)}: the smallest "
            f"possible, depths {depths} and widths {widths}, was measured to take "
            f"{seconds_in_words(_median(found))}; give at least that, or a smaller image"
        )
    return found


def _sized(one: tuple[Design, Form], depths: tuple[int, ...], widths: tuple[int, ...]) -> Sample:
    design, form = one
    return Sample(with_fields(design, {"depths": depths, "widths": widths}), form)


def _calibration(clock: Clock, smallest: Sample) -> list[Sample]:
    """Random designs that take from a quarter of the latency to all of it and a little more."""
    macs = partial(clock.count, name="macs")
    drawn = sorted(_drawn(clock.problem), key=macs)
    probes, largest = [], macs(smallest)
    while more := [one for one in drawn if macs(one) >= _FACTOR * largest]:
        probes += clock(more[:1])
        largest = macs(more[0])
        if not clock.keeps(probes[-1]):
            break
    near = [one for one in drawn if largest / _FACTOR**2 <= macs(one) <= largest]
    step = max(1, len(near) // _CALIBRATED)
    return [*probes, *(clock(near[::step][:_CALIBRATED]) if near else [])]


def _drawn(problem: Problem) -> list[Sample]:
    """Random designs that keep the budgets which are counted."""
    draw = random.Random(0)
    forms = islice(cycle(problem.forms), _SAMPLES)
    drawn = [_sized(form, *problem.space.sample(draw)) for form in forms]
    return [one for one in drawn if problem.keeps(one.design)]


def _guess(known: Sequence[Sample], clock: Clock) -> list[float]:
    """Seconds for each MAC, byte of training activations, parameter, block, and answer: the line
    that fits best relative to what was measured, corrected near the latency."""
    counts = [[clock.count(one, name) for name in _COUNTED] for one in known]
    blocks = [[sum(one.design.depths), 1] for one in known]
    rows = np.concatenate([counts, blocks], axis=1, dtype=np.float64)
    took = np.array([_median(one) for one in known])
    # Designs that take about as long as is allowed count most.
    trust = np.exp(-np.abs(np.log(took / clock.allowed)))
    scale = rows.max(0)
    found, _ = nnls(rows / scale * (trust / took)[:, None], trust)
    weights = found / scale
    near = np.abs(np.log(took / clock.allowed)) < 0.2
    if near.any():
        weights = weights * median((took / (rows @ weights))[near])
    return [float(weight) for weight in weights]


def _latency(weights: Sequence[float], form: Form) -> Polynomial:
    """The guess for a form, in ticks: the sum of the counted polynomials, each times its factor,
    and of blocks and a constant."""
    *factors, block, answer = (weight / _TICK for weight in weights)
    parts: list[Polynomial] = [getattr(form, name) for name in _COUNTED]

    def total(amounts: Iterable[int], plus: float = 0.0) -> int:
        return round(sum(map(mul, amounts, factors), plus))

    stages = zip(*(one.stages for one in parts), strict=True)
    more = zip(*(one.more_constant for one in parts), strict=True)
    constant, by_width = (total(one.classes[at] for one in parts) for at in (0, 1))
    return Polynomial(
        tuple(Coefficients(*map(total, zip(*stage, strict=True))) for stage in stages),
        total((one.constant for one in parts), answer + len(form.macs.stages) * block),
        tuple(total(each, block) for each in more),
        (constant, by_width),
    )
