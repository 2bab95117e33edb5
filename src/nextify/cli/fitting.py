"""`nextify fit`: designs for a budget. No torch."""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from nextify.cli.show import print_json, print_table, say
from nextify.fitting import BUDGETS, Fitted, Measure, fit
from nextify.words import bytes_in_words, in_words, seconds_in_words


def run(options: Namespace, measure: Measure | None = None) -> int:
    """Carry out the command; a latency is measured by `measure`."""
    free = tuple(name.strip() for name in options.free.split(",")) if options.free else ()
    found = fit(
        options.params,
        options.macs,
        options.activation_memory,
        options.latency,
        like=options.like,
        image_size=options.image_size or 224,
        classes=1000 if options.classes is None else options.classes,
        free=free,
        start=options.base,
        multiple_of=options.multiple_of,
        count=options.count,
        measure=measure,
    )
    if options.json:
        print_json([_values(one) for one in found])
        return 0
    _print(found, free, options)
    return 0


def _values(one: Fitted) -> dict[str, Any]:
    return {
        "design": asdict(one.design),
        "params": one.params,
        "macs": one.macs,
        "activation_memory": one.activation_memory,
        "use": dict(one.use),
        "binds": list(one.binds),
        "latency": None if one.latency is None else asdict(one.latency),
    }


def _print(found: tuple[Fitted, ...], free: tuple[str, ...], options: Namespace) -> None:
    limited = found[0].use
    head = ["depths", "widths", *free]
    for title, name in zip(("params", "MACs", "activations"), BUDGETS, strict=True):
        head += [title, "use"] if name in limited else [title]
    head += ["latency", "quartiles", "use"] * ("latency" in limited)
    rows = []
    for one in found:
        row = [_numbers(one.design.depths), _numbers(one.design.widths)]
        row += [_text(getattr(one.design, name)) for name in free]
        for name in BUDGETS:
            amount = getattr(one, name)
            is_bytes = name == "activation_memory"
            row.append(bytes_in_words(amount) if is_bytes else in_words(amount))
            row += [_per_cent(limit) for limit in (one.use.get(name),) if limit is not None]
        rows.append([*row, *_latency(one), ", ".join(one.binds) or "the bounds of the search"])
    print_table([*head, "binds"], rows)
    best = found[0].design
    changes = [f"depths={_numbers(best.depths)}", f"widths={_numbers(best.widths)}"]
    changes += [f"{name}={_text(getattr(best, name))}" for name in free]
    say(f"\nThe first as a design: {options.base} {' '.join(changes)}")
    say("activations: bytes kept in training for one image, float32.")
    if best_latency := found[0].latency:
        threads = f" with --threads {options.threads}" if options.threads else ""
        say(f"latency: of a batch of one image, measured here{threads} in float32; the median of "
            f"{best_latency.count} rounds.")  # fmt: skip


def _latency(one: Fitted) -> list[str]:
    if one.latency is None:
        return []
    low, high = (seconds_in_words(limit) for limit in (one.latency.low, one.latency.high))
    return [
        seconds_in_words(one.latency.median),
        f"{low}–{high}",
        _per_cent(one.use["latency"]),
    ]


def _numbers(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def _text(value: Any) -> str:
    return "none" if value is None else str(value)


def _per_cent(use: float) -> str:
    return f"{int(use * 10_000) / 100:.2f}%"  # rounded down: a budget is not more than used up
