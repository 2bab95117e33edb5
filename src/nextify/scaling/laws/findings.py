"""Where a measured exponent differs from the formula's, and why: values and codes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nextify.scaling.laws.fit import Exponent, local_exponents
from nextify.scaling.laws.mixers import Recurrence
from nextify.scaling.laws.sweeps import Sweep

Verdict = Literal["agrees", "differs", "not resolved"]
Cause = Literal[
    "lower order", "rate", "overhead", "all overhead", "no MACs", "cache", "fused", "noise",
    "buffers", "objects",
]  # fmt: skip

NEAR = 0.15  # exponents that differ by less agree, if they are known as well
OVERHEAD = 0.1  # of the time at the smallest size, at the most
_IDLE = 0.25  # of the time, outside of operators with MACs
_JUMP = 0.3  # of a local exponent above the leading one
_NOISY = 1.3  # slowest round over fastest
_BENDS = 0.05  # of an exponent
_RATE = 1.1  # MACs a second at one end over those at the other
_UNSEEN = 0.25  # of the memory that tensors take
_LEAST_UNSEEN = 4 << 20  # bytes: less is not told from what the system rounds


@dataclass(frozen=True, slots=True)
class Parts:
    """Of what a measured exponent differs from the leading one. The three add up to it.

    Attributes:
        lower: terms of lower order, which the exact MACs have.
        rate: multiply-accumulates a second, inside the operators that do them, that change with
            the size.
        rest: all other time: operators without multiply-accumulates, the interpreter.
    """

    lower: float
    rate: float
    rest: float


def parts(sweep: Sweep) -> Parts:
    """Take the difference apart: slopes of a product's factors add up."""
    exact, inside = sweep.in_range.value, sweep.products.value
    return Parts(exact - sweep.leading, inside - exact, sweep.time.value - inside)


def verdict(measured: Exponent, formula: float) -> Verdict:
    """What a measured exponent says of the formula's.

    - agrees: at most 0.15 away, and known to 0.15 (half of its interval): the slope is then at
      most 0.3 away.
    - differs: more than 0.15 away, and the formula's is outside of the interval.
    - not resolved: neither. The interval is then wider than 0.15 to each side.

    >>> verdict(Exponent(2.01, 1.94, 2.08, n=7, bend=0.1), 2)
    'agrees'
    >>> verdict(Exponent(2.01, 0.15, 3.87, n=3, bend=0.1), 2)  # not known well enough to agree
    'not resolved'
    >>> verdict(Exponent(1.81, 1.49, 2.13, n=7, bend=0.1), 2)  # and not to differ
    'not resolved'
    """
    if abs(measured.value - formula) <= NEAR:
        return "agrees" if measured.half <= NEAR else "not resolved"
    return "not resolved" if measured.low <= formula <= measured.high else "differs"


def time_verdict(sweep: Sweep) -> Verdict:
    """What the measured exponent of time says of the leading one."""
    return verdict(sweep.time, sweep.leading)


def memory_verdict(sweep: Sweep) -> Verdict | None:
    """What the measured exponent of memory says of the formula's; None where none was measured."""
    return None if sweep.memory is None else verdict(sweep.memory, sweep.alive.value)


def paces(sweep: Sweep) -> tuple[float, ...]:
    """Of a recurrence over N: the seconds of one step at each size; of others, none."""
    if not isinstance(sweep.mixer, Recurrence) or sweep.axis != "N":
        return ()
    return tuple(point.seconds / point.size("N") for point in sweep.points)


@dataclass(frozen=True, slots=True)
class Reason:
    """What bends a line, as found in the measurements.

    Attributes:
        cause: terms that do not lead, products whose rate changes, a fixed overhead, operators
            without MACs (softmax, tanh, GELU and copies take time, too), a step out of the cache,
            a fused kernel, noise; of memory, buffers and objects.
        values: that tell it; rates in GMACs a second, a cache in MiB, memory in MB.
        sizes: at which.
    """

    cause: Cause
    values: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()


def reasons(sweep: Sweep) -> Iterator[Reason]:
    """What was found in the measurements that bends the line of time."""
    found, ends = parts(sweep), (sweep.points[0], sweep.points[-1])
    if abs(found.lower) > _BENDS:
        yield Reason("lower order", (sweep.in_range.value,))
    inside, alone = rates(sweep)
    if max(inside) > _RATE * min(inside):  # larger products use the processor better, or worse
        even = sweep.at_even_rate
        giga = (rate / 1e9 for rate in (*inside, *alone))
        yield Reason("rate", (*giga, even.value, even.half))
    if (share := sweep.overhead_share) > OVERHEAD:
        yield Reason("overhead" if share < 1 else "all overhead", (share,), sweep.sizes[:1])
    idle = tuple(1 - point.busy for point in ends)
    if max(idle) >= _IDLE or abs(found.rest) >= _BENDS:
        yield Reason("no MACs", idle)
    yield from _cache(sweep)
    if any(point.unseen for point in sweep.points):
        yield Reason("fused")
    worst = max(point.slowest / point.fastest for point in sweep.points)
    if worst >= _NOISY:
        yield Reason("noise", (worst,))


def _cache(sweep: Sweep) -> Iterator[Reason]:
    """The first steep step between two sizes of which one fits the cache and the other does not."""
    slopes = local_exponents(sweep.sizes, [point.seconds for point in sweep.points])
    for small, large, slope in zip(sweep.points, sweep.points[1:], slopes, strict=False):
        crosses = small.alive <= sweep.cache < large.alive
        if crosses and slope > sweep.leading + _JUMP:
            sizes = (small.size(sweep.axis), large.size(sweep.axis))
            yield Reason("cache", (sweep.cache / 2**20, slope), sizes)
            return


def rates(sweep: Sweep) -> tuple[tuple[float, float], tuple[float, float]]:
    """Forward MACs a second at the smallest and at the largest size: inside the products, and of
    the same products by themselves."""
    first, last = sweep.points[0], sweep.points[-1]
    inside = (first.macs / (first.busy * first.seconds), last.macs / (last.busy * last.seconds))
    alone = (first.macs / (first.bare * first.seconds), last.macs / (last.bare * last.seconds))
    return inside, alone


def no_tensors(sweep: Sweep) -> Iterator[Reason]:
    """Where much more memory is resident at the largest size than tensors take: how much
    of what is resident is what."""
    last = sweep.points[-1].resident
    if last is None:
        return
    kinds: tuple[tuple[Cause, int], ...] = (("buffers", last.buffers), ("objects", last.objects))
    for cause, amount in kinds:
        if amount >= max(_LEAST_UNSEEN, _UNSEEN * last.tensors):
            yield Reason(cause, (amount / 1e6, last.bytes / 1e6), sweep.sizes[-1:])
