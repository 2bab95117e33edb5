"""`nextify scale networks`: what networks cost over image sizes, and where their curves cross."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.cli.folders import require_place
from nextify.cli.show import note, print_json, print_table, say
from nextify.costs.amounts import bytes_in_words, in_words, read_bytes, seconds_in_words
from nextify.designs import Vit, design
from nextify.errors import InputError
from nextify.scaling.laws.networks import (
    DEFAULT,
    SIDES,
    Crossing,
    Curves,
    NetworkPoint,
    Quantity,
    crossings,
    curve,
    point,
)
from nextify.scaling.laws.sweeps import Resident
from nextify.scaling.laws.vit import attention_share, overtakes_at, vit_law

_QUICK_SIDE, _QUICK_ROUNDS = 256, 3
_TITLES: dict[Quantity, str] = {
    "macs": "MACs",
    "kept": "memory kept in training",
    "alive": "memory in use",
    "seconds": "latency, measured",
}
_MEASURED = ("resident", "buffers", "in operator", "latency", "quartiles", "n")


def run(options: Namespace) -> int:
    """Carry out the command."""
    names = _names(options.only)
    sides = _sides(options)
    classes = 1000 if options.classes is None else options.classes
    if options.formulas:
        require_unset(options, "rounds", "memory", "threads")
    if options.figure:
        require_place(Path(options.figure), "--figure")
    curves = {name: curve(name, sides, classes) for name in names}
    measured = [] if options.formulas else _measured(names, sides, classes, options)
    points = measured or [point(name, side, classes) for side in sides for name in names]
    vits = {name: one for name in (*names, "vit-b-16") if isinstance(one := design(name), Vit)}
    crossed = _crossings(curves, measured)
    if options.figure:
        _draw(curves, measured, vits, classes, Path(options.figure))
    threads = _threads() if measured else None
    if options.json:
        print_json({"threads": threads, **_values(points, crossed, vits, sides, classes)})
    else:
        _print(points, threads)
        _print_crossings(crossed, sides)
        _print_shares(vits, sides, classes)
    return 0


def require_unset(options: Namespace, *names: str) -> None:
    """Refuse what would do nothing with --formulas.

    Raises:
        InputError: one of these options is set.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(f"--{name} does nothing with --formulas; leave one of the two out")


def _names(only: str | None) -> tuple[str, ...]:
    if only is None:
        return DEFAULT
    names = tuple(dict.fromkeys(name.strip() for name in only.split(",")))
    for name in names:
        design(name)
    return names


def _sides(options: Namespace) -> tuple[int, ...]:
    most = options.max_size or (_QUICK_SIDE if options.quick else max(SIDES))
    if options.sizes is None:
        sides = tuple(side for side in SIDES if side <= most)
        if not sides:
            raise InputError(f"--max-size is {most}; the least is {SIDES[0]}, or give --sizes")
        return sides
    parts = options.sizes.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise InputError(f"--sizes is {options.sizes!r}; give whole numbers, as 64,128,224")
    sides = tuple(sorted({int(part) for part in parts}))
    if sides[0] < 1 or sides[-1] > 1 << 14:
        raise InputError(f"--sizes is {options.sizes!r}; give pixels from 1 to {1 << 14:,}")
    kept = tuple(side for side in sides if options.max_size is None or side <= most)
    if not kept:
        raise InputError(f"--max-size is {most}; none of --sizes is as small")
    return kept


def _measured(
    names: Sequence[str], sides: Sequence[int], classes: int, options: Namespace
) -> list[NetworkPoint]:
    memory = read_bytes("--memory", options.memory) if options.memory else None
    from nextify.scaling.measuring import prepare, usable_memory
    from nextify.scaling.measuring.networks import measure_networks

    prepare(options.threads)
    return measure_networks(
        names,
        sides,
        rounds=options.rounds or (_QUICK_ROUNDS if options.quick else 7),
        memory=usable_memory() if memory is None else memory,
        classes=classes,
        on_point=lambda name, side: note(f"{name} at {side} pixels ..."),
    )


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _crossings(curves: Curves, measured: Sequence[NetworkPoint]) -> list[Crossing]:
    quantities: tuple[Quantity, ...] = ("macs", "kept", "alive")
    found = [one for quantity in quantities for one in crossings(curves, quantity)]
    if measured:
        seen = {name: [p for p in measured if p.name == name] for name in curves}
        found += crossings(seen, "seconds")
    return found


