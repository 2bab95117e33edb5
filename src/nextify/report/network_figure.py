"""Networks over image sizes, and the share of attention in ViT."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from nextify.designs import Vit
from nextify.report import style as look
from nextify.report.style import BLUE, GREY, INK, ORANGE, PALE, Drawing
from nextify.scaling.laws.networks import NetworkPoint, Quantity
from nextify.scaling.laws.vit import attention_share, overtakes_at

_LOOKS = (
    (BLUE, "o"), (ORANGE, "s"), ("#009E73", "D"), ("#CC79A7", "^"), (INK, "v"), (GREY, "P"),
)  # fmt: skip
_TICKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
_PANELS: tuple[tuple[str, str, Quantity, float], ...] = (
    ("GMACs", "multiply-accumulates", "macs", 1e9),
    ("MB", "memory in use, one image", "alive", 1e6),
    ("ms", "latency, one image", "seconds", 1e-3),
)


def network_figure(
    curves: Mapping[str, Sequence[NetworkPoint]], measured: Sequence[NetworkPoint]
) -> Drawing:
    """MACs, memory and latency over image size: lines by formula, marks as counted or measured."""
    panels = [panel for panel in _PANELS if measured or panel[2] != "seconds"]
    with look.style():
        figure = Figure(figsize=(2.5 * len(panels), 2.7), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (unit, title, quantity, scale) in zip(grid, panels, strict=True):
            _frame(axes, [p.side for points in curves.values() for p in points])
            axes.set_title(title, loc="left", color=INK)
            axes.set_ylabel(unit)
            for at, (name, points) in enumerate(curves.items()):
                own = [point for point in measured if point.name == name]
                _network(axes, name, points, own, quantity, scale, *_LOOKS[at % len(_LOOKS)])
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False,
                      title=_key(measured),
                      title_fontsize=7)  # fmt: skip
        return look.drawn(figure, "networks", _description(curves))


def _key(measured: Sequence[NetworkPoint]) -> str:
    rounds = {p.seconds.count for p in measured if p.seconds is not None}
    if not rounds:
        return "lines: by formula"
    return (
        "lines: by formula; marks: MACs as counted, memory as measured; latency: median and "
        f"quartiles of n = {max(rounds)} rounds"
    )


def _frame(axes: Axes, sides: Sequence[int]) -> None:
    look.plain(axes, "both")
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [tick for tick in _TICKS if min(sides) <= tick <= max(sides)] or [min(sides)]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.minorticks_off()
    axes.set_xlabel("image size, pixels")


def _network(
    axes: Axes,
    name: str,
    points: Sequence[NetworkPoint],
    measured: Sequence[NetworkPoint],
    quantity: Quantity,
    scale: float,
    color: str,
    marker: str,
) -> None:
    marks = {"marker": marker, "ms": 3.4, "mec": "white", "mew": 0.4, "color": color}
    if quantity == "seconds":
        known = [(p.side, p.seconds) for p in measured if p.seconds is not None]
        medians = [spread.median / scale for _, spread in known]
        below = [(s.median - s.low) / scale for _, s in known]
        above = [(s.high - s.median) / scale for _, s in known]
        axes.errorbar([side for side, _ in known], medians, (below, above), lw=0.9, capsize=1.6,
                      label=name, **marks)  # type: ignore[arg-type]  # fmt: skip
        return
    sides = [p.side for p in points]
    values = [(p.value(quantity) or 0.0) / scale for p in points]
    axes.plot(sides, values, color=color, lw=1.1)
    seen = [(p.side, p.counted if quantity == "macs" else p.resident_bytes) for p in measured]
    dots = [(side, amount / scale) for side, amount in seen if amount]
    axes.plot([x for x, _ in dots], [y for _, y in dots], lw=0, **marks)  # type: ignore[arg-type]
    axes.plot([], [], lw=1.1, label=name, **marks)  # type: ignore[arg-type]


def _description(curves: Mapping[str, Sequence[NetworkPoint]]) -> str:
    ends = [
        f"{name} {points[0].macs / 1e9:.3g} GMACs at {points[0].side} pixels and "
        f"{points[-1].macs / 1e9:.3g} at {points[-1].side}"
        for name, points in curves.items()
    ]
    return f"Cost over image size: {'; '.join(ends)}."


def share_figure(vits: Mapping[str, Vit], classes: int = 1000) -> Drawing:
    """The part of ViT's MACs that is quadratic in the number of tokens, over image size; a ring
    where it is half of them. Thin: all of attention, with its projections."""
    sides = [32 * 2 ** (at / 16) for at in range(16 * 7 + 1)]
    with look.style():
        figure = Figure(figsize=(4.6, 2.8), layout="constrained")
        axes = figure.subplots()
        look.plain(axes, "both")
        axes.set_xscale("log")
        axes.set_xticks(_TICKS, [str(tick) for tick in _TICKS])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        axes.axhline(0.5, color=PALE, lw=1.0, zorder=0)
        for (name, design), (color, _) in zip(vits.items(), _LOOKS * len(vits), strict=False):
            parts = [attention_share(design, side, classes) for side in sides]
            at = overtakes_at(design, classes)
            words = f"{name}: half at {at:,.0f} pixels"
            axes.plot(
                sides, [quadratic for quadratic, _ in parts], color=color, lw=1.5, label=words
            )
            axes.plot(sides, [whole for _, whole in parts], color=color, lw=0.6, ls=(0, (4, 2)))
            axes.plot(at, 0.5, "o", color=color, mfc="white", ms=5, zorder=4)
        axes.set_xlabel("image size, pixels")
        axes.set_title("share of attention in ViT's multiply-accumulates", loc="left", color=INK)
        axes.legend(frameon=False, title="solid: N² terms\nthin: with projections",
                    title_fontsize=6.5)  # fmt: skip
        ends = [
            f"{name} half at {overtakes_at(d, classes):,.0f} pixels" for name, d in vits.items()
        ]
        return look.drawn(figure, "attention-share", f"Quadratic share: {', '.join(ends)}.")
