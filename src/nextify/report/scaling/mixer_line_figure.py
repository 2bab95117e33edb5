"""Mixers as measured: time of a call and memory over N and over D, beside the formulas' lines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from nextify.report import style as look
from nextify.report.scaling.blocks import ends
from nextify.report.style import Drawing
from nextify.scaling.laws.sweeps import AXES, Sweep

_MARK: dict[str, Any] = {"ms": 4.4, "mec": "white", "mew": 0.5}
_LOOKS = (
    (look.ORANGE, "s"), (look.AMBER, "D"), (look.BLUE, "o"), (look.PURPLE, "v"),
    (look.GREEN, "^"), (look.SKY, "P"), (look.INK, "X"), (look.BROWN, "d"),
)  # fmt: skip
_TELLING = (  # of sixteen: one of each kind
    "attention", "fused", "window", "recurrence", "convolution", "separable", "mlp", "product",
)  # fmt: skip
_WORDS = {"N": "N, tokens", "D": "D, width"}


def mixer_line_figure(sweeps: Sequence[Sweep]) -> Drawing:
    """Milliseconds of a call and megabytes over N and over D, logarithmic on both axes: marks as
    measured, with the range of the rounds; lines by formula. Of more than eight mixers, one of
    each kind."""
    shown = _shown(sweeps)
    told = [sweep for sweep in sweeps if sweep.name in shown]
    columns = [own for axis in AXES if (own := [sweep for sweep in told if sweep.axis == axis])]
    wide = len(columns) == 2
    with look.style():
        figure = Figure(figsize=(7.4 if wide else 0.58 * 7.4, 6.2), layout="constrained")
        grid = figure.subplots(2, len(columns), squeeze=False)
        for (above, below), own in zip(grid.T, columns, strict=True):
            _panel(above, own, shown, is_memory=False)
            _panel(below, own, shown, is_memory=True)
        handles = [grid[0, 0].plot([], [], marker + "-", color=color, lw=1.0, **_MARK)[0]
                   for color, marker in _LOOKS[: len(shown)]]  # fmt: skip
        figure.legend(handles, shown, loc="outside lower center", frameon=False, title=_key(sweeps),
                      ncols=min(len(shown), 4 if wide else 2), title_fontsize=7)  # fmt: skip
        return look.drawn(figure, "mixer-lines", _description(told))


def _shown(sweeps: Sequence[Sweep]) -> list[str]:
    names = list(dict.fromkeys(sweep.name for sweep in sweeps))
    if len(names) <= len(_LOOKS):
        return names
    telling = [name for name in _TELLING if name in names]
    return (telling + [name for name in names if name not in telling])[: len(_LOOKS)]


def _key(sweeps: Sequence[Sweep]) -> str:
    n = ends(len(sweep.points) for sweep in sweeps)
    return (
        f"marks: measured at n = {n} sizes; bars: fastest to slowest round\n"
        "lines: the formula's (time: its MACs, through the last mark; memory: its bytes)"
    )


def _panel(axes: Axes, sweeps: Sequence[Sweep], shown: Sequence[str], *, is_memory: bool) -> None:
    look.plain(axes, "both")
    axes.set(xscale="log", yscale="log")
    for sweep in sweeps:
        if not is_memory or sweep.memory is not None:  # the system may not tell it
            _draw(axes, sweep, *_LOOKS[shown.index(sweep.name)], is_memory=is_memory)
    for one in (axes.xaxis, axes.yaxis):
        low, high = one.get_view_interval()
        subs = (1, 2, 5) if high < 300 * low else (1,)
        one.set_major_locator(LogLocator(subs=subs, numticks=20))
        one.set_minor_locator(NullLocator())
        one.set_major_formatter(lambda value, _: f"{value:,.12g}")
    first, axis = sweeps[0].points[0], sweeps[0].axis
    tokens = ends(sweep.points[0].size("N") for sweep in sweeps)  # planes have whole windows
    fixed = f"D = {first.width}" if axis == "N" else f"N = {tokens}"
    call = "forward pass" if is_memory or sweeps[0].step == "forward" else "training step"
    what = f"{'memory' if is_memory else 'time'} of a {call}"
    axes.set(xlabel=_WORDS[axis], ylabel="MB" if is_memory else "ms")
    axes.set_title(f"{what} over {axis} ({fixed}, B = {first.batch})", loc="left", color=look.INK)


def _draw(axes: Axes, sweep: Sweep, color: str, marker: str, *, is_memory: bool) -> None:
    (middle, low, high), formula = _memory(sweep) if is_memory else _time(sweep)
    axes.plot(sweep.sizes, formula, color=color, lw=0.9, alpha=0.8, zorder=2)
    axes.errorbar(sweep.sizes, middle, np.abs(np.array([low, high]) - middle), fmt=marker,
                  color=color, ecolor=color, elinewidth=1.2, zorder=3, **_MARK)  # fmt: skip


def _time(sweep: Sweep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In milliseconds: middle, fastest and slowest; and by formula."""
    last = sweep.points[-1]
    measured = np.array([(p.seconds, p.fastest, p.slowest) for p in sweep.points]).T
    formula = np.array([point.macs for point in sweep.points])
    return 1e3 * measured, 1e3 * (last.seconds / last.macs) * formula


def _memory(sweep: Sweep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """In megabytes, the same."""
    grown = np.array([p.resident.bytes for p in sweep.points if p.resident is not None])
    return np.array([grown] * 3) / 1e6, np.array([p.alive for p in sweep.points]) / 1e6


def _description(sweeps: Sequence[Sweep]) -> str:
    parts = [
        f"{s.name} over {s.axis} from {1e3 * s.points[0].seconds:.3g} ms at {s.sizes[0]:,} to "
        f"{1e3 * s.points[-1].seconds:.3g} ms at {s.sizes[-1]:,}"
        for s in sweeps
    ]
    return f"Time of a call: {'; '.join(parts)}."
