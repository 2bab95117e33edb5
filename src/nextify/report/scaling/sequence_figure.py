"""Attention and recurrence as next-word models: time of a training step, and what they learn."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextify.report import style as look
from nextify.report.scaling.marks import interval, name_rows
from nextify.report.style import Drawing
from nextify.scaling.sequence.results import COUNTING, Found, Mean
from nextify.scaling.sequence.settings import KINDS

_SIZE = (7.4, 2.6)  # inches
_MILLISECONDS = tuple(digit * 10.0**power for power in range(-2, 6) for digit in (1, 2, 5))
_LOOKS = {"transformer": (look.BLUE, "o"), "recurrent": (look.ORANGE, "s")}  # shapes say the same


def sequence_figure(found: Found) -> Drawing:
    """Left: milliseconds of a step against N, with the range of the rounds. Right: perplexity on
    test sentences with its 95 % interval."""
    with look.style():
        figure = Figure(figsize=_SIZE)
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.0])
        figure.subplots_adjust(0.075, 0.2, 0.985, 0.9, wspace=0.5)
        _times(left, found)
        _perplexities(right, found.perplexities())
        return look.drawn(figure, "sequence", _description(found))


def _times(axes: Axes, found: Found) -> None:
    look.plain(axes, "both")
    for kind in KINDS:
        color, marker = _LOOKS[kind]
        steps = [step for step in found.steps if step.kind == kind]
        tokens = [step.tokens for step in steps]
        low, middle, high = (
            [1e3 * value for value in values]
            for values in zip(*((s.fastest, s.seconds, s.slowest) for s in steps), strict=True)
        )
        axes.fill_between(tokens, low, high, color=color, alpha=0.2, lw=0, zorder=2)
        axes.plot(tokens, middle, marker + "-", color=color, ms=4.2, lw=1.3, mec="white", mew=0.6,
                  label=kind, zorder=3)  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(tokens, [str(count) for count in tokens])
    shown = [ms for ms in _MILLISECONDS if axes.get_ylim()[0] <= ms <= axes.get_ylim()[1]]
    axes.set_yticks(shown, [f"{ms:g}" for ms in shown])
    axes.minorticks_off()
    axes.set_xlabel("N, tokens of a sequence")
    axes.set_ylabel("ms of a training step")
    rounds = found.steps[0].rounds
    axes.set_title(f"time at equal MACs: median, range of {rounds}", loc="left", color=look.INK)
    axes.legend(frameon=False, loc="upper left", fontsize=7)


def _perplexities(axes: Axes, means: dict[str, Mean]) -> None:
    name_rows(axes, list(means), top=-0.6)
    for row, (name, own) in enumerate(means.items()):
        color, marker = (look.GREY, "D") if name in COUNTING else _LOOKS[name]
        interval(axes, row, [own.low, own.high], color)
        axes.plot(own.value, row, marker, color=color, ms=4.8, mec="white", mew=0.6, zorder=4)
        axes.text(own.value, row - 0.2, f"{own.value:.0f}", ha="center", va="bottom", size=7)
    axes.set_xlim(left=0)
    n = next(iter(means.values())).n
    axes.set_xlabel("perplexity per word of test sentences")
    axes.set_title(f"what is learned: {n} seeds, 95 % intervals", loc="left", color=look.INK)


def _description(found: Found) -> str:
    means = [f"{name} {own.value:.1f}" for name, own in found.perplexities().items()]
    last = max(step.tokens for step in found.steps)
    times = [f"{s.kind} {1e3 * s.seconds:.1f} ms" for s in found.steps if s.tokens == last]
    return (
        f"Perplexity on test sentences: {', '.join(means)}. A training step of {last} tokens: "
        f"{', '.join(times)}."
    )
