"""Exponents of mixers' time and memory over N and over D, measured, beside the formulas'."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextify.report import style as look
from nextify.report.scaling.blocks import ends
from nextify.report.scaling.marks import interval, name_rows
from nextify.report.style import Drawing
from nextify.scaling.laws.findings import Verdict, verdict
from nextify.scaling.laws.fit import Exponent
from nextify.scaling.laws.sweeps import Axis, Sweep

_WIDTH = 7.4
_ROW = 0.2  # inches of a mixer
_EDGES = (0.75, 0.42)  # inches below and above the rows
_PANELS: tuple[tuple[str, Axis, bool], ...] = (
    ("time over N", "N", False),
    ("time over D", "D", False),
    ("memory over N", "N", True),
    ("memory over D", "D", True),
)
_MOST = 2.6  # the largest exponent shown
_LOOKS: dict[Verdict, dict[str, str]] = {  # shapes say the same in black and white
    "agrees": {"color": look.BLUE, "marker": "o", "mfc": look.BLUE, "mec": "white"},
    "differs": {"color": look.ORANGE, "marker": "D", "mfc": look.ORANGE, "mec": "white"},
    "not resolved": {"color": look.GREY, "marker": "o", "mfc": "white", "mec": look.GREY},
}


def mixer_figure(sweeps: Sequence[Sweep]) -> Drawing:
    """A row per mixer; in each panel the exponent of the formula as a bar, the measured one as a
    dot with its 95 % interval."""
    names = list(dict.fromkeys(sweep.name for sweep in sweeps))
    panels = [panel for panel in _PANELS if any(sweep.axis == panel[1] for sweep in sweeps)]
    below, above = _EDGES
    height = below + above + _ROW * len(names)
    with look.style():
        figure = Figure(figsize=(_WIDTH, height))
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(0.19, below / height, 0.985, 1 - above / height, wspace=0.07)
        for axes, panel in zip(grid, panels, strict=True):
            _panel(axes, names, sweeps, panel)
        n = ends(len(sweep.points) for sweep in sweeps)
        key = (
            f"bar: formula   mark: measured, 95 % interval, n = {n} sizes\n"
            "dot: agrees to 0.15   diamond: differs by more   ring: interval too wide to tell"
        )
        figure.text(0.985, 0.05 / height, key, ha="right", va="bottom", size=7, color=look.GREY)
        return look.drawn(figure, "mixers", _description(sweeps))


def _panel(
    axes: Axes, names: list[str], sweeps: Sequence[Sweep], panel: tuple[str, Axis, bool]
) -> None:
    title, axis, is_memory = panel
    name_rows(axes, names)
    for sweep in sweeps:
        if sweep.axis == axis:
            row = names.index(sweep.name)
            formula = sweep.alive.value if is_memory else float(sweep.leading)
            _mark(axes, row, formula, sweep.memory if is_memory else sweep.time)
    axes.set(xlim=(0, _MOST), xlabel="exponent")
    axes.set_xticks([0, 0.5, 1, 1.5, 2, 2.5], ["0", "", "1", "", "2", ""])
    axes.set_title(title, loc="left", color=look.INK)


def _mark(axes: Axes, row: int, formula: float, measured: Exponent | None) -> None:
    axes.plot([formula, formula], [row - 0.34, row + 0.34], color=look.INK, lw=1.6, zorder=2)
    if measured is None:
        return
    shape = _LOOKS[verdict(measured, formula)]
    interval(axes, row, [max(0.0, measured.low), min(_MOST, measured.high)], shape["color"])
    axes.plot(measured.value, row, ms=4.6, mew=0.8, zorder=4, **shape)  # type: ignore[arg-type]


def _description(sweeps: Sequence[Sweep]) -> str:
    time, memory = [], []
    for sweep in sweeps:
        start = f"{sweep.name} over {sweep.axis}"
        time.append(f"{start} {sweep.time.value:.2f} ({sweep.leading})")
        if (found := sweep.memory) is not None:
            memory.append(f"{start} {found.value:.2f} ({sweep.alive.value:.2f})")
    start = "Measured exponents of time, with the formula's in brackets"
    return f"{start}: {', '.join(time)}. Of memory: {', '.join(memory)}."
