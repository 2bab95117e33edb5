"""`nextify fit`: designs for a budget. No torch."""

from dataclasses import asdict
from functools import partial
from typing import Any

from nextify import requests
from nextify.cli.reading import sizes_of
from nextify.cli.show import print_json, print_table, say
from nextify.designs.fields import written
from nextify.fitting import BUDGETS, Fitted, Measure, fit
from nextify.words import bytes_in_words, in_words, seconds_in_words


def run(request: requests.Fit, as_json: bool) -> int:
    """Carry out the command."""
    free = tuple(name.strip() for name in request.free.split(",")) if request.free else ()
    size, classes = sizes_of(request.sizes)
    found = fit(
        **asdict(request.budgets),
        latency=request.latency,
        image_size=size,
        classes=classes,
        free=free,
        start=request.base,
        multiple_of=request.multiple_of,
        count=request.count,
        measure=_stopwatch(request),
    )
    if as_json:
        print_json([_values(one) for one in found])
        return 0
    _print(found, free)
    fields = ((name, getattr(found[0].design, name)) for name in ("depths", "widths", *free))
    changes = " ".join(f"{name}={written(value)}" for name, value in fields)
    say(f"\nThe first as a design: {request.base} {changes}")
    say("activations: bytes kept in training for one image, float32.")
    if latency := found[0].latency:
        threads = f" with --threads {request.threads}" if request.threads else ""
        say(f"latency: of a batch of one image, measured here{threads} in float32; the median of "
            f"{latency.count} rounds.")  # fmt: skip
    return 0


def _stopwatch(request: requests.Fit) -> Measure | None:
    """What measures latencies, where they are asked for: it takes torch."""
    if request.latency is None:
        return None
    from nextify.measuring import measure_latency
    from nextify.training.machine import usable_device

    device = usable_device(request.device)
    return partial(measure_latency, threads=request.threads, device=device)


def _values(one: Fitted) -> dict[str, Any]:
    values = asdict(one)
    latency = values.pop("latency")
    return {**values, "binds": list(one.binds), "latency": latency}


def _print(found: tuple[Fitted, ...], free: tuple[str, ...]) -> None:
    limited = found[0].use
    head = ["depths", "widths", *free]
    for title, name in zip(("params", "MACs", "activations"), BUDGETS, strict=True):
        head += [title, "use"] if name in limited else [title]
    head += ["latency", "quartiles", "use"] * ("latency" in limited)
    rows = []
    for one in found:
        row = [written(getattr(one.design, name)) for name in ("depths", "widths", *free)]
        for name in BUDGETS:
            words = bytes_in_words if name == "activation_memory" else in_words
            row += [words(getattr(one, name)), *_use(one, name)]
        if one.latency is not None:
            of = one.latency
            median, low, high = map(seconds_in_words, (of.median, of.low, of.high))
            row += [median, f"{low}–{high}", *_use(one, "latency")]
        rows.append([*row, ", ".join(one.binds) or "the bounds of the search"])
    print_table([*head, "binds"], rows)


def _use(one: Fitted, budget: str) -> list[str]:
    """Of a budget, if it is one: rounded down, since no more than that is used up."""
    use = one.use.get(budget)
    return [] if use is None else [f"{int(use * 10_000) / 100:.2f}%"]
