"""Training curves: loss and accuracy per epoch, a small panel for each step."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextify.records.record import EpochPoint, Record
from nextify.report import style as look
from nextify.report.content import Content, Row
from nextify.report.style import BLUE, GREY, ORANGE, PALE, Drawing

_COLUMNS = 5
_WIDTH = 7.5
_PANEL = 0.72  # height of one panel, inches
_STEP = 2 * _PANEL + 0.52  # of a step's two panels with their title and labels
_TITLE = 23


def curve_figure(content: Content) -> Drawing | None:
    """Loss above, accuracy below, a pair of panels for each step; None where no run has a curve."""
    curves = [[_curve(run) for run in row if run] for row in content.runs]
    if not any(point for row in curves for points in row for point in points):
        return None
    columns = min(_COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    limits = _limits(content)
    with look.style():
        figure = Figure(figsize=(_WIDTH, rows * _STEP + 0.1))
        for at, row in enumerate(content.rows):
            pair = _pair(figure, at, columns, rows, first=at % columns == 0)
            if at:
                _draw(pair, curves[at - 1], PALE)
            _draw(pair, curves[at], BLUE)
            _finish(pair, row, limits, content, at)
        return look.drawn(figure, "curves", _description(content))


def _curve(record: Record) -> tuple[EpochPoint, ...]:
    return record.result.curve if record.result else record.curve


def _pair(figure: Figure, at: int, columns: int, rows: int, first: bool) -> tuple[Axes, Axes]:
    """The axes of one step: loss and accuracy."""
    across, up = figure.get_size_inches()
    slot = (across - 0.5) / _COLUMNS
    left = 0.48 + (at % columns) * slot
    top = up - (at // columns) * _STEP - 0.3
    wide = slot - 0.16

    def panel(bottom: float) -> Axes:
        axes = figure.add_axes((left / across, bottom / up, wide / across, (_PANEL - 0.06) / up))
        look.plain(axes, "both")
        axes.tick_params(labelleft=first)
        return axes

    return panel(top - _PANEL + 0.06), panel(top - 2 * _PANEL + 0.06)


def _draw(pair: tuple[Axes, Axes], curves: list[tuple[EpochPoint, ...]], color: str) -> None:
    loss, accuracy = pair
    order = 1 if color == PALE else 2
    for points in curves:
        known = [(p.epoch, p.train_loss) for p in points if math.isfinite(p.train_loss)]
        loss.plot(*_columns(known), color=color, lw=0.9, zorder=order)
        if known and len(known) < len(points) and color != PALE:
            loss.plot(*known[-1], "X", color=ORANGE, ms=4.5, mec="white", mew=0.5, zorder=3)
        tested = [(p.epoch, 100 * p.accuracy) for p in points if p.accuracy is not None]
        accuracy.plot(*_columns(tested), color=color, lw=0.9, zorder=order)


def _columns(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _limits(content: Content) -> dict[str, tuple[float, float]]:
    """One scale for all panels. The first half of the epochs may leave the accuracy's."""
    points = [p for row in content.runs for run in row if run for p in _curve(run)]
    epochs = max(p.epoch for p in points)
    finished = [p for row in content.runs for run in row if run and run.result for p in _curve(run)]
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
    pair: tuple[Axes, Axes],
    row: Row,
    limits: dict[str, tuple[float, float]],
    content: Content,
    at: int,
) -> None:
    loss, accuracy = pair
    loss.set(xlim=limits["epoch"], ylim=limits["loss"])
    accuracy.set(xlim=limits["epoch"], ylim=limits["accuracy"])
    loss.tick_params(labelbottom=False)
    for axes in pair:
        axes.locator_params(axis="both", nbins=3)
    loss.set_title(f"{row.step}  {look.shortened(row.name, _TITLE)}", loc="left", pad=4, size=6.8)
    if row.trouble or not row.n:
        loss.text(0.97, 0.93, row.trouble or "not run yet", transform=loss.transAxes, ha="right",
                  va="top", size=6.6, color=ORANGE if row.trouble else GREY)  # fmt: skip
    if at % _COLUMNS == 0:
        loss.set_ylabel("loss", size=7)
        accuracy.set_ylabel("acc., %", size=7)
        for axes in pair:
            axes.yaxis.set_label_coords(-0.27, 0.5)
    if at + _COLUMNS >= len(content.rows):
        accuracy.set_xlabel("epoch", size=7, labelpad=1)


def _description(content: Content) -> str:
    return (
        f"Training loss and test accuracy against the epoch for each of {len(content.rows)} steps, "
        "a line a seed; the step before in grey."
    )
