"""Mixers as measured: time of a call and memory over N and over D, beside the formulas' lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from nextify.report import style as look
from nextify.report.style import (
    AMBER,
    BLUE,
    BROWN,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    Drawing,
)
from nextify.scaling.laws.sweeps import Axis, Sweep

_SIZE = (7.4, 6.2)  # inches
_LOOKS = (
    (ORANGE, "s"), (AMBER, "D"), (BLUE, "o"), (PURPLE, "v"), (GREEN, "^"), (SKY, "P"),
    (INK, "X"), (BROWN, "d"),
)  # fmt: skip
_TELLING = (  # of sixteen: one of each kind
    "attention", "fused", "window", "recurrence", "convolution", "separable", "mlp", "product",
)  # fmt: skip
_WORDS = {"N": "N, tokens", "D": "D, width"}


@dataclass(frozen=True, slots=True)
class _Line:
    """What one panel shows of one sweep: measured values with their ends, and the formula's."""

    sizes: tuple[int, ...]
    middle: list[float]
    low: list[float]
    high: list[float]
    formula: list[float]


def mixer_line_figure(sweeps: Sequence[Sweep]) -> Drawing:
    """Milliseconds of a call and megabytes over N and over D, logarithmic on both axes: marks as
    measured, with the range of the rounds; lines by formula. Of more than eight mixers, one of
    each kind."""
    shown = _shown(sweeps)
    axes_there: list[Axis] = [axis for axis in ("N", "D") if any(s.axis == axis for s in sweeps)]
    with look.style():
        width = _SIZE[0] if len(axes_there) == 2 else 0.58 * _SIZE[0]
        figure = Figure(figsize=(width, _SIZE[1]), layout="constrained")
        grid = figure.subplots(2, len(axes_there), squeeze=False)
        for column, axis in enumerate(axes_there):
            own = [sweep for sweep in sweeps if sweep.axis == axis and sweep.name in shown]
            _panel(grid[0, column], axis, own, shown, is_memory=False)
            _panel(grid[1, column], axis, own, shown, is_memory=True)
        handles = [grid[0, 0].plot([], [], marker + "-", color=color, lw=1.0, ms=4.4, mec="white",
                   mew=0.5)[0] for color, marker in _LOOKS[: len(shown)]]  # fmt: skip
        figure.legend(handles, shown, loc="outside lower center", frameon=False, title=_key(sweeps),
                      ncols=min(len(shown), 4 if len(axes_there) == 2 else 2),
                      title_fontsize=7)  # fmt: skip
        return look.drawn(figure, "mixer-lines", _description(sweeps, shown))


def _shown(sweeps: Sequence[Sweep]) -> list[str]:
    names = list(dict.fromkeys(sweep.name for sweep in sweeps))
    if len(names) <= len(_LOOKS):
        return names
    telling = [name for name in _TELLING if name in names]
    return (telling + [name for name in names if name not in telling])[: len(_LOOKS)]


def _key(sweeps: Sequence[Sweep]) -> str:
    counts = sorted({len(sweep.points) for sweep in sweeps})
    n = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    return (
        f"marks: measured at n = {n} sizes; bars: fastest to slowest round\n"
        "lines: the formula's (time: its MACs, through the last mark; memory: its bytes)"
    )


def _panel(
    axes: Axes, axis: Axis, sweeps: Sequence[Sweep], shown: Sequence[str], *, is_memory: bool
) -> None:
    look.plain(axes, "both")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for sweep in sweeps:
        line = _memory(sweep) if is_memory else _time(sweep)
        if line is not None:
            _draw(axes, line, *_LOOKS[shown.index(sweep.name)])
    for one in (axes.xaxis, axes.yaxis):
        ends = one.get_view_interval()
        dense = ends[1] < 300 * ends[0]
        one.set_major_locator(LogLocator(subs=(1, 2, 5) if dense else (1,), numticks=20))
        one.set_minor_locator(NullLocator())
        one.set_major_formatter(lambda value, _: f"{value:,.12g}")
    axes.set_xlabel(_WORDS[axis])
    first = sweeps[0].points[0]
    counts = sorted({sweep.points[0].size("N") for sweep in sweeps})  # planes have whole windows
    tokens = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    fixed = f"D = {first.width}" if axis == "N" else f"N = {tokens}"
    what = "memory of a forward pass" if is_memory else f"time of a {_call(sweeps[0])}"
    axes.set_ylabel("MB" if is_memory else "ms")
    axes.set_title(f"{what} over {axis} ({fixed}, B = {first.batch})", loc="left", color=INK)


def _call(sweep: Sweep) -> str:
    return "forward pass" if sweep.step == "forward" else "training step"


def _time(sweep: Sweep) -> _Line:
    """In milliseconds."""
    points = sweep.points
    scale = points[-1].seconds / points[-1].macs
    return _Line(
        sweep.sizes,
        [1e3 * point.seconds for point in points],
        [1e3 * point.fastest for point in points],
        [1e3 * point.slowest for point in points],
        [1e3 * scale * point.macs for point in points],
    )


def _memory(sweep: Sweep) -> _Line | None:
    """In megabytes; None where the system does not tell."""
    resident = [point.resident for point in sweep.points]
    grown = [one.bytes / 1e6 for one in resident if one is not None]
    if len(grown) < len(resident):
        return None
    formula = [point.alive / 1e6 for point in sweep.points]
    return _Line(sweep.sizes, grown, grown, grown, formula)


def _draw(axes: Axes, line: _Line, color: str, marker: str) -> None:
    axes.plot(line.sizes, line.formula, color=color, lw=0.9, alpha=0.8, zorder=2)
    ends = np.abs(np.array([line.low, line.high]) - line.middle)
    axes.errorbar(line.sizes, line.middle, ends, fmt=marker, color=color, ecolor=color, ms=4.4,
                  mec="white", mew=0.5, elinewidth=1.2, zorder=3)  # fmt: skip


def _description(sweeps: Sequence[Sweep], shown: Sequence[str]) -> str:
    parts = [
        f"{s.name} over {s.axis} from {1e3 * s.points[0].seconds:.3g} ms at {s.sizes[0]:,} to "
        f"{1e3 * s.points[-1].seconds:.3g} ms at {s.sizes[-1]:,}"
        for s in sweeps
        if s.name in shown
    ]
    return f"Time of a call: {'; '.join(parts)}."
