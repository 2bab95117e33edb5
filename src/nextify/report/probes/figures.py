"""A figure a probe: named numbers as bars, lists as lines, rows of numbers as maps."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nextify.records import Measurement
from nextify.report import style as look
from nextify.report.cells.looks import NetworkLook, look_of
from nextify.report.probes.content import About, ProbesContent
from nextify.report.probes.words import figure_name, on_images, value
from nextify.report.style import GREY, INK, Drawing

_COLUMNS = 3
_WIDE, _HIGH = 2.55, 2.0  # of a panel, inches
_NAME = 34  # letters of a title
_MARKED = 40  # points of a line that are marked; of more, the line is enough
_Own = tuple[NetworkLook, Measurement]  # of a network for which a probe is defined
_Draw = Callable[[Axes], None]
_Panel = tuple[str, _Draw]  # a title, and what is under it


def probe_figures(content: ProbesContent) -> list[Drawing]:
    """A figure for every probe that is defined for a network."""
    return [drawing for each in content.probes if (drawing := _figure(each, content))]


def _figure(probe: About, content: ProbesContent) -> Drawing | None:
    found = {
        each.name: (look_of(at), each.found[probe.name]) for at, each in enumerate(content.networks)
    }
    own = {name: each for name, each in found.items() if each[1].value is not None}
    if not own:
        return None
    panels = [*_bars(probe, own), *_curves(probe, own)]
    columns = min(_COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    keys = math.ceil(len(own) / 2)
    with look.style():
        size = _WIDE * max(columns, 2), _HIGH * lines + 0.35 + 0.16 * keys
        figure = Figure(size, layout="constrained")
        for at, (title, draw) in enumerate(panels, start=1):
            axes = figure.add_subplot(lines, columns, at)
            axes.set_title(look.legible(look.shortened(title, _NAME)), loc="left", color=INK)
            draw(axes)
        unit = f", {probe.unit}" if probe.unit else ""
        head = look.legible(f"{probe.title}{unit}; {on_images(content)}")
        figure.suptitle(head, x=0.01, ha="left", size=8.5, weight="bold")
        figure.legend(handles=[_key(name, of) for name, (of, _) in own.items()], ncols=2,
                      loc="outside lower left", frameon=False, fontsize=7)  # fmt: skip
        return look.drawn(figure, figure_name(probe), _description(probe, own))


def _key(name: str, of: NetworkLook) -> Line2D:
    label = look.legible(look.squeezed(name, 40))
    return Line2D([], [], color=of.color, lw=1.1, linestyle=of.line, label=label, **of.mark())


def _bars(probe: About, own: Mapping[str, _Own]) -> list[_Panel]:
    """The value and the named numbers, a panel for each unit."""
    units: dict[str, dict[str, None]] = {probe.unit: {"value": None}}
    for _, found in own.values():
        for name in found.values:
            units.setdefault(found.units.get(name, probe.unit), {})[name] = None
    return [(unit or "number", _bars_of(list(names), own)) for unit, names in units.items()]


def _bars_of(names: Sequence[str], own: Mapping[str, _Own]) -> _Draw:
    def draw(axes: Axes) -> None:
        look.plain(axes, "y")
        wide = 0.8 / len(own)
        for at, (of, found) in enumerate(own.values()):
            heights = {"value": found.value, **found.values}
            for place, name in enumerate(names):
                if (height := heights.get(name)) is not None:
                    x = place + (at - (len(own) - 1) / 2) * wide
                    axes.bar(x, height, 0.92 * wide, color=of.color)
        axes.axhline(0, color=GREY, lw=0.6)
        is_long = sum(map(len, names)) > 26
        written = [look.legible(look.shortened(name, 18)) for name in names]
        turned: dict[str, Any] = {"rotation": 35, "ha": "right"} if is_long else {}
        axes.set_xticks(range(len(names)), written, **turned)

    return draw


def _curves(probe: About, own: Mapping[str, _Own]) -> Iterator[_Panel]:
    """A panel a list, with a line a network; a panel a network for rows of numbers."""
    for name in dict.fromkeys(name for _, found in own.values() for name in found.curves):
        curves = {network: found.curves.get(name) for network, (_, found) in own.items()}
        lines = [(own[network][0], curve) for network, curve in curves.items() if _is_line(curve)]
        if lines:
            yield f"by {name}", _lines_of(name, probe.unit, lines)
        maps = {network: curve for network, curve in curves.items() if _is_map(curve)}
        for network, curve in maps.items():
            yield f"{name}: {network}" if len(own) > 1 else name, _map_of(curve, maps.values())


def _is_line(curve: Any) -> bool:
    return bool(curve) and all(isinstance(each, int | float) for each in curve)


def _is_map(curve: Any) -> bool:
    """Rows of as many numbers each."""
    rows = list(curve or ())
    is_of_rows = bool(rows) and all(isinstance(row, list | tuple) for row in rows)
    return is_of_rows and all(map(_is_line, rows)) and len({len(row) for row in rows}) == 1


def _lines_of(name: str, unit: str, lines: Sequence[tuple[NetworkLook, Any]]) -> _Draw:
    def draw(axes: Axes) -> None:
        look.plain(axes, "both")
        for of, curve in lines:
            marks = of.mark() | {"ms": 3.2} if len(curve) <= _MARKED else {}
            places = range(1, len(curve) + 1)
            axes.plot(places, curve, color=of.color, lw=1.1, linestyle=of.line, **marks)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(look.legible(name), size=7, labelpad=1)
        axes.set_ylabel(look.legible(look.shortened(unit, _NAME)), size=7)

    return draw


def _map_of(curve: Any, beside: Iterable[Any]) -> _Draw:
    """A map in colours that mean the same in all of those beside it."""
    numbers = [n for each in beside for row in each for n in row if math.isfinite(n)] or [0.0]
    scale: dict[str, Any] = {"vmin": min(numbers), "vmax": max(numbers), "aspect": "auto"}

    def draw(axes: Axes) -> None:
        shown = axes.imshow(curve, cmap="cividis", interpolation="nearest", **scale)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
        bar = axes.figure.colorbar(shown, ax=axes, fraction=0.06, pad=0.03)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=6.5)

    return draw


def _description(probe: About, own: Mapping[str, _Own]) -> str:
    told = [f"{name} {value(found)}" for name, (_, found) in own.items()]
    return f"{probe.title}: {'; '.join(told)}. The table holds the numbers."
