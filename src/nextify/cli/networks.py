"""`nextify scale networks`: what networks cost over image sizes, and where their curves cross."""

import shutil
import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.cli.folders import require_place
from nextify.cli.machine import measured_on
from nextify.cli.show import note, print_json, print_table, say
from nextify.costs.amounts import bytes_in_words, in_words, read_bytes, seconds_in_words
from nextify.designs import Vit
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
    network,
    point,
    read_names,
    require_memory,
)
from nextify.scaling.laws.networks_kept import load_points, save_points
from nextify.scaling.laws.sweeps import Resident
from nextify.scaling.laws.vit import attention_share, overtakes_at, vit_law

_QUICK_SIDE, _QUICK_ROUNDS = 256, 3
_PIPE = 10_000  # columns where there is no terminal
_TITLES: dict[Quantity, str] = {
    "macs": "MACs",
    "kept": "memory kept in training",
    "alive": "memory in use",
    "seconds": "latency, measured",
}
_MEASURED = ("resident", "buffers", "in operator", "latency", "quartiles", "n")


def run(options: Namespace) -> int:
    """Carry out the command."""
    names = DEFAULT if options.only is None else read_names(options.only)
    sides = _sides(options)
    classes = 1000 if options.classes is None else options.classes
    if options.formulas:
        require_unset(options, "rounds", "memory", "threads", "save")
    if options.figure:
        require_place(Path(options.figure), "--figure")
    curves = {name: curve(name, sides, classes) for name in names}
    measured = [] if options.formulas else _measured(names, sides, classes, options)
    points = measured or [point(name, side, classes) for side in sides for name in names]
    vits = _vits(names if options.only else (*names, "vit-b-16"))
    crossed = _crossings(curves, measured)
    if options.figure:
        _draw(curves, measured, vits, classes, Path(options.figure))
    threads = _threads(options) if measured else None
    if options.json:
        print_json({"threads": threads, **_values(points, crossed, vits, sides, classes)})
    else:
        _print(points, threads)
        _print_crossings(crossed, sides)
        if vits:
            _print_shares(vits, sides, classes)
    return 0


def _vits(names: Sequence[str]) -> dict[str, Vit]:
    return {name: one for name in names if isinstance(one := network(name), Vit)}


