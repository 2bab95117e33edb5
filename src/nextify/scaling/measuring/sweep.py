"""Mixers over sizes that are chosen or given: counted, timed, and kept in a file."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from nextify.errors import InputError
from nextify.machine.clock import Taken
from nextify.machine.facts import measured_on
from nextify.scaling.laws import Mixer, amounts, in_plane, ranges
from nextify.scaling.laws.kept import SWEEPS
from nextify.scaling.laws.limits import BYTES, Sizes, bytes_held, bytes_needed, require_memory
from nextify.scaling.laws.ranges import Settings
from nextify.scaling.laws.sweeps import AXES, Axis, Point, Sweep
from nextify.scaling.measuring import count, timing
from nextify.scaling.measuring.memory import growth, last_cache
from nextify.scaling.mixers import build
from nextify.scaling.saving import Kept

_SPAN = 16  # largest size over smallest
_LEAST_SPAN = 4
_FEWEST = 3  # points of a line
_PAIRS = 3  # rounds of a call and its products by themselves
_FLOOR = 10  # times the overhead that the shortest call must take
_MOST = {"N": 1 << 20, "D": 1 << 12}  # the search ends here
_BATCH = {"N": 1, "D": 4}  # along D each weight is then used often enough to be worth its loading


@dataclass(frozen=True, slots=True)
class Line:
    """A mixer along an axis, and how it is measured."""

    name: str
    mixer: Mixer
    axis: Axis
    settings: Settings

    def shape(self, size: int) -> tuple[tuple[int, int], int]:
        """Tokens (rows, columns) and width at a size."""
        grid = self.settings.grid(self.mixer)
        return ranges.at_size(self.mixer, self.axis, size, grid, self.settings.width)

    def sizes(self, size: int) -> Sizes:
        """All sizes at one along the axis."""
        tokens, width = self.shape(size)
        batch = self.settings.batch or _BATCH[self.axis]
        return {
            "tokens": tokens if in_plane(self.mixer) else tokens[1], "width": width, "batch": batch
        }  # fmt: skip

    @property
    def training(self) -> bool:
        return self.settings.step == "training"

    @property
    def first(self) -> int:
        """The smallest size at which the leading term dominates."""
        grid, most = self.settings.grid(self.mixer), _MOST[self.axis]
        return ranges.least_size(self.mixer, self.axis, grid, self.settings.width, most)

    @property
    def outside(self) -> int:
        """The smallest N beyond the processor's cache; 0 along D, where weights grow, too, and
        each is used for all tokens."""
        if self.axis == "D":
            return 0
        batch = self.sizes(1)["batch"]
        return ranges.beyond_cache(self.mixer, self.settings.width, batch, last_cache(), _MOST["N"])

    def overhead(self) -> float:
        """Seconds of a call at the smallest size: that of the interpreter and of torch."""
        return timing.best(_Case.at(self, ranges.step_of(self.mixer, self.axis)).call)

    def held(self, size: int) -> int:
        """Bytes of a case that waits for its turn."""
        return bytes_held(self.mixer, **self.sizes(size))

    def require(self, size: int, beside: int = 0) -> None:
        """Refuse a size that does not fit. `beside`: bytes of other sizes."""
        require_memory(
            self.name, self.mixer, self.settings.memory, **self.sizes(size),
            training=self.training, axis=self.axis, beside=beside,
        )  # fmt: skip

    def fits(self, size: int) -> bool:
        """Does a size fit, with the six smaller ones?"""
        needed = bytes_needed(self.mixer, **self.sizes(size), training=self.training)
        smaller = 2 * self.held(size)  # their ratio is 16^(1/6): 1.7 times
        return needed + smaller <= self.settings.memory


def measure_mixers(
    chosen: Mapping[str, Mixer],
    settings: Settings,
    *,
    axes: Sequence[Axis] = AXES,
    sizes: Mapping[tuple[str, Axis], Sequence[int]] | None = None,
    threads: int | None = None,
    save: Path | None = None,
    on_line: Callable[[str, Axis], None] = lambda name, axis: None,
) -> list[Sweep]:
    """Measure mixers along axes. What does not fit is refused before anything is measured.

    Args:
        chosen: mixers by name.
        sizes: to measure at, by name and axis; where there are none, they are chosen.
        threads: of torch; None: as they are.
        save: a file to keep sweeps in, each as soon as it is done; those in it are not measured.
        on_line: called with name and axis before they are measured.

    Raises:
        InputError: a size that does not fit, a file of other settings or sizes.
    """
    with timing.prepared(threads):
        kept = Kept(SWEEPS, save, _made_with(settings, is_chosen=sizes is None))
        lines = {
            Line(name, mixer, axis, settings): tuple((sizes or {}).get((name, axis), ()))
            for axis in axes
            for name, mixer in chosen.items()
        }
        found = {line: _known(kept, line, given) for line, given in lines.items()}
        missing = {line: given for line, given in lines.items() if found[line] is None}
        for line, given in missing.items():
            require_sizes(line, given)
        for line, given in missing.items():
            on_line(line.name, line.axis)
            found[line] = sweep = measure(line, given)
            kept.add(sweep)
    return [sweep for sweep in found.values() if sweep is not None]


def _made_with(settings: Settings, *, is_chosen: bool) -> dict[str, object]:
    """All that determines a measurement but for the mixer, the axis and sizes that are given."""
    return {
        **measured_on(),
        "step": settings.step,
        "rounds": settings.rounds,
        "tokens": settings.tokens,
        "width": settings.width,
        "batch": settings.batch or "1 over N, 4 over D",
        "memory": settings.memory,
        "sizes": f"chosen, of up to {settings.seconds:g} s" if is_chosen else "given",
    }


def _known(kept: Kept[Sweep], line: Line, sizes: tuple[int, ...]) -> Sweep | None:
    """The sweep in the file, if it is there."""
    for sweep in kept.results:
        if (sweep.name, sweep.mixer, sweep.axis) == (line.name, line.mixer, line.axis):
            if sizes and sweep.sizes != sizes:
                raise InputError(
                    f"file {kept.path} has {line.name} over {line.axis} at other sizes; name "
                    "another with --save"
                )
            return sweep
    return None


def measure(line: Line, sizes: Sequence[int] = ()) -> Sweep:
    """Count and time a mixer along an axis.

    Args:
        sizes: to measure at; without any, seven where the leading term dominates.

    Raises:
        InputError: a size that does not fit into the memory, before any is tried.
    """
    require_sizes(line, sizes)
    cases = [_Case.at(line, size) for size in list(sizes) or choose(line)]
    rounds = timing.take_rounds([case.call for case in cases], line.settings.rounds)
    first = cases[0]
    return Sweep(
        name=line.name,
        mixer=line.mixer,
        axis=line.axis,
        step=line.settings.step,
        leading=ranges.leading_exponent(line.mixer, line.axis),
        share=ranges.leading_share(line.mixer, line.axis, first.tokens, first.width),
        overhead=line.overhead(),
        cache=last_cache(),
        threads=torch.get_num_threads(),
        points=tuple(_point(line, *pair) for pair in zip(cases, rounds, strict=True)),
    )


def require_sizes(line: Line, sizes: Sequence[int]) -> None:
    """Refuse sizes that the mixer cannot take or that do not fit, before any is made; without any,
    the smallest that `choose` would begin with.

    Raises:
        InputError: with what would do.
    """
    for size in sizes:
        if line.axis == "N" and in_plane(line.mixer) and math.isqrt(size) ** 2 != size:
            near = round(math.sqrt(size)) ** 2
            raise InputError(
                f"N is {size:,} for {line.name}, whose tokens are a square; {near:,} would be one"
            )
    held = {size: line.held(size) for size in sizes}
    for size in sorted(sizes, reverse=True) or [line.first]:
        line.require(size, sum(held.values()) - held.get(size, 0))


def choose(line: Line) -> list[int]:
    """Seven sizes in which the leading term has nine tenths of the MACs, a call takes ten times
    the overhead or more, and the largest takes about the seconds that are set and fits the memory.

    Along N they are also beyond the processor's cache, where a call takes that little there.

    Raises:
        InputError: the memory does not hold three such sizes.
    """
    first, outside, most = line.first, line.outside, line.settings.seconds
    line.require(first)
    floor = _FLOOR * line.overhead()
    size = fast = first  # up to `fast`, overhead has more than a tenth
    while True:
        line.require(size)
        seconds = timing.best(_Case.at(line, size).call, 0.0)
        fast = size if seconds < floor else fast
        if size < outside and seconds > most / 4:
            outside = 0  # too slow to get there: stay with what the cache holds
        after = ranges.larger(line.mixer, line.axis, size)
        enough = seconds > most / 2 and size >= _LEAST_SPAN * max(fast, outside)
        if enough or after > _MOST[line.axis] or not line.fits(after):
            break
        size = after
    least = min(max(fast, outside), size / _LEAST_SPAN)
    sizes = ranges.spaced(line.mixer, line.axis, max(first, least, size / _SPAN), size)
    if len(sizes) < _FEWEST:
        raise InputError(
            f"{line.name} along {line.axis} has its leading term dominate from {first:,}, and the "
            f"memory ends at {size:,}; give more --memory, or --sizes of your own"
        )
    return sizes


@dataclass(frozen=True, slots=True)
class _Case:
    """A mixer made at one size."""

    tokens: tuple[int, int]
    width: int
    module: nn.Module
    x: Tensor
    call: timing.Call
    watched: timing.Call  # the same, for those who follow its operators

    @classmethod
    def at(cls, line: Line, size: int) -> "_Case":
        tokens, width = line.shape(size)
        module = build(line.mixer, tokens=tokens, width=width)
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(line.sizes(size)["batch"], math.prod(tokens), width, generator=draw)
        if line.training:
            call = watched = timing.training_step(module, x)
        else:
            call, watched = timing.forward(module, x), timing.forward(module, x, watched=True)
        return cls(tokens, width, module, x, call, watched)


def _point(line: Line, case: _Case, rounds: Sequence[Taken]) -> Point:
    found = amounts(line.mixer, batch=len(case.x), tokens=case.tokens, width=case.width)
    counted = count.count_macs(case.module, case.x)
    busy, bare = _shares(case)
    seconds, walls = [one.seconds for one in rounds], [one.wall for one in rounds]
    return Point(
        tokens=case.tokens,
        width=case.width,
        batch=len(case.x),
        macs=found.macs,
        counted=counted.macs,
        unseen=counted.unseen,
        alive=BYTES * found.inference,
        alive_counted=count.count_alive(case.module, case.x),
        kept=BYTES * found.kept,
        resident=growth(case.module, case.x),
        seconds=median(seconds),
        fastest=min(seconds),
        slowest=max(seconds),
        wall=median(walls),
        wall_fastest=min(walls),
        wall_slowest=max(walls),
        processor=median(one.processor for one in rounds),
        busy=busy,
        bare=bare,
    )


def _shares(case: _Case) -> tuple[float, float]:
    """Of the time of a call: what passes inside operators with multiply-accumulates, and what
    these take by themselves."""
    calls = [case.watched, timing.bare_products(case.watched)]
    whole, bare = (min(seconds) for seconds in timing.time_rounds(calls, _PAIRS))
    return min(1.0, timing.product_seconds(case.watched) / whole), bare / whole
