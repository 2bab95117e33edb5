"""The command bench, and what measures latencies for fit."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nextify.cli.reading import design_from
from nextify.cli.show import note, print_json, print_table, say
from nextify.cli.training import device_from
from nextify.costs.spread import Spread
from nextify.errors import InputError
from nextify.fitting import Measure
from nextify.measuring import (
    Benchmark,
    Conditions,
    Library,
    Measurement,
    bench,
    installed,
    measure_latency,
)
from nextify.measuring.benchmark import OnProgress
from nextify.measuring.clock import Effort
from nextify.training import environment
from nextify.words import bytes_in_words, plural


def run(options: Namespace) -> int:
    """Carry out bench."""
    names = [word for word in options.designs if "=" not in word]
    overrides = [word for word in options.designs if "=" in word]
    if not names:
        raise InputError("no design is named; `nextify designs` lists them")
    designs = {name: design_from(name, overrides) for name in names}
    conditions = _conditions(options)
    effort = Effort(seconds=options.seconds, rounds=options.repeats)
    found: dict[str, Benchmark] = {}
    with _progress() as on_progress:
        for name, design in designs.items():
            found[name] = bench(
                design,
                conditions,
                beside=options.beside,
                training=options.training,
                memory=options.memory,
                effort=effort,
                on_progress=_named(on_progress, name),
            )
    _answer(found, conditions, options)
    return 0


def stopwatch(options: Namespace) -> Measure:
    """What measures latencies for `nextify fit --latency`."""
    device = device_from(options)
    return partial(measure_latency, threads=options.threads, device=device)


def _conditions(options: Namespace) -> Conditions:
    device = device_from(options)
    return Conditions(
        image_size=options.image_size or 224,
        classes=1000 if options.classes is None else options.classes,
        batch_size=options.batch_size,
        device=device,
        threads=torch.get_num_threads(),
        precision=options.precision,
        memory_format=options.memory_format,
        compiled=options.compile,
    )


@contextmanager
def _progress() -> Iterator[OnProgress | None]:
    """A bar on standard error, where someone watches."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def _named(on_progress: OnProgress | None, name: str) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda what, share: on_progress(f"{name}: {what}", share)


def _answer(found: dict[str, Benchmark], conditions: Conditions, options: Namespace) -> None:
    for name, one in found.items():
        if one.beside is None and options.beside != "none":
            library: Library = options.beside or "timm"
            reason = "has no network of this name" if installed(library) else "is not installed"
            note(f"{name}: measured alone, since {library} {reason}")
    if options.json:
        print_json(_values(found, conditions))
        return
    _print(found, conditions)


def _values(found: dict[str, Benchmark], conditions: Conditions) -> dict[str, Any]:
    return {
        "conditions": asdict(conditions),
        "environment": {
            **environment(conditions.device),
            "timm": installed("timm"),
        },
        "results": [{"name": name, **_values_of(one)} for name, one in found.items()],
    }


def _values_of(one: Benchmark) -> dict[str, Any]:
    measured = [
        {**asdict(each), "images_per_second": each.images_per_second} for each in one.measurements
    ]
    return {**asdict(one), "measurements": measured}


_TITLES = {"latency": "latency", "throughput": "throughput", "training": "training step"}


def _print(found: dict[str, Benchmark], conditions: Conditions) -> None:
    measurements = [each for one in found.values() for each in one.measurements]
    is_beside = any(each.beside for each in measurements)
    weighs = any(each.memory is not None for each in measurements)
    head = ["design", "what", "batch", "n", "ms", "quartiles", "images/s"]
    head += ["memory"] * weighs
    if is_beside:
        head += ["beside: ms", "quartiles", *["memory"] * weighs, "ratio", "quartiles"]
    rows = []
    for name, one in found.items():
        for each in one.measurements:
            rows.append([name, *_cells(each, weighs), *_beside(each, weighs) * is_beside])
    say(_stated(conditions))
    print_table(head, rows)
    _explain(found, is_beside, weighs)


def _cells(one: Measurement, weighs: bool) -> list[str]:
    cells = [_TITLES[one.task], str(one.batch_size), str(one.seconds.count)]
    cells += [_ms(one.seconds.median), _range(one.seconds), f"{one.images_per_second:,.1f}"]
    return cells + [_bytes(one.memory)] * weighs


def _beside(one: Measurement, weighs: bool) -> list[str]:
    if one.beside is None or one.ratio is None:
        return [""] * (4 + weighs)
    cells = [_ms(one.beside.median), _range(one.beside), *[_bytes(one.memory_beside)] * weighs]
    return [*cells, f"{one.ratio.median:.2f}", f"{one.ratio.low:.2f}–{one.ratio.high:.2f}"]


def _ms(seconds: float) -> str:
    milliseconds = 1e3 * seconds
    return f"{milliseconds:,.0f}" if milliseconds >= 1000 else f"{milliseconds:.3g}"


def _range(spread: Spread) -> str:
    return f"{_ms(spread.low)}–{_ms(spread.high)}"


def _bytes(count: int | None) -> str:
    return "" if count is None else bytes_in_words(count)


def _stated(conditions: Conditions) -> str:
    about = environment(conditions.device)
    height, width = conditions.sides
    how = "torch.compile" if conditions.compiled else "eager"
    return (
        f"{about['device']}, {plural(about['threads'], 'thread')}, torch {about['torch']}, {how}, "
        f"{conditions.precision}, {conditions.memory_format}; {height}x{width} pixels, "
        f"{conditions.classes} classes\n"
    )


def _explain(found: dict[str, Benchmark], is_beside: bool, weighs: bool) -> None:
    say("\nms: the median of n rounds after a warm-up, and the quartiles. images/s: at the median.")
    if weighs:
        say("memory: peak above a process that has loaded torch, measured in one of its own.")
    if is_beside:
        for one in found.values():
            if one.beside is not None:
                library, theirs = one.beside
                say(f"beside: {library} {installed(library)}'s {theirs} with the same weights; "
                    f"outputs differ by {one.difference:.0e}.")  # fmt: skip
        say("ratio: their time over ours in the same round, its median and quartiles: above 1,")
        say("nextify is faster.")