def require_unset(options: Namespace, *names: str) -> None:
    """Refuse what would do nothing with --formulas.

    Raises:
        InputError: one of these options is set.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(f"--{name} does nothing with --formulas; leave one of the two out")


def _sides(options: Namespace) -> tuple[int, ...]:
    for name in ("sizes", "max_size"):
        if options.quick and getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is given, and --quick sets the sizes, too (up to {_QUICK_SIDE} pixels); "
                "leave one of the two out"
            )
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
    """What is measured, or was and is in the file; each size is written as soon as it is done."""
    memory = read_bytes("--memory", options.memory) if options.memory else None
    path = Path(options.save) if options.save else None
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else 7)
    settings: dict[str, Any] = {}
    found: dict[tuple[str, int], NetworkPoint] = {}
    if path is not None:
        require_place(path.parent, "--save")
        settings = {
            **measured_on(), "threads": _threads(options), "rounds": rounds, "classes": classes
        }  # fmt: skip
        found = {(one.name, one.side): one for one in load_points(path, settings)}
    missing = {side: [name for name in names if (name, side) not in found] for side in sides}
    missing = {side: own for side, own in missing.items() if own}
    for side, points in _new(missing, classes, rounds, memory, options):
        found.update({(one.name, side): one for one in points})
        if path is not None:
            save_points(path, settings, list(found.values()))
    return [found[name, side] for side in sides for name in names]


def _new(
    missing: Mapping[int, Sequence[str]],
    classes: int,
    rounds: int,
    memory: int | None,
    options: Namespace,
) -> Iterator[tuple[int, list[NetworkPoint]]]:
    """Measure networks at each size. What does not fit is refused before any is measured."""
    if not missing:
        return
    from nextify.scaling.measuring import prepare, usable_memory
    from nextify.scaling.measuring.networks import measure_networks

    limit = usable_memory() if memory is None else memory
    for side, names in missing.items():
        require_memory(names, side, limit, classes)
    prepare(options.threads)
    for side, names in missing.items():
        yield (
            side,
            measure_networks(
                names,
                (side,),
                rounds=rounds,
                memory=limit,
                classes=classes,
                on_point=lambda name, side: note(f"{name} at {side} pixels ..."),
            ),
        )


def _threads(options: Namespace) -> int:
    if options.threads is not None:
        return int(options.threads)
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
    from nextify.report.page import write_drawings
    from nextify.report.scaling.network_figure import network_figure, share_figure

    drawings = [network_figure(curves, measured)]
    if vits:
        drawings.append(share_figure(vits, classes))
    for path in write_drawings(drawings, folder):
        note(f"wrote {path}")


def _print(points: Sequence[NetworkPoint], threads: int | None) -> None:
    """`threads` of torch where something was measured."""
    head = ["network", "pixels", "MACs", "kept in training", "in use"]
    head += ["torch's count", *_MEASURED] * (threads is not None)
    _print_wide(head, [[*_formulas(one), *_measurements(one)] for one in points], first=2)
    say("")
    _say(
        "For one image, float32. MACs, kept and in use by formula: kept, what the backward pass "
        "needs; in use, at once in inference: written and still to be read."
    )
    if threads is not None:
        clock = "processor time of 1 thread" if threads == 1 else f"with {threads} threads"
        _say(
            "resident: by what the process grew at the peak, more than in use because functions "
            "hold what they were given; buffers: of that, inside the operator in which the peak "
            "was reached, and no tensors."
        )
        _say(
            f"latency: {clock}, the median of n rounds; in each, all networks take turns, and the "
            "best of at least two calls counts."
        )


def _columns() -> int:
    """Of the terminal; without one, as many as are needed."""
    return shutil.get_terminal_size((_PIPE, 24)).columns


def _say(text: str) -> None:
    """A paragraph, as wide as the terminal."""
    for line in textwrap.wrap(text, min(96, _columns()), break_on_hyphens=False):
        say(line)


def _print_wide(head: Sequence[str], rows: Sequence[Sequence[str]], first: int) -> None:
    """A table; where the terminal is too narrow, its columns in parts, each with the first ones."""
    widths = [2 + max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    parts: list[list[int]] = [[]]
    for at in range(first, len(head)):
        if parts[-1] and sum(widths[i] for i in (*range(first), *parts[-1], at)) > _columns() + 2:
            parts.append([])
        parts[-1].append(at)
    for part in parts:
        if part is not parts[0]:
            say("")
        chosen = (*range(first), *part)
        print_table([head[at] for at in chosen], [[row[at] for at in chosen] for row in rows])


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
    say("")
    _say(f"Where curves cross, from {sides[0]} to {sides[-1]} pixels:")
    if not crossed:
        say("  nowhere.")
        return
    for quantity in dict.fromkeys(one.quantity for one in crossed):
        say(f"\n{_TITLES[quantity]}")
        for one in crossed:
            if one.quantity == quantity:
                for line in textwrap.wrap(
                    one.words,
                    min(96, _columns()),
                    initial_indent="  ",
                    subsequent_indent="    ",
                    break_on_hyphens=False,
                ):
                    say(line)
    say("")
    _say(
        "By formula, at the sizes above and every 32 pixels between them. Swin fills windows up "
        "with zeros, so that its cost rises in steps."
    )
    if any(one.quantity == "seconds" for one in crossed):
        _say(
            "Of latency, sizes are interpolated between those measured; where quartiles overlap, "
            "nothing is said."
        )


def _print_shares(vits: dict[str, Vit], sides: Sequence[int], classes: int) -> None:
    say("")
    _say("The part of ViT's MACs that is quadratic in the tokens (with attention's projections):")
    say("")
    rows = []
    for side in sides:
        shares = [attention_share(one, side, classes) for one in vits.values()]
        rows.append([str(side), *(f"{quadratic:.1%} ({all_:.1%})" for quadratic, all_ in shares)])
    rows.append(["half at", *(f"{overtakes_at(one, classes):,.0f}" for one in vits.values())])
    _print_wide(["pixels", *vits], rows, first=1)
    say("")
    for line in _HALF:
        _say(line)


_HALF = (
    "half where N = (b + sqrt(b^2 - 8 L (3 p^2 - K))) / 4 L, b = (4 D + 2 M) L + 3 p^2,",
    "N = (S / p)^2 + 1 tokens: S pixels, patches of side p, width D, M inside an MLP, L blocks, "
    "K classes.",
    "That is about S = p sqrt(2 D + M).",
)


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
        "crossings": [{**asdict(one), "words": one.words} for one in crossed],
        "share": str(law.share),
        "overtakes_at": str(law.overtakes),
        "tokens_at": str(law.tokens),
        "vits": shares,
    }
