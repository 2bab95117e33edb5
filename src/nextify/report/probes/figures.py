"""A figure a probe: named numbers as bars, and its curves as lines, points or maps, each drawn over
what its probe says."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from nextify import words
from nextify.records.measurement import Curve, Measurement
from nextify.report import style as look
from nextify.report.cells.looks import NetworkLook, look_of
from nextify.report.probes.content import About, ProbesContent
from nextify.report.probes.words import capital, figure_name, spaced, value
from nextify.report.style import GREY, INK, Drawing
from nextify.words import plural

_COLUMNS = 3
_WIDE, _HIGH = 2.55, 2.1  # of a panel, inches
_NAME, _HEAD = 34, 88  # letters of a title, and of the figure's
_MARKED = 40  # points of a line that are marked; of more, the line is enough
_LINE = 28  # letters of a line of an axis' label
_TICKS = 6  # places that are all named below the axis
_ROOM = 3  # bars stand as narrow as those of so many names
_DEPTHS = mpl.colormaps["viridis"]
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
    lines, keys = math.ceil(len(panels) / _COLUMNS), math.ceil(len(own) / 2)
    with look.style():
        size = _WIDE * _COLUMNS, _HIGH * lines + 0.35 + 0.16 * keys
        figure = Figure(size, layout="constrained")
        grid = figure.add_gridspec(lines, _COLUMNS)
        for at, (title, draw) in enumerate(panels):
            axes = figure.add_subplot(grid[divmod(at, _COLUMNS)])
            axes.set_title(look.legible(look.shortened(title, _NAME)), loc="left", color=INK)
            draw(axes)
        head = look.legible(look.shortened(f"{probe.title}; {_count(own)}", _HEAD))
        figure.suptitle(head, x=0.01, ha="left", size=8.5, weight="bold")
        figure.legend(handles=[_key(name, of) for name, (of, _) in own.items()], ncols=2,
                      loc="outside lower left", frameon=False, fontsize=7)  # fmt: skip
        return look.drawn(figure, figure_name(probe), _description(probe, own))


def _count(own: Mapping[str, _Own]) -> str:
    """How many images were looked at."""
    counts = sorted({found.images for _, found in own.values()})
    return f"n = {' or '.join([*map(str, counts[:-1]), plural(counts[-1], 'image')])}"


def _key(name: str, of: NetworkLook) -> Line2D:
    label = look.legible(look.squeezed(name, 40))
    return Line2D([], [], color=of.color, lw=1.1, linestyle=of.line, label=label, **of.mark())


def _bars(probe: About, own: Mapping[str, _Own]) -> Iterator[_Panel]:
    """The value and the named numbers, a panel for each unit."""
    units: dict[str, dict[str, None]] = {probe.unit: {"value": None}}
    for _, found in own.values():
        for name in found.values:
            units.setdefault(found.units.get(name, probe.unit), {})[name] = None
    for unit, names in units.items():
        first = next(iter(names))
        by_stage = all(name.startswith("stage") for name in names)
        several = "By stage" if by_stage else "Value and its parts" if first == "value" else "Parts"
        title = several if len(names) > 1 else capital(spaced(first))
        ordered = sorted(names, key=lambda name: (name != "value", not name.startswith("stage")))
        yield title, partial(_draw_bars, unit, ordered, own)


def _draw_bars(unit: str, names: Sequence[str], own: Mapping[str, _Own], axes: Axes) -> None:
    look.plain(axes, "y")
    wide, tops = 0.8 / len(own), [0.0]
    for at, (of, found) in enumerate(own.values()):
        heights = {"value": found.value, **found.values}
        for place, name in enumerate(names):
            if (height := heights.get(name)) is not None:
                x = place + (at - (len(own) - 1) / 2) * wide
                axes.bar(x, height, 0.92 * wide, color=of.color)
                tops.append(height)
    axes.axhline(0, color=GREY, lw=0.6)
    if not any(tops):
        axes.set_ylim(0, 1)
    written = [look.legible(look.shortened(spaced(name), 18)) for name in names]
    is_long = sum(map(words.room, names)) > 26
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), written, **(turned if is_long else {}))
    middle, half = (len(names) - 1) / 2, max(len(names), _ROOM) / 2
    axes.set_xlim(middle - half, middle + half)
    _label(axes.set_ylabel, unit or "pure number")


def _curves(probe: About, own: Mapping[str, _Own]) -> Iterator[_Panel]:
    """A panel a curve with a line a network; a panel a network for a map, and for curves of which
    a network has one a stage or a block."""
    names = dict.fromkeys(name for _, found in own.values() for name in found.curves)
    families = {name: name.rstrip("0123456789") for name in names}
    places = {each.at for each in probe.curves.values()}
    for name in dict.fromkeys(families.values()):
        members = [each for each in names if families[each] == name]
        if name in places or set(members) & places:
            continue
        how = probe.curves.get(name, Curve(title=capital(name), over="number"))
        unit = probe.unit if how.unit is None else how.unit
        having = {network: each for network, each in own.items()
                  if any(_is_drawn(each[1].curves.get(one), how) for one in members)}  # fmt: skip
        if having and members == [name] and not how.rows:
            yield how.title, partial(_draw_lines, name, how, unit, list(having.values()))
        elif having:
            yield from _of_each(name, members, how, unit, having)


def _of_each(
    name: str, members: Sequence[str], how: Curve, unit: str, having: Mapping[str, _Own]
) -> Iterator[_Panel]:
    """A panel a network, in which colours and heights mean the same as in those beside it."""
    found = {network: [measured.curves[each] for each in members if each in measured.curves]
             for network, (_, measured) in having.items()}  # fmt: skip
    numbers = [n for curves in found.values() for n in _numbers(curves)] or [0.0]
    ends = min(numbers), max(numbers)
    for network, curves in found.items():
        places = having[network][1].curves.get(how.at)
        title = f"{how.title}: {network}" if len(having) > 1 else how.title
        if how.rows:
            yield (
                look.squeezed(title, _NAME),
                partial(_draw_map, curves[0], places, how, unit, ends),
            )
        else:
            yield (
                look.squeezed(title, _NAME),
                partial(_draw_family, name, curves, places, how, unit, ends),
            )


def _is_drawn(curve: Any, how: Curve) -> bool:
    """Whether a curve has more than one place, and in a map rows of one length."""
    rows = list(curve or ())
    lengths = {len(row) if isinstance(row, list | tuple) else 0 for row in rows}
    return len(lengths) == 1 and 0 not in lengths if how.rows else len(rows) > 1


def _numbers(curve: Any) -> Iterator[float]:
    """All finite numbers of a curve, or of rows of them."""
    if isinstance(curve, list | tuple):
        for each in curve:
            yield from _numbers(each)
    elif math.isfinite(curve):
        yield curve


def _draw_lines(name: str, how: Curve, unit: str, own: Sequence[_Own], axes: Axes) -> None:
    """A line a network, through its numbers; rows of numbers are points above their place."""
    look.plain(axes, "both")
    for at, (of, found) in enumerate(own):
        curve = found.curves[name]
        places = found.curves.get(how.at) or range(1, len(curve) + 1)
        if isinstance(curve[0], list | tuple):
            beside = (at - (len(own) - 1) / 2) * 0.16
            points = [(x + beside, y) for x, row in zip(places, curve, strict=False) for y in row]
            axes.plot(*zip(*points, strict=True), color=of.color, lw=0, **of.mark() | {"ms": 3.6})
        else:
            marks = of.mark() | {"ms": 3.2} if len(curve) <= _MARKED else {}
            axes.plot(places, curve, color=of.color, lw=1.1, linestyle=of.line, **marks)
    longest = max(([*found.curves.get(how.at, found.curves[name])] for _, found in own), key=len)
    _axes(axes, how, unit, longest if how.at else range(1, len(longest) + 1))
    if not any(_numbers([found.curves[name] for _, found in own])):
        axes.set_ylim(0, 1)


def _draw_family(
    name: str, curves: Sequence[Any], places: Any, how: Curve, unit: str,
    ends: tuple[float, float], axes: Axes,
) -> None:  # fmt: skip
    """A network's curves, one a stage or a block, from dark for the first to light."""
    look.plain(axes, "both")
    steps = 1.1 * max(1, len(curves) - 1)  # the lightest colours are lost on white
    for at, curve in enumerate(curves, 1):
        axes.plot(places or range(1, len(curve) + 1), curve, color=_DEPTHS((at - 1) / steps),
                  lw=1.1, marker="o", ms=2.4, label=str(at))  # fmt: skip
    room = 0.05 * (ends[1] - ends[0] or 1.0)
    axes.set_ylim(ends[0] - room, ends[1] + room)
    _axes(axes, how, unit, places or range(1, len(curves[0]) + 1))
    axes.legend(title=name, frameon=False, fontsize=6, title_fontsize=6, handlelength=1.2,
                ncols=math.ceil(len(curves) / 6), borderpad=0.1, labelspacing=0.2)  # fmt: skip


