"""Where a measured exponent differs from the formula's, and why: told from the measurements."""

from dataclasses import dataclass
from typing import Literal

from scipy import stats

from nextify.scaling.laws.fit import Exponent, local_exponents
from nextify.scaling.laws.mixers import Recurrence
from nextify.scaling.laws.ranges import POINTS
from nextify.scaling.laws.sweeps import Point, Sweep

Verdict = Literal["agrees", "differs", "not resolved"]

NEAR = 0.15  # exponents that differ by less agree, if they are known as well
_OVERHEAD = 0.1  # of the time at the smallest size
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


def unresolved(sweep: Sweep) -> str:
    """How wide the interval of time is, and what would make it narrower."""
    found = sweep.time
    said = f"{found.value:.2f} ± {found.half:.2f} at n = {found.n}; ± {NEAR} would tell"
    if found.n < POINTS:
        errors = [float(stats.t.ppf(0.975, count - 2)) for count in (found.n, POINTS)]
        return (
            f"{said}. More sizes: with {found.n} the interval is {errors[0]:.1f} standard errors "
            f"to each side, with {POINTS} {errors[1]:.1f}"
        )
    return (
        f"{said}. Points are up to {found.bend:.0%} off a straight line: more --rounds on an idle "
        "machine, or the line is bent"
    )


def pace(sweep: Sweep) -> str:
    """Of a recurrence over N: the time of one step at the smallest and at the largest N."""
    if not isinstance(sweep.mixer, Recurrence) or sweep.axis != "N":
        return ""
    first, last = (
        f"{1e6 * point.seconds / point.size('N'):.2f} µs at {_at(sweep, point)}"
        for point in (sweep.points[0], sweep.points[-1])
    )
    return f"a step takes {first}, {last}"


def reasons(sweep: Sweep) -> tuple[str, ...]:
    """What was found in the measurements that bends the line, in words; empty if nothing was.

    Found in the data: terms that do not lead, products whose rate changes, a fixed overhead,
    operators without MACs, a step out of the cache, a fused kernel, noise.
    """
    checks = (_lower_terms, _rate, _overhead, _uncounted, _caches, _fused, _noise)
    return tuple(words for check in checks if (words := check(sweep)))


def rates(sweep: Sweep) -> tuple[tuple[float, float], tuple[float, float]]:
    """Forward MACs a second at the smallest and at the largest size: inside the products, and of
    the same products by themselves."""
    ends = sweep.points[0], sweep.points[-1]
    inside, alone = (
        tuple(point.macs / (share * point.seconds) for point, share in zip(ends, own, strict=True))
        for own in ([p.busy for p in ends], [p.bare for p in ends])
    )
    return (inside[0], inside[1]), (alone[0], alone[1])


def _lower_terms(sweep: Sweep) -> str:
    if abs(parts(sweep).lower) <= _BENDS:
        return ""
    return (
        f"terms of lower order: the exact MACs themselves grow as {sweep.axis}^"
        f"{sweep.in_range.value:.2f} here"
    )


def _overhead(sweep: Sweep) -> str:
    share = sweep.overhead / sweep.points[0].seconds
    if share < _OVERHEAD or sweep.step == "training":
        return ""
    place = _at(sweep, sweep.points[0])
    if share >= 1:
        return f"overhead: a call at {place} takes no longer than at the smallest size possible"
    return f"overhead: {share:.0%} of the time at {place} does not scale"


def _uncounted(sweep: Sweep) -> str:
    """Softmax, tanh, GELU and copies take time and have no multiply-accumulates."""
    first, last = (1 - sweep.points[at].busy for at in (0, -1))
    if max(first, last) < _IDLE and abs(parts(sweep).rest) < _BENDS:
        return ""
    return (
        f"operators without MACs (softmax, tanh, GELU, copies, dispatch): {first:.0%} of the time "
        f"at the smallest size, {last:.0%} at the largest"
    )


def _caches(sweep: Sweep) -> str:
    """A steep step between two sizes of which one fits the cache and the other does not."""
    slopes = local_exponents(sweep.sizes, [point.seconds for point in sweep.points])
    pairs = zip(sweep.points, sweep.points[1:], slopes, strict=False)
    for small, large, slope in pairs:
        crosses = small.alive <= sweep.cache < large.alive
        if crosses and slope > sweep.leading + _JUMP:
            return (
                f"cache: the working set outgrows {sweep.cache / 2**20:.0f} MiB between "
                f"{_at(sweep, small)} and {_at(sweep, large)}, where the local exponent is "
                f"{slope:.1f}"
            )
    return ""


def _rate(sweep: Sweep) -> str:
    """Larger products use the processor better (or worse), outside of the mixer too."""
    inside, alone = rates(sweep)
    if max(inside) <= _RATE * min(inside):
        return ""
    even = sweep.at_even_rate
    of_what = " (those of the forward pass)" if sweep.step == "training" else ""
    return (
        f"rate: inside the products from {inside[0] / 1e9:.1f} to {inside[1] / 1e9:.1f} GMACs a "
        f"second{of_what}; the same products by themselves, outside of the mixer, from "
        f"{alone[0] / 1e9:.1f} to {alone[1] / 1e9:.1f}; at an even rate of these the time would "
        f"grow as {sweep.axis}^{even.value:.2f} ± {even.half:.2f}"
    )


def _fused(sweep: Sweep) -> str:
    if not any(point.unseen for point in sweep.points):
        return ""
    return (
        "fused kernel: the N x N map is never stored, so that memory grows with N alone; torch's "
        "counter does not see it and was run with plain products"
    )


def _noise(sweep: Sweep) -> str:
    worst = max(point.slowest / point.fastest for point in sweep.points)
    if worst < _NOISY:
        return ""
    return f"noise: rounds differ by up to {worst:.1f} times; repeat on an idle machine"


def no_tensors(sweep: Sweep) -> tuple[str, ...]:
    """Where much more memory is resident at the largest size than tensors take, in words."""
    last = sweep.points[-1].resident
    if last is None:
        return ()
    whole = f"of {last.bytes / 1e6:,.0f} MB at {_at(sweep, sweep.points[-1])} are"
    kinds = (
        (last.buffers, f"buffers inside {last.operator}"),
        (last.objects, "objects around small tensors"),
    )
    least = max(_LEAST_UNSEEN, _UNSEEN * last.tensors)
    return tuple(
        f"memory: {amount / 1e6:,.0f} {whole} {words}, which formulas leave out"
        for amount, words in kinds
        if amount >= least
    )


def _at(sweep: Sweep, point: Point) -> str:
    return f"{sweep.axis} = {point.size(sweep.axis):,}"