def _draw(
    curves: Curves,
    measured: Sequence[NetworkPoint],
    vits: dict[str, Vit],
    classes: int,
    folder: Path,
) -> None:
    from nextify.report.network_figure import network_figure, share_figure
    from nextify.report.write import write_drawings

    drawings = [network_figure(curves, measured), share_figure(vits, classes)]
    for path in write_drawings(drawings, folder):
        note(f"wrote {path}")


def _print(points: Sequence[NetworkPoint], threads: int | None) -> None:
    """`threads` of torch where something was measured."""
    head = ["network", "pixels", "MACs", "kept in training", "in use"]
    head += ["torch's count", *_MEASURED] * (threads is not None)
    print_table(head, [[*_formulas(one), *_measurements(one)] for one in points])
    say("\nFor one image, float32. MACs, kept and in use by formula: kept, what the backward pass")
    say("needs; in use, at once in inference.")
    if threads is not None:
        clock = "processor time of 1 thread" if threads == 1 else f"with {threads} threads"
        say(
            "resident: by what the process grew at the peak; buffers: of that, inside the operator,"
        )
        say("in which the peak was reached, and no tensors.")
        say(f"latency: {clock}, the median of n rounds; in each, all networks take turns, and the")
        say("best of at least two calls counts.")


def _formulas(one: NetworkPoint) -> list[str]:
    amounts = [bytes_in_words(one.kept), bytes_in_words(one.alive)]
    return [one.name, str(one.side), in_words(one.macs), *amounts]


def _measurements(one: NetworkPoint) -> list[str]:
    if one.seconds is None:
        return []
    return [
        "the same" if one.counted == one.macs else f"{one.counted:,}",
        *_resident(one.resident),
        seconds_in_words(one.seconds.median),
        f"{seconds_in_words(one.seconds.low)}–{seconds_in_words(one.seconds.high)}",
        str(one.seconds.count),
    ]


def _resident(found: Resident | None) -> list[str]:
    if found is None:
        return ["–"] * 3
    operator = found.operator.removeprefix("aten.").removesuffix(".default")
    return [bytes_in_words(found.bytes), bytes_in_words(found.buffers), operator]


def _print_crossings(crossed: Sequence[Crossing], sides: Sequence[int]) -> None:
    say(f"\nWhere curves cross, from {sides[0]} to {sides[-1]} pixels:\n")
    if not crossed:
        say("nowhere.")
        return
    rows = [[_TITLES[c.quantity], f"{c.side:,.0f}", c.more, c.less] for c in crossed]
    print_table(["quantity", "from pixels", "costs more", "than"], rows)


def _print_shares(vits: dict[str, Vit], sides: Sequence[int], classes: int) -> None:
    say(
        "\nThe part of ViT's MACs that is quadratic in the tokens (with attention's projections):\n"
    )
    rows = []
    for side in sides:
        shares = [attention_share(one, side, classes) for one in vits.values()]
        rows.append([str(side), *(f"{quadratic:.1%} ({all_:.1%})" for quadratic, all_ in shares)])
    rows.append(["half at", *(f"{overtakes_at(one, classes):,.0f}" for one in vits.values())])
    print_table(["pixels", *vits], rows)
    say(f"\nhalf at S = {_words(vit_law().overtakes)}")
    say("with patches of side p, width D, M inside an MLP, L blocks, K classes: about")
    say("p sqrt(2 D + M).")


def _words(expression: Any) -> str:
    return str(expression).replace("**", "^")


def _values(
    points: Sequence[NetworkPoint],
    crossed: Sequence[Crossing],
    vits: dict[str, Vit],
    sides: Sequence[int],
    classes: int,
) -> dict[str, Any]:
    law = vit_law()
    shares = [
        {
            "name": name,
            "overtakes_at": overtakes_at(one, classes),
            "shares": [
                dict(zip(("side", "quadratic", "attention"), (side, *part), strict=True))
                for side in sides
                for part in (attention_share(one, side, classes),)
            ],
        }
        for name, one in vits.items()
    ]
    return {
        "points": [asdict(one) for one in points],
        "crossings": [asdict(one) for one in crossed],
        "share": str(law.share),
        "overtakes_at": str(law.overtakes),
        "vits": shares,
    }
