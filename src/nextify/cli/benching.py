"""The command bench, and what measures latencies for fit."""

from argparse import Namespace
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from nextify.cli.bars import share_bar
from nextify.cli.reading import design_from, sizes_from
from nextify.cli.show import note, print_json, print_table, say
from nextify.cli.training import device_from
from nextify.costs.spread import Spread
from nextify.errors import InputError
from nextify.fitting import Measure
from nextify.machine.facts import environment
from nextify.measuring import (
    Benchmark,
    Conditions,
    Library,
    Measurement,
    bench,
    installed,
    measure_latency,
)
from nextify.measuring.clock import Effort
from nextify.training.machine import usable_device
from nextify.words import bytes_in_words, plural


def run(options: Namespace) -> int:
    """Carry out bench."""
    names = [word for word in options.designs if "=" not in word]
    overrides = [word for word in options.designs if "=" in word]
    if not names:
        raise InputError("no design is named; `nextify designs` lists them")
    designs = {name: design_from(name, overrides) for name in names}
    conditions = _conditions(options)
    found: dict[str, Benchmark] = {}
    for name, design in designs.items():
        with share_bar(name) as on_progress:
            found[name] = bench(
                design,
                conditions,
                beside=options.beside,
                training=options.training,
                memory=options.memory,
                effort=Effort(seconds=options.seconds, rounds=options.repeats),
                on_progress=on_progress,
            )
    for name, one in found.items():
        if one.beside is None and options.beside != "none":
            library: Library = options.beside or "timm"
            reason = "has no network of this name" if installed(library) else "is not installed"
            note(f"{name}: measured alone, since {library} {reason}")
    if options.json:
        print_json(_values(found, conditions))
    else:
        _print(found, conditions)
    return 0


def stopwatch(options: Namespace) -> Measure:
    """What measures latencies for `nextify fit --latency`."""
    device = usable_device(options.device)
    return partial(measure_latency, threads=options.threads, device=device)


def _conditions(options: Namespace) -> Conditions:
    size, classes = sizes_from(options)
    return Conditions(
        image_size=size,
        classes=classes,
        batch_size=options.batch_size,
        device=device_from(options),
        threads=torch.get_num_threads(),
        precision=options.precision,
        memory_format=options.memory_format,
        compiled=options.compile,
    )


def _values(found: dict[str, Benchmark], conditions: Conditions) -> dict[str, Any]:
    results = []
    for name, one in found.items():
        measured = [
            {**asdict(each), "images_per_second": each.images_per_second}
            for each in one.measurements
        ]
        results.append({"name": name, **asdict(one), "measurements": measured})
    return {
        "conditions": asdict(conditions),
        "environment": {**environment(conditions.device), "timm": installed("timm")},
        "results": results,
    }


_TITLES = {"latency": "latency", "throughput": "throughput", "training": "training step"}


def _print(found: dict[str, Benchmark], conditions: Conditions) -> None:
    measured = [(name, each) for name, one in found.items() for each in one.measurements]
    is_beside = any(each.beside for _, each in measured)
    memory = ["memory"] * any(each.memory is not None for _, each in measured)
    head = ["design", "what", "batch", "n", "ms", "quartiles", "images/s", *memory]
    head += ["beside: ms", "quartiles", *memory, "ratio", "quartiles"] * is_beside
    rows = []
    for name, each in measured:
        weighed = [each.memory, each.memory_beside] if memory else []
        cells = ["" if count is None else bytes_in_words(count) for count in weighed]
        row = [name, _TITLES[each.task], str(each.batch_size), str(each.seconds.count)]
        row += [*_ms(each.seconds), f"{each.images_per_second:,.1f}", *cells[:1]]
        rows.append(row + _beside(each, cells[1:]) * is_beside)
    say(_stated(conditions))
    print_table(head, rows)
    say(_explained(found, weighs=bool(memory)))


def _beside(one: Measurement, memory: list[str]) -> list[str]:
    if one.beside is None or one.ratio is None:
        return ["", "", *memory, "", ""]
    ratio = one.ratio
    spread = f"{ratio.low:.2f}–{ratio.high:.2f}"
    return [*_ms(one.beside), *memory, f"{ratio.median:.2f}", spread]


def _ms(of: Spread) -> tuple[str, str]:
    """The median and the quartiles, in milliseconds."""
    values = [1e3 * seconds for seconds in (of.median, of.low, of.high)]
    median, low, high = (f"{ms:,.0f}" if ms >= 1000 else f"{ms:.3g}" for ms in values)
    return median, f"{low}–{high}"


def _stated(conditions: Conditions) -> str:
    about = environment(conditions.device)
    height, width = conditions.sides
    how = "torch.compile" if conditions.compiled else "eager"
    return (
        f"{about['device']}, {plural(about['threads'], 'thread')}, torch {about['torch']}, "
        f"{how}, {conditions.precision}, {conditions.memory_format}; {height}x{width} pixels, "
        f"{conditions.classes} classes\n"
    )


def _explained(found: dict[str, Benchmark], *, weighs: bool) -> str:
    text = (
        "\nms: the median of n rounds after a warm-up, and the quartiles. images/s: at the median."
    )
    if weighs:
        text += "\nmemory: peak above a process that has loaded torch, measured in one of its own."
    for one in found.values():
        if one.beside is not None:
            library, theirs = one.beside
            text += f"\nbeside: {library} {installed(library)}'s {theirs} with the same weights; "
            text += f"outputs differ by {one.difference:.0e}."
    if any(one.beside for one in found.values()):
        text += (
            "\nratio: their time over ours in the same round, its median and quartiles: above 1,"
        )
        text += "\nnextify is faster."
    return text
