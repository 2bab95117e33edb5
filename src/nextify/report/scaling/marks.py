"""What figures with a row for each name share."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from nextify.report import style as look


def name_rows(axes: Axes, names: Sequence[str], top: float = -0.5) -> None:
    """A row for each name, from the top; every second one shaded."""
    look.plain(axes, "x")
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=look.BAND, zorder=0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, top)
    axes.tick_params(axis="y", length=0)


def interval(axes: Axes, row: int, ends: Sequence[float], color: str) -> None:
    """A bar from one end to the other, behind a mark."""
    axes.plot(ends, [row, row], color=color, lw=2.2, alpha=0.45, solid_capstyle="butt",
              zorder=3)  # fmt: skip
