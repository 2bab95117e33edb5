"""`nextify fit`: designs for a budget. No torch."""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from nextify.cli.reading import sizes_from
from nextify.cli.show import print_json, print_table, say
from nextify.designs.fields import written
from nextify.fitting import BUDGETS, Fitted, Measure, fit
from nextify.words import bytes_in_words, in_words, seconds_in_words


def run(options: Namespace, measure: Measure | None = None) -> int:
    """Carry out the command; a latency is measured by `measure`."""
    free = tuple(name.strip() for name in options.free.split(",")) if options.free else ()
    size, classes = sizes_from(options)
    found = fit(
        options.params,
        options.macs,
        options.activation_memory,
        options.latency,
        like=options.like,
        image_size=size,
        classes=classes,
        free=free,
        start=options.base,
        multiple_of=options.multiple_of,
        count=options.count,
        measure=measure,
    )
    if options.json:
        print_json([_values(one) for one in found])
        return 0
    _print(found, free)
    fields = ((name, getattr(found[0].design, name)) for name in ("depths", "widths", *free))
    changes = " ".join(f"{name}={written(value)}" for name, value in fields)
    say(f"\nThe first as a design: {options.base} {changes}")
    say("activations: bytes kept in training for one image, float32.")
    if latency := found[0].latency:
        threads = f" with --threads {options.threads}" if options.threads else ""
        say(f"latency: of a batch of one image, measured here{threads} in float32; the median of "
            f"{latency.count} rounds.")  # fmt: skip
    return 0


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
            median, low, high = map(
                seconds_in_words, (one.latency.median, one.latency.low, one.latency.high)
            )
            row += [median, f"{low}–{high}", *_use(one, "latency")]
        rows.append([*row, ", ".join(one.binds) or "the bounds of the search"])
    print_table([*head, "binds"], rows)


def _use(one: Fitted, budget: str) -> list[str]:
    """Of a budget, if it is one: rounded down, since no more than that is used up."""
    use = one.use.get(budget)
    return [] if use is None else [f"{int(use * 10_000) / 100:.2f}%"]
