"""Networks over image sizes, and the share of attention in ViT."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil, floor, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nextify.designs import Vit
from nextify.report import style as look
from nextify.report.style import Drawing
from nextify.scaling.laws.networks import Curves, NetworkPoint, Quantity
from nextify.scaling.laws.vit import attention_share, overtakes_at

_LOOKS = (
    (look.BLUE, "o"), (look.ORANGE, "s"), ("#009E73", "D"), ("#CC79A7", "^"), (look.INK, "v"),
    (look.GREY, "P"),
)  # fmt: skip
_MARK: dict[str, Any] = {"ms": 3.4, "mec": "white", "mew": 0.4}
_TICKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
_PANELS: tuple[tuple[str, str, Quantity, float], ...] = (
    ("GMACs", "multiply-accumulates", "macs", 1e9),
    ("MB", "memory in use, one image", "alive", 1e6),
    ("ms", "latency, one image", "seconds", 1e-3),
)
Values = Mapping[int, float]  # by size
_STEPS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0))


def network_figure(curves: Curves, measured: Sequence[NetworkPoint]) -> Drawing:
    """MACs, memory and latency over image size, and below each the same relative to the first
    network, where crossings show: lines by formula, marks as counted or measured."""
    with look.style():
        return look.drawn(draw_networks(curves, measured), "networks", _description(curves))


def draw_networks(curves: Curves, measured: Sequence[NetworkPoint]) -> Figure:
    """The figure itself, in the style that is set."""
    panels = [panel for panel in _PANELS if measured or panel[2] != "seconds"]
    sides = sorted({p.side for p in measured or [p for own in curves.values() for p in own]})
    figure = Figure(figsize=(2.5 * len(panels), 4.3), layout="constrained")
    rows = figure.subplots(2, len(panels), squeeze=False)
    for (above, below), (unit, title, quantity, scale) in zip(rows.T, panels, strict=True):
        above.set_title(title, loc="left", color=look.INK)
        above.set_ylabel(unit)
        _panel((above, below), curves, measured, quantity, scale)
        below.set_title(f"relative to {next(iter(curves))}", loc="left", color=look.INK)
        below.set(ylabel="times", xlabel="image size, pixels")
        for axes in (above, below):
            _frame(axes, sides)
    marked = bool(measured) or any(len(own) == 1 for own in curves.values())
    handles = [
        Line2D([], [], color=color, lw=1.1, marker=marker if marked else "", label=name, **_MARK)
        for name, (color, marker) in zip(curves, cycle(_LOOKS), strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False,
                  title=_key(measured), title_fontsize=7)  # fmt: skip
    return figure


def _key(measured: Sequence[NetworkPoint]) -> str:
    rounds = {p.seconds.count for p in measured if p.seconds is not None}
    if not rounds:
        return "by formula"
    return (
        "lines: by formula; marks: MACs as counted, memory as measured\n"
        f"latency: median and quartiles of n = {max(rounds)} rounds"
    )


def _frame(axes: Axes, sides: Sequence[int]) -> None:
    """Logarithmic axes with ticks at round numbers, also where there are one or two sizes."""
    look.plain(axes, "both")
    axes.set(xscale="log", yscale="log")
    ticks = [tick for tick in _TICKS if sides[0] <= tick <= sides[-1]]
    ticks = ticks if len(ticks) > 2 else list(sides)
    axes.set_xlim(sides[0] / 1.15, sides[-1] * 1.15)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    low, high = axes.get_ylim()
    if high / low < 2:  # a single value, or nearly
        low, high = low / 1.5, high * 1.5
        axes.set_ylim(low, high)
    marks = _round_numbers(low, high)
    axes.set_yticks(marks, [f"{mark:,g}" for mark in marks])
    axes.minorticks_off()


def _round_numbers(low: float, high: float) -> list[float]:
    """Three or more round numbers within a range, as few as can be.

    >>> _round_numbers(0.9, 4.0)
    [1.0, 1.5, 2.0, 3.0, 4.0]
    """
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    found: list[float] = []
    for steps in _STEPS:
        numbers = [float(f"{step}e{power}") for power in powers for step in steps]
        found = [number for number in numbers if low <= number <= high * (1 + 1e-9)]
        if len(found) > 2:
            break
    return found


def _panel(
    rows: tuple[Axes, Axes],
    curves: Curves,
    measured: Sequence[NetworkPoint],
    quantity: Quantity,
    scale: float,
) -> None:
    """A quantity of every network in a unit, and over that of the first one, at the sizes that
    both have."""
    first: tuple[Values, Values] | None = None
    for (name, points), (color, marker) in zip(curves.items(), cycle(_LOOKS), strict=False):
        own = [point for point in measured if point.name == name]
        marks = {"marker": marker, "color": color, **_MARK}
        seen = {p.side: float(value) for p in own if (value := _seen(p, quantity))}
        if quantity == "seconds":
            first = first or ({}, seen)
            _spreads(rows[0], own, scale, marks)
            rows[1].plot(*_over(seen, first[1]), lw=0.9, **marks)
            continue
        plain = {point.side: point.value(quantity) or 0.0 for point in points}
        first = first or (plain, seen)
        units = dict.fromkeys((*plain, *seen), scale)
        for axes, (of_plain, of_seen) in zip(rows, ((units, units), first), strict=True):
            sides, values = _over(plain, of_plain)
            single = marker if len(sides) == 1 else ""
            axes.plot(sides, values, lw=1.1, **{**marks, "marker": single})
            axes.plot(*_over(seen, of_seen), lw=0, **marks)


def _spreads(
    axes: Axes, measured: Sequence[NetworkPoint], scale: float, marks: dict[str, Any]
) -> None:
    """Medians and quartiles of seconds."""
    known = {p.side: p.seconds for p in measured if p.seconds is not None}
    medians = [s.median / scale for s in known.values()]
    below = [(s.median - s.low) / scale for s in known.values()]
    above = [(s.high - s.median) / scale for s in known.values()]
    axes.errorbar(list(known), medians, (below, above), lw=0.9, capsize=1.6, **marks)


def _over(one: Values, other: Values) -> tuple[list[int], list[float]]:
    sides = [side for side in one if other.get(side)]
    return sides, [one[side] / other[side] for side in sides]


def _seen(point: NetworkPoint, quantity: Quantity) -> float | None:
    """What was counted or measured."""
    if quantity == "alive":
        return None if point.resident is None else point.resident.bytes
    return point.counted if quantity == "macs" else point.value(quantity)


def _description(curves: Curves) -> str:
    ends = [
        f"{name} {points[0].macs / 1e9:.3g} GMACs at {points[0].side} pixels and "
        f"{points[-1].macs / 1e9:.3g} at {points[-1].side}"
        for name, points in curves.items()
    ]
    return f"Cost over image size: {'; '.join(ends)}."


def share_figure(vits: Mapping[str, Vit], classes: int = 1000) -> Drawing:
    """The part of ViT's MACs that is quadratic in the number of tokens, over image size; a ring
    where it is half of them. Dashed: all of attention, with its projections."""
    sides = [32 * 2 ** (at / 16) for at in range(16 * 7 + 1)]
    halves = {name: overtakes_at(design, classes) for name, design in vits.items()}
    with look.style():
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        axes = figure.subplots()
        look.plain(axes, "both")
        axes.set(xscale="log", ylim=(0, 1), xlabel="image size, pixels")
        axes.set_xticks(_TICKS, [str(tick) for tick in _TICKS])
        axes.minorticks_off()
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.axhline(0.5, color=look.PALE, lw=1.0, zorder=0)
        for (name, at), (color, _) in zip(halves.items(), cycle(_LOOKS), strict=False):
            shares = [attention_share(vits[name], side, classes) for side in sides]
            quadratic, whole = zip(*shares, strict=True)
            words = f"{name}: half at {at:,.0f} pixels"
            axes.plot(sides, quadratic, color=color, lw=1.5, label=words)
            axes.plot(sides, whole, color=color, lw=0.6, ls=(0, (4, 2)))
            axes.plot(at, 0.5, "o", color=color, mfc="white", ms=5, zorder=4)
        title = "share of attention in ViT's multiply-accumulates"
        axes.set_title(title, loc="left", color=look.INK)
        axes.legend(frameon=False, title="solid: N² terms\ndashed: with projections",
                    title_fontsize=6.5)  # fmt: skip
        ends = ", ".join(f"{name} half at {at:,.0f} pixels" for name, at in halves.items())
        return look.drawn(figure, "attention-share", f"Quadratic share: {ends}.")
