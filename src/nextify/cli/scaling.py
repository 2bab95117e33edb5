"""`nextify scale`: laws of scaling as formulas, counts and measurements side by side."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.cli import networks, sequence
from nextify.cli.folders import require_place
from nextify.cli.networks import require_unset
from nextify.cli.show import note, print_json, print_table, say
from nextify.costs.amounts import bytes_in_words, read_bytes
from nextify.errors import InputError
from nextify.scaling.laws import MIXERS, Law, Mixer, law, mixer
from nextify.scaling.laws.findings import agrees, no_tensors, parts, reasons
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.sweeps import Axis, Point, Sweep

_BATCH_ALONG_WIDTH = 4  # sequences: each weight is then used often enough to be worth its loading


def run(options: Namespace) -> int:
    """Carry out the command."""
    subjects = {"mixers": _mixers, "networks": networks.run, "sequence": sequence.run}
    return subjects[options.subject](options)


def _mixers(options: Namespace) -> int:
    chosen = _chosen(options.only)
    if options.formulas:
        require_unset(options, "axis", "sizes", "batch", "memory", "threads", "figure")
        _show_laws(chosen, options.json)
        return 0
    if options.figure:
        require_place(Path(options.figure), "--figure")
    sweeps = _measured(chosen, options)
    if options.figure:
        _draw(sweeps, Path(options.figure))
    if options.json:
        print_json([_values(sweep) for sweep in sweeps])
    else:
        _print(sweeps)
    return 0


def _chosen(names: str | None) -> dict[str, Mixer]:
    if names is None:
        return MIXERS
    return {name.strip(): mixer(name.strip()) for name in names.split(",")}


def _show_laws(chosen: dict[str, Mixer], as_json: bool) -> None:
    laws = {name: law(one) for name, one in chosen.items()}
    if as_json:
        print_json({name: _law_values(found) for name, found in laws.items()})
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


_LEGEND = (
    "",
    "B sequences of N tokens of width D; P tokens with those that pad windows: w ceil(N / w), or",
    "w^2 ceil(R / w) ceil(C / w) in the plane of R x C = N tokens; h heads, w window, k kernel, r",
    "ratio. steps: products that wait for one another. path: layers between the two tokens that",
    "are farthest apart (oo: they never meet). in use: alive at once in a forward pass. kept: what",
    "the backward pass needs, weights left out.",
    'The N^2 D of "Attention Is All You Need" leaves the projections out: see attention-core.',
)


def _terms(found: Law, names: Sequence[str]) -> list[str]:
    """Expressions as a textbook has them: 4 B D^2 N."""
    return [str(getattr(found, name)).replace("**", "^").replace("*", " ") for name in names]


def _law_values(found: Law) -> dict[str, str]:
    names = ("macs", "leading", "parameters", "inference", "kept", "sequential", "path_leading")
    return {name: str(getattr(found, name)) for name in (*names, "padded")}


def _measured(chosen: dict[str, Mixer], options: Namespace) -> list[Sweep]:
    """All sweeps. What does not fit is refused before anything is measured."""
    sizes = _sizes(options)
    memory = read_bytes("--memory", options.memory) if options.memory else None
    axes: tuple[Axis, ...] = ("N", "D") if options.axis is None else (options.axis,)
    from nextify.scaling.measuring import Settings, measure, prepare, require_sizes, usable_memory

    prepare(options.threads)
    sweeps = []
    for axis in axes:
        settings = Settings(
            tokens=options.tokens,
            width=options.width,
            batch=options.batch or (1 if axis == "N" else _BATCH_ALONG_WIDTH),
            step=options.step,
            rounds=options.rounds,
            seconds=options.seconds,
            memory=usable_memory() if memory is None else memory,
        )
        for name, one in chosen.items():
            require_sizes(name, one, axis, settings, sizes)
        for name, one in chosen.items():
            note(f"{name} along {axis} ...")
            sweeps.append(measure(name, one, axis, settings, sizes))
    return sweeps


def _sizes(options: Namespace) -> tuple[int, ...]:
    if options.sizes is None:
        return ()
    if options.axis is None:
        raise InputError("--sizes are along one axis; add --axis N or --axis D")
    parts = options.sizes.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise InputError(f"--sizes is {options.sizes!r}; give whole numbers, as 1024,2048,4096")
    sizes = tuple(sorted({int(part) for part in parts}))
    if len(sizes) < 3 or sizes[0] < 1:
        raise InputError(f"--sizes is {options.sizes!r}; a line needs three sizes of at least 1")
    return sizes


def _draw(sweeps: Sequence[Sweep], folder: Path) -> None:
    from nextify.report.mixer_figure import mixer_figure
    from nextify.report.write import write_drawings

    for path in write_drawings([mixer_figure(sweeps)], folder):
        note(f"wrote {path}")


def _print(sweeps: Sequence[Sweep]) -> None:
    first = sweeps[0]
    clock = "processor time, 1 thread" if first.threads == 1 else f"{first.threads} threads"
    say(f"Time: {first.step}, {clock}, float32. Exponents: slopes in log-log coordinates by least")
    say("squares, with 95 % intervals (Student's, n - 2 degrees of freedom).\n")
    head = ["mixer", "over", "sizes", "n", "formula MACs", "torch's count", "leading", "MACs",
            "time", "", "formula bytes", "in use", "resident"]  # fmt: skip
    print_table(head, [_row(sweep) for sweep in sweeps])
    say(
        "\nformula MACs, torch's count: at the largest size. leading: the exponent of the term that"
    )
    say("wins; MACs: of all terms over these sizes; time: measured. formula bytes: in use at once")
    say("at the largest size; in use: their exponent; resident: of the process's growth, measured.")
    if first.step == "training":
        say("MACs and memory are those of the forward pass; a training step has three times the")
        say("MACs.")
    for sweep in sweeps:
        _explain(sweep)


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
        "" if agrees(sweep) else "differs",
        bytes_in_words(last.alive),
        f"{sweep.alive.value:.2f}",
        "–" if memory is None else _exponent(memory),
    ]


def _count(point: Point) -> str:
    return f"{point.counted:,}" if point.counted != point.macs else "the same"


def _exponent(found: Exponent) -> str:
    return f"{found.value:.2f} ± {(found.high - found.low) / 2:.2f}"


def _explain(sweep: Sweep) -> None:
    """Why a sweep differs; what is to know of one that agrees (fused kernels, noise, buffers)."""
    found = list(reasons(sweep))
    if agrees(sweep):
        found = [words for words in found if words.startswith(("fused", "noise"))]
    elif not found:
        found = ["nothing that was looked for: no overhead, cache, uncounted operator or noise"]
    found += no_tensors(sweep)
    if found:
        say(
            f"\n{sweep.name} over {sweep.axis} {'agrees' if agrees(sweep) else _difference(sweep)}:"
        )
        for words in found:
            say(f"  {words}")


def _difference(sweep: Sweep) -> str:
    found = parts(sweep)
    return (
        f"differs by {sweep.time.value - sweep.leading:+.2f} ({found.lower:+.2f} terms of lower "
        f"order, {found.rate:+.2f} the rate of products, {found.rest:+.2f} all other time)"
    )


def _values(sweep: Sweep) -> dict[str, Any]:
    memory = sweep.memory
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
        "agrees": agrees(sweep),
        "reasons": [*reasons(sweep), *no_tensors(sweep)],
        "law": _law_values(law(sweep.mixer)),
        "points": [asdict(point) for point in sweep.points],
    }