def _draw_map(
    curve: Any, places: Any, how: Curve, unit: str, ends: tuple[float, float], axes: Axes
) -> None:
    """Rows of numbers as colours. Where `places` hold the edges of columns, the first and the last
    column are open, and drawn as wide as the others."""
    rows, columns = len(curve), len(curve[0])
    left, right = (0.5, columns + 0.5)
    if places:
        step = places[1] - places[0]
        left, right = places[0] - step, places[-1] + step
    is_square = not places
    shown = axes.imshow(curve, cmap="cividis", interpolation="nearest", vmin=ends[0], vmax=ends[1],
                        extent=(left, right, rows + 0.5, 0.5),
                        aspect="equal" if is_square else "auto")  # fmt: skip
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    _label(axes.set_xlabel, how.over)
    _label(axes.set_ylabel, how.rows)
    bar = axes.figure.colorbar(shown, ax=axes, fraction=0.06, pad=0.03)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6.5)
    bar.set_label(look.legible(look.shortened(unit, _NAME)), size=7)


def _axes(axes: Axes, how: Curve, unit: str, places: Sequence[float]) -> None:
    if how.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    if len(places) <= _TICKS:
        axes.set_xticks(places)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=not how.at))
    _label(axes.set_xlabel, how.over)
    _label(axes.set_ylabel, unit or "pure number")


def _label(put: Callable[..., Any], text: str) -> None:
    lines = wrap(look.legible(look.shortened(text, 2 * _LINE)), _LINE)
    put("\n".join(lines), size=7, labelpad=1.5)


def _description(probe: About, own: Mapping[str, _Own]) -> str:
    told = [f"{name} {value(found)}" for name, (_, found) in own.items()]
    return f"{probe.title}: {'; '.join(told)}. The table holds the numbers."
