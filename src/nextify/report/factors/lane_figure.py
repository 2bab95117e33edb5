"""Several estimates of each factor, lane under lane: ways of looking, learning rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.axes import Axes

from nextify.findings import Interval
from nextify.findings.answers import Estimate, Way
from nextify.report import style as look
from nextify.report.canvas import SMALL, Marks, Sheet, key_lines, shrunk
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.paper import PaperColumn
from nextify.report.marks import ends, limits, mark_paper, spanned
from nextify.report.style import AMBER, BLUE, BROWN, GREEN, GREY, INK, ORANGE, PURPLE, SKY, Drawing

_TOP = 0.5
_LANE = 0.112
_GAP = 0.13  # between rows
_WIDTH = 7.6
_NAMES = 1.85
_AXIS = 0.46

_LOOKS = (  # marker and colour
    (">", GREEN), ("s", PURPLE), ("<", ORANGE), ("o", BLUE), ("^", BROWN), ("v", SKY), ("P", AMBER),
)  # fmt: skip
_WHERE = {"resnet50": "ResNet-50’s path", "resnet200": "ResNet-200’s path"}

Point = tuple[float, Interval | None, bool]  # value, interval, whether it is predicted


@dataclass(frozen=True, slots=True)
class Lane:
    """One estimate of each factor.

    Attributes:
        name: for the key. look: its marker and colour.
        points: one a factor: value, interval, and whether it is predicted; None where unknown.
    """

    name: str
    look: tuple[str, str]
    points: tuple[Point | None, ...]


def ways_figure(content: FactorContent, view: View) -> Drawing | None:
    """Each factor from the start, along the path, from the end, and on average over all orders."""
    lanes = way_lanes(view)
    if not any(point for lane in lanes[:3] for point in lane.points):
        return None
    title = "What the factor adds"
    return _drawing(f"ways{view.key}", content, lanes, view.paper, (title, "95 %, all together"))


def way_lanes(view: View) -> tuple[Lane, ...]:
    """Added to the start, in the path's order, removed from the end, and over all orders: each
    with the interval that holds together with the others of its kind."""
    ways, found = view.found.ways, view.found
    by_model = [_point(e.estimate, e.simultaneous, predicted=True) for e in found.shapley]
    contributions = [_point(e.estimate, e.simultaneous) for e in found.contributions]
    points = {
        "alone, at the start": [_way(each.added) for each in ways],
        "in the path’s order": [_way(each.path) for each in ways],
        "last, at the end": [_way(each.removed) for each in ways],
        "any order: Shapley value": by_model or contributions,
    }
    return _lanes(points)


def _lanes(points: Mapping[str, Iterable[Point | None]]) -> tuple[Lane, ...]:
    pairs = zip(points.items(), cycle(_LOOKS), strict=False)
    return tuple(Lane(name, of, tuple(own)) for (name, own), of in pairs)


def _way(way: Way | None) -> Point | None:
    return _point(way.estimate, way.simultaneous, way.predicted) if way else None


def _point(of: Estimate, within: Interval | None, predicted: bool = False) -> Point | None:
    return None if of.value is None else (of.value, within, predicted)


def _single(of: Estimate) -> Point | None:
    return _point(of, of.interval)


def rate_figure(content: FactorContent, view: View) -> Drawing | None:
    """Contributions at each learning rate; None where only one was tried."""
    if (stable := view.found.rates) is None:
        return None
    lanes = _lanes({f"{at.rate:g} × the rate": map(_single, at.estimates) for at in stable.rates})
    title = ("Contribution at each learning rate", "95 %, each by itself")
    return _drawing(f"rates{view.key}", content, lanes, None, title)


def data_figure(content: FactorContent) -> Drawing | None:
    """Contributions on each data set, and over data sets; None where there is but one."""
    if not content.general:
        return None
    found = [view.found.contributions for view in content.views]
    lanes = _lanes({
        str(view.plan.data["name"]): [_point(each.estimate, each.simultaneous) for each in every]
        for view, every in zip(content.views, found, strict=True)
    })  # fmt: skip
    means = tuple(
        None if each.mean is None else (each.mean, each.simultaneous, False)
        for each in content.general
    )
    lanes = (*lanes, Lane("mean, for other data sets", ("D", INK), means))
    title = ("Contribution on each data set", "95 %, all factors together")
    return _drawing("data-sets", content, lanes, None, title)


def _drawing(
    name: str,
    content: FactorContent,
    lanes: Sequence[Lane],
    paper: PaperColumn | None,
    title: tuple[str, str],
) -> Drawing:
    rows, row, marks = len(content.names), _LANE * len(lanes) + _GAP, _marks(lanes)
    under = _TOP + row * rows + _AXIS
    with look.style():
        sheet = Sheet(_WIDTH, under + 0.1 + 0.18 * key_lines(_WIDTH - 0.3, marks))
        sheet.bands(_TOP, row, rows)
        sheet.head(0.1, 0.14, "Factor", "in the path’s order")
        for at, factor in enumerate(content.names):
            sheet.text(0.1, _TOP + (at + 0.5) * row, shrunk(factor, _NAMES, 8.0))
        axes = sheet.panel((1.98, _TOP, 4.25 if paper else 5.5, row * rows), rows)
        axes.set_xlabel(content.unit.label, size=SMALL, labelpad=1)
        _draw(axes, content, lanes, _LANE / row)
        if paper:
            _paper(sheet, paper, row, rows)
        sheet.line(_TOP)
        sheet.key(0.2, under + 0.12, marks)
        unit = f"{content.unit.name}, {content.unit.title}; {title[1]}"
        sheet.head(1.98, 0.14, title[0], unit)
        return look.drawn(sheet.figure, name, _told(content, lanes))


def _draw(axes: Axes, content: FactorContent, lanes: Sequence[Lane], step: float) -> None:
    scale = content.unit.scale
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    values: list[float] = []
    for at, lane in enumerate(lanes):
        shift = step * (at - (len(lanes) - 1) / 2)
        for row, point in enumerate(lane.points):
            if point is None:
                continue
            value, within, predicted = scale * point[0], content.unit.ends(point[1]), point[2]
            y, (marker, color), line = row + shift, lane.look, (0, (2, 1)) if predicted else "-"
            values += [value, *ends(within)]
            spanned(axes, within, y, color=color, lw=1.1, alpha=0.6, zorder=2, linestyle=line)
            axes.plot(value, y, marker, ms=4.0, mew=0.9, mec=color,
                      mfc="white" if predicted else color, zorder=3)  # fmt: skip
    axes.set_xlim(limits(values))


def _paper(sheet: Sheet, paper: PaperColumn, row: float, rows: int) -> None:
    """The paper's increments, on their own axis: another network, other data, another scale."""
    left = 6.42
    sheet.head(left, 0.14, "The paper", _WHERE[paper.path])
    axes = sheet.panel((left, _TOP, 1.0, row * rows), rows)
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    reached: list[float] = []
    for at, each in enumerate(paper.increments):
        if each:
            mark_paper(axes, at, each.points, each.error)
            reached += [each.points - (each.error or 0.0), each.points + (each.error or 0.0)]
    axes.set_xlim(limits(reached))
    axes.set_xlabel("ImageNet, points", size=SMALL, labelpad=1)


def _marks(lanes: Sequence[Lane]) -> Marks:
    predicted = any(point and point[2] for lane in lanes for point in lane.points)
    hollow = {"marker": "D", "mfc": "white", "mec": GREY, "ms": 4.2, "mew": 0.9}
    return [
        *(
            ({"marker": lane.look[0], "color": lane.look[1], "ms": 4.6}, lane.name)
            for lane in lanes
        ),
        *[(hollow, "hollow: by the model of all orders, no run there")] * predicted,
    ]


def _told(content: FactorContent, lanes: Sequence[Lane]) -> str:
    parts, unit = [], content.unit
    for name, *row in zip(content.names, *(lane.points for lane in lanes), strict=True):
        pairs = zip(lanes, row, strict=True)
        told = [f"{lane.name} {unit.signed(point[0])}" for lane, point in pairs if point]
        parts.append(f"{name}: {', '.join(told) or 'unknown'}")
    return f"Estimates in {content.unit.name} of {content.unit.title}. {'; '.join(parts)}."
