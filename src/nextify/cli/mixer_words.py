"""What `nextify scale mixers` prints: laws, tables and what was found, for people and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nextify.cli.paper_table import paper_values, print_paper, textbook
from nextify.cli.show import print_json, print_table, say
from nextify.scaling.laws import Law, Mixer, law
from nextify.scaling.laws.findings import (
    memory_verdict,
    no_tensors,
    pace,
    parts,
    reasons,
    time_verdict,
    unresolved,
)
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.sweeps import Point, Sweep
from nextify.words import bytes_in_words


def print_laws(chosen: dict[str, Mixer], as_json: bool) -> None:
    """The laws alone."""
    laws = {name: law(one) for name, one in chosen.items()}
    if as_json:
        print_json(
            {
                name: {**_law_values(found), "paper": paper_values(name)}
                for name, found in laws.items()
            }
        )
        return
    head = ["mixer", "MACs", "leading", "steps", "path", "weights"]
    cost = ("macs", "leading", "sequential", "path_leading", "parameters")
    memory = ("inference", "kept")
    print_table(head, [[name, *_terms(found, cost)] for name, found in laws.items()])
    say("")
    head = ["mixer", "values in use", "values kept"]
    print_table(head, [[name, *_terms(found, memory)] for name, found in laws.items()])
    for line in _LEGEND:
        say(line)
    print_paper(chosen)


_LEGEND = (
    "",
    "B sequences of N tokens of width D; P tokens with those that pad windows: w ceil(N / w), or",
    "w^2 ceil(R / w) ceil(C / w) in the plane of R x C = N tokens; h heads, w window, k kernel, r",
    "ratio. steps: products that wait for one another. path: layers between the two tokens that",
    "are farthest apart (oo: they never meet). in use: alive at once in a forward pass. kept: what",
    "the backward pass needs, weights left out.",
)


def _terms(found: Law, names: Sequence[str]) -> list[str]:
    return [textbook(getattr(found, name)) for name in names]


def _law_values(found: Law) -> dict[str, str]:
    names = ("macs", "leading", "parameters", "inference", "kept", "sequential", "path_leading")
    return {name: str(getattr(found, name)) for name in (*names, "padded")}


def print_sweeps(sweeps: Sequence[Sweep]) -> None:
    """Formula, count and measurement side by side, then what is to know of each."""
    first = sweeps[0]
    clock = "processor time, 1 thread" if first.threads == 1 else f"{first.threads} threads"
    say(f"Time: {first.step}, {clock}, float32. Exponents: slopes in log-log coordinates by least")
    say("squares, with 95 % intervals (Student's, n - 2 degrees of freedom).\n")
    head = ["mixer", "over", "sizes", "n", "formula MACs", "torch's count", "leading", "MACs",
            "time", "", "formula bytes", "in use", "resident", ""]  # fmt: skip
    print_table(head, [_row(sweep) for sweep in sweeps])
    for line in _COLUMNS:
        say(line)
    if first.step == "training":
        say("MACs and memory are those of the forward pass; a training step has three times the")
        say("MACs.")
    for sweep in sweeps:
        _explain(sweep)


_COLUMNS = (
    "",
    "formula MACs, torch's count: at the largest size. leading: the exponent of the term that",
    "wins; MACs: of all terms over these sizes; time: measured. formula bytes: in use at once",
    "at the largest size; in use: their exponent; resident: of the process's growth, measured.",
    "agrees: at most 0.15 from the formula and known to 0.15. differs: farther, and the formula is",
    "outside of the interval. not resolved: neither.",
)


def _row(sweep: Sweep) -> list[str]:
    last, memory = sweep.points[-1], sweep.memory
    return [
        sweep.name,
        sweep.axis,
        f"{sweep.sizes[0]:,} to {sweep.sizes[-1]:,}",
        str(len(sweep.points)),
        f"{last.macs:,}",
        _count(last),
        f"{sweep.leading}",
        f"{sweep.in_range.value:.2f}",
        _exponent(sweep.time),
        time_verdict(sweep),
        bytes_in_words(last.alive),
        f"{sweep.alive.value:.2f}",
        "–" if memory is None else _exponent(memory),
        memory_verdict(sweep) or "",
    ]


def _count(point: Point) -> str:
    return f"{point.counted:,}" if point.counted != point.macs else "the same"


def _exponent(found: Exponent) -> str:
    return f"{found.value:.2f} ± {found.half:.2f}"


def _explain(sweep: Sweep) -> None:
    """Why time differs or is not resolved; what is to know where it agrees (kernels, noise)."""
    found = list(reasons(sweep))
    if time_verdict(sweep) != "differs":
        found = [words for words in found if words.startswith(("fused", "noise"))]
    elif not found:
        found = ["nothing that was looked for: no overhead, cache, uncounted operator or noise"]
    found += [*no_tensors(sweep), *filter(None, [pace(sweep)])]
    if found or time_verdict(sweep) == "not resolved":
        say(f"\n{sweep.name} over {sweep.axis} {_said(sweep)}{':' if found else '.'}")
        for words in found:
            say(f"  {words}")


def _said(sweep: Sweep) -> str:
    match time_verdict(sweep):
        case "agrees":
            return "agrees"
        case "not resolved":
            return f"is not resolved: {unresolved(sweep)}"
        case "differs":
            found = parts(sweep)
            return (
                f"differs by {sweep.time.value - sweep.leading:+.2f} ({found.lower:+.2f} terms of "
                f"lower order, {found.rate:+.2f} the rate of products, {found.rest:+.2f} all other "
                "time)"
            )


def sweep_values(sweep: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, for JSON."""
    memory, told = sweep.memory, time_verdict(sweep)
    return {
        "mixer": sweep.name,
        "axis": sweep.axis,
        "step": sweep.step,
        "threads": sweep.threads,
        "overhead_seconds": sweep.overhead,
        "leading_exponent": sweep.leading,
        "leading_share": sweep.share,
        "macs_exponent": asdict(sweep.in_range),
        "time_exponent": asdict(sweep.time),
        "products_exponent": asdict(sweep.products),
        "even_rate_exponent": asdict(sweep.at_even_rate),
        "difference": asdict(parts(sweep)),
        "in_use_exponent": asdict(sweep.alive),
        "resident_exponent": None if memory is None else asdict(memory),
        "verdict": told,
        "memory_verdict": memory_verdict(sweep),
        "agrees": told == "agrees",
        "reasons": [*(reasons(sweep) if told == "differs" else ()), *no_tensors(sweep)],
        "law": _law_values(law(sweep.mixer)),
        "points": [asdict(point) for point in sweep.points],
    }
