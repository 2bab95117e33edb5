"""Training curves: loss and accuracy per epoch, a small pair of panels for each step or network."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextify.records.record import EpochPoint, Record
from nextify.report import style as look
from nextify.report.cells.content import AnyContent, ComparisonContent, Row, StepsContent
from nextify.report.marks import mark_chance, with_chance
from nextify.report.style import BLUE, GREY, ORANGE, PALE, Drawing
from nextify.words import plural, whole

_COLUMNS = 5
_WIDTH = 7.5
_PANEL = 0.72  # height of one panel, inches
_STEP = 2 * _PANEL + 0.52  # of a step's two panels with their title and labels
_TITLE = 26


# A pair of panels: its title, the row whose runs' curves are drawn, and runs in grey to compare.
_Pair = tuple[str, Row, Sequence[Record]]


def curve_figure(content: AnyContent) -> Drawing | None:
    """A pair of panels for each step, the step before in grey, or for each network on the most
    images, the baseline in grey; None where no run has a curve."""
    match content:
        case StepsContent():
            rows = content.rows
            names = [f"{row.at}  {row.name}" for row in rows]
            behind = [(), *(row.recorded for row in rows)]
            told = (
                f"Training loss and {content.score} against the epoch for each of {len(rows)} "
                "steps, a line a seed; the step before in grey."
            )
        case ComparisonContent():
            rows = content.rows_on(content.found.images[-1])
            names = [row.name for row in rows]
            behind = [() if row.name == content.baseline else rows[0].recorded for row in rows]
            told = (
                f"Training loss and {content.score} against the epoch for each of "
                f"{plural(len(rows), 'network')} on {whole(rows[0].images)} images, a line a seed; "
                f"{content.baseline} in grey."
            )
    return _drawn(list(zip(names, rows, behind, strict=False)), told, content.chance)


def _drawn(shown: Sequence[_Pair], description: str, chance: float | None) -> Drawing | None:
    """Loss above, accuracy below, for each of `shown`; None where no run has a curve."""
    runs = [run for _, row, _ in shown for run in row.recorded]
    if not any(map(_curve, runs)):
        return None
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    limits = _limits(runs)
    limits["accuracy"] = with_chance(limits["accuracy"], chance)
    with look.style():
        figure = Figure(figsize=(_WIDTH, rows * _STEP + 0.1))
        for at, (title, row, behind) in enumerate(shown):
            pair = _pair(figure, at, columns)
            _draw(pair, behind, PALE)
            _draw(pair, row.recorded, BLUE)
            _finish(pair, title, row, limits)
            mark_chance(pair[1], chance, upright=True)
            _label(pair, at, len(shown))
        return look.drawn(figure, "curves", description)


def _curve(record: Record) -> tuple[EpochPoint, ...]:
    return record.result.curve if record.result else record.curve


def _pair(figure: Figure, at: int, columns: int) -> tuple[Axes, Axes]:
    """The axes of one step: loss and accuracy."""
    across, up = figure.get_size_inches()
    slot = (across - 0.5) / _COLUMNS
    left = 0.48 + (at % columns) * slot
    top = up - (at // columns) * _STEP - 0.3
    wide = slot - 0.16

    def panel(bottom: float) -> Axes:
        axes = figure.add_axes((left / across, bottom / up, wide / across, (_PANEL - 0.06) / up))
        look.plain(axes, "both")
        axes.tick_params(labelleft=at % columns == 0)
        return axes

    return panel(top - _PANEL + 0.06), panel(top - 2 * _PANEL + 0.06)


def _draw(pair: tuple[Axes, Axes], runs: Sequence[Record], color: str) -> None:
    loss, accuracy = pair
    order = 1 if color == PALE else 2
    for points in map(_curve, runs):
        known = [(p.epoch, p.train_loss) for p in points if math.isfinite(p.train_loss)]
        loss.plot(*_columns(known), color=color, lw=0.9, zorder=order)
        if known and len(known) < len(points) and color != PALE:
            loss.plot(*known[-1], "X", color=ORANGE, ms=4.5, mec="white", mew=0.5, zorder=3)
        tested = [(p.epoch, 100 * p.accuracy) for p in points if p.accuracy is not None]
        accuracy.plot(*_columns(tested), color=color, lw=0.9, zorder=order)


def _columns(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _limits(runs: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """One scale for all panels. The first half of the epochs may leave the accuracy's."""
    points = [p for run in runs for p in _curve(run)]
    epochs = max(p.epoch for p in points)
    finished = [p for run in runs if run.result for p in _curve(run)]
    losses = [p.train_loss for p in finished or points if math.isfinite(p.train_loss)] or [1.0]
    late = [p for p in points if p.accuracy is not None and p.epoch >= epochs / 2]
    tested = [100 * p.accuracy for p in late if p.accuracy is not None] or [0.0, 100.0]
    pad = 0.08 * (max(tested) - min(tested)) or 1.0
    return {
        "epoch": (0, epochs),
        "loss": (min(0.0, *losses), 1.05 * max(losses)),
        "accuracy": (max(0.0, min(tested) - pad), min(100.0, max(tested) + pad)),
    }


def _finish(
    pair: tuple[Axes, Axes], title: str, row: Row, limits: dict[str, tuple[float, float]]
) -> None:
    loss, accuracy = pair
    loss.set(xlim=limits["epoch"], ylim=limits["loss"])
    accuracy.set(xlim=limits["epoch"], ylim=limits["accuracy"])
    loss.tick_params(labelbottom=False)
    for axes in pair:
        axes.locator_params(axis="both", nbins=3)
    loss.set_title(look.shortened(title, _TITLE), loc="left", pad=4, size=6.8)
    if row.trouble or not any(run.result for run in row.recorded):
        loss.text(0.97, 0.93, row.trouble or "not run yet", transform=loss.transAxes, ha="right",
                  va="top", size=6.6, color=ORANGE if row.trouble else GREY)  # fmt: skip


def _label(pair: tuple[Axes, Axes], at: int, count: int) -> None:
    """Name the axes at the figure's left and lower edges."""
    loss, accuracy = pair
    if at % _COLUMNS == 0:
        loss.set_ylabel("loss", size=7)
        accuracy.set_ylabel("acc., %", size=7)
        for axes in pair:
            axes.yaxis.set_label_coords(-0.27, 0.5)
    if at + _COLUMNS >= count:
        accuracy.set_xlabel("epoch", size=7, labelpad=1)
