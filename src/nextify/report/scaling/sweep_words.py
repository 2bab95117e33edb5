"""Measured mixers in words: formula, count and measurement, and why they differ."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import mode
from typing import Any

from scipy import stats

from nextify.report.scaling.blocks import Block, Paragraph, Table, clock
from nextify.report.scaling.law_words import law_values
from nextify.scaling.laws import findings
from nextify.scaling.laws.findings import Reason
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.formulas import law
from nextify.scaling.laws.mixers import in_plane
from nextify.scaling.laws.ranges import POINTS
from nextify.scaling.laws.sweeps import AXES, Axis, Sweep
from nextify.words import MISSING, bytes_in_words, listed, plural

_HEAD = ("mixer", "over", "sizes", "n", "formula MACs", "torch's count", "leading", "MACs", "time",
         "", "formula bytes", "in use", "resident", "")  # fmt: skip
_COLUMNS = """
formula MACs, torch's count: at the largest size. leading: the exponent of the term that
wins; MACs: of all terms over these sizes; time: measured. formula bytes: in use at once
at the largest size; in use: their exponent; resident: of the process's growth, measured.
agrees: at most 0.15 from the formula and known to 0.15. differs: farther, and the formula is
outside of the interval. not resolved: neither."""
_REASONS = {
    "lower order": "terms of lower order: the exact MACs themselves grow as {axis}^{0:.2f} here",
    "rate": "rate: inside the products from {0:.1f} to {1:.1f} GMACs a second{step}; the same "
            "products by themselves, outside of the mixer, from {2:.1f} to {3:.1f}; at an even "
            "rate of these the time would grow as {axis}^{4:.2f} ± {5:.2f}",
    "overhead": "overhead: {0:.0%} of the time at {at[0]} does not scale; sizes are chosen for a "
                "tenth at the most, where the memory and the largest {axis} allow that",
    "all overhead": "overhead: a call at {at[0]} takes no longer than at the smallest size "
                    "possible",
    "no MACs": "operators without MACs (softmax, tanh, GELU, copies, dispatch): {0:.0%} of the "
               "time at the smallest size, {1:.0%} at the largest",
    "cache": "cache: the working set outgrows {0:.0f} MiB between {at[0]} and {at[1]}, where the "
             "local exponent is {1:.1f}",
    "fused": "fused kernel: the N x N map is never stored, so that memory grows with N alone; "
             "torch's counter does not see it and was run with plain products",
    "noise": "noise: rounds differ by up to {0:.1f} times; repeat on an idle machine",
    "buffers": "memory: {0:,.0f} of {1:,.0f} MB at {at[0]} are buffers inside {operator}, which "
               "formulas leave out",
    "objects": "memory: {0:,.0f} of {1:,.0f} MB at {at[0]} are objects around small tensors, "
               "which formulas leave out",
}  # fmt: skip
_NOTHING = "nothing that was looked for: no overhead, {}uncounted operator or noise"
_ALWAYS = ("overhead", "all overhead", "fused", "noise")  # is told of lines that agree, too


def sweeps_in_words(sweeps: Sequence[Sweep]) -> Iterator[Block]:
    """Formula, count and measurement side by side, then what is to know of each."""
    first = sweeps[0]
    yield (
        f"Time: {first.step}, {clock(first.threads)}, float32. Exponents: slopes in log-log "
        "coordinates by least"
    )
    yield "squares, with 95 % intervals (Student's, n - 2 degrees of freedom)."
    yield Paragraph(conditions_in_words(sweeps))
    yield ""
    yield Table(_HEAD, [_row(sweep) for sweep in sweeps])
    yield _COLUMNS
    if first.step == "training":
        yield "MACs and memory are those of the forward pass; a training step has three times the"
        yield "MACs."
    for sweep in sweeps:
        yield from explained(sweep)


def conditions_in_words(sweeps: Sequence[Sweep]) -> str:
    """What is fixed over each axis, and the last cache, beyond which sizes over N are chosen."""
    said = [_fixed(own) for axis in AXES if (own := [s for s in sweeps if s.axis == axis])]
    if any(in_plane(sweep.mixer) for sweep in sweeps if sweep.axis == "D"):
        said.append("in the plane N is the nearest square of whole windows, or of sides of 8")
    known = sorted({sweep.cache for sweep in sweeps if sweep.cache})
    told = f"{listed([f'{size / 2**20:g}' for size in known])} MiB" if known else "not known"
    return f"{'; '.join(said)}; last cache: {told}."


def _fixed(sweeps: Sequence[Sweep]) -> str:
    """Over one axis: the other, as most have it (where others have another, by name), and the
    batch."""
    axis, batch = sweeps[0].axis, sweeps[0].points[0].batch
    other: Axis = "D" if axis == "N" else "N"
    sizes = {sweep.name: sweep.points[0].size(other) for sweep in sweeps}
    usual = mode(sizes.values())
    rest = [f"{name} {size:,}" for name, size in sizes.items() if size != usual]
    but = f" ({', '.join(rest)})" if rest else ""
    return f"over {axis} {other} = {usual:,}{but} and {plural(batch, 'sequence')}"


def _row(sweep: Sweep) -> list[str]:
    last, memory = sweep.points[-1], sweep.memory
    sizes = f"{sweep.sizes[0]:,} to {sweep.sizes[-1]:,}"
    count = f"{last.counted:,}" if last.counted != last.macs else "the same"
    grown = MISSING if memory is None else exponent_in_words(memory)
    macs = [f"{last.macs:,}", count, f"{sweep.leading}", f"{sweep.in_range.value:.2f}"]
    times = [exponent_in_words(sweep.time), findings.time_verdict(sweep)]
    amounts = [bytes_in_words(last.alive), f"{sweep.alive.value:.2f}", grown]
    told = findings.memory_verdict(sweep) or ""
    n = str(len(sweep.points))
    return [sweep.name, sweep.axis, sizes, n, *macs, *times, *amounts, told]


def exponent_in_words(found: Exponent) -> str:
    """
    >>> exponent_in_words(Exponent(2.0, 1.9, 2.1, n=7, bend=0.1))
    '2.00 ± 0.10'
    """
    return f"{found.value:.2f} ± {found.half:.2f}"


def explained(sweep: Sweep) -> Iterator[str]:
    """Why time differs or is not resolved; what is to know where it agrees (overhead, kernels,
    noise)."""
    told = findings.time_verdict(sweep)
    words = _reasons(sweep)
    if told == "differs" and not any(findings.reasons(sweep)):
        words.insert(0, _NOTHING.format("cache, " if sweep.cache else ""))
    if steps := findings.paces(sweep):
        ends = zip((steps[0], steps[-1]), (sweep.sizes[0], sweep.sizes[-1]), strict=True)
        said = (f"{1e6 * seconds:.2f} µs at N = {size:,}" for seconds, size in ends)
        words.append(f"a step takes {', '.join(said)}")
    parts = findings.parts(sweep)
    verdict = {
        "agrees": "agrees",
        "not resolved": f"is not resolved: {unresolved_in_words(sweep.time)}",
        "differs": f"differs by {sweep.time.value - sweep.leading:+.2f} ({parts.lower:+.2f} "
        f"terms of lower order, {parts.rate:+.2f} the rate of products, {parts.rest:+.2f} all "
        "other time)",
    }[told]
    if words or told == "not resolved":
        yield f"\n{sweep.name} over {sweep.axis} {verdict}{':' if words else '.'}"
        yield from (f"  {each}" for each in words)


def _reasons(sweep: Sweep) -> list[str]:
    """All that is told of a line: what bends it where it differs, and what is to know else."""
    differs = findings.time_verdict(sweep) == "differs"
    bends = (each for each in findings.reasons(sweep) if differs or each.cause in _ALWAYS)
    return [reason_in_words(sweep, each) for each in (*bends, *findings.no_tensors(sweep))]


def unresolved_in_words(found: Exponent) -> str:
    """How wide the interval is, and what would make it narrower."""
    said = f"{exponent_in_words(found)} at n = {found.n}; ± {findings.NEAR} would tell"
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


def reason_in_words(sweep: Sweep, reason: Reason) -> str:
    """What bends a line, in a sentence."""
    last = sweep.points[-1].resident
    named = {
        "axis": sweep.axis,
        "at": [f"{sweep.axis} = {size:,}" for size in reason.sizes],
        "step": " (those of the forward pass)" if sweep.step == "training" else "",
        "operator": last.operator if last else "",
    }
    return _REASONS[reason.cause].format(*reason.values, **named)


def sweep_values(sweep: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, for JSON."""
    memory, told = sweep.memory, findings.time_verdict(sweep)
    return {
        "mixer": sweep.name,
        "axis": sweep.axis,
        "step": sweep.step,
        "threads": sweep.threads,
        "overhead_seconds": sweep.overhead,
        "last_cache_bytes": sweep.cache or None,
        "leading_exponent": sweep.leading,
        "leading_share": sweep.share,
        "macs_exponent": asdict(sweep.in_range),
        "time_exponent": asdict(sweep.time),
        "products_exponent": asdict(sweep.products),
        "even_rate_exponent": asdict(sweep.at_even_rate),
        "difference": asdict(findings.parts(sweep)),
        "in_use_exponent": asdict(sweep.alive),
        "resident_exponent": None if memory is None else asdict(memory),
        "verdict": told,
        "memory_verdict": findings.memory_verdict(sweep),
        "agrees": told == "agrees",
        "reasons": _reasons(sweep),
        "law": law_values(law(sweep.mixer)),
        "points": [asdict(point) for point in sweep.points],
    }
