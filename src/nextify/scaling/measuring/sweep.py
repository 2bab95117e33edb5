"""Mixers over sizes that are chosen or given: counted, timed, and kept in a file."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import median

import torch

from nextify.errors import InputError
from nextify.machine import last_cache
from nextify.machine.clock import Taken
from nextify.machine.facts import measured_on
from nextify.scaling.laws.findings import OVERHEAD
from nextify.scaling.laws.fit import FEWEST
from nextify.scaling.laws.formulas import amounts
from nextify.scaling.laws.kept import SWEEPS
from nextify.scaling.laws.limits import BYTES
from nextify.scaling.laws.mixers import Mixer, count_of, in_plane, require_shape
from nextify.scaling.laws.ranges import MOST, Line, Settings
from nextify.scaling.laws.sweeps import AXES, Axis, Point, Sweep
from nextify.scaling.measuring import count, timing
from nextify.scaling.measuring.memory import growth
from nextify.scaling.mixers import build
from nextify.scaling.saving import Kept, keeping

_SPAN = 16  # largest size over smallest
_LEAST_SPAN = 4
_PAIRS = 3  # rounds of a call and its products by themselves
_WALL = ("wall", "wall_fastest", "wall_slowest")


def measure_mixers(
    chosen: Mapping[str, Mixer],
    settings: Settings,
    *,
    axes: Sequence[Axis] = AXES,
    sizes: Mapping[tuple[str, Axis], Sequence[int]] | None = None,
    threads: int | None = None,
    save: Path | None = None,
    told: Callable[[str], None] = lambda line: None,
) -> list[Sweep]:
    """Measure mixers along axes. What does not fit is refused before anything is measured.

    Args:
        chosen: mixers by name.
        sizes: to measure at, by name and axis; where there are none, they are chosen.
        threads: of torch; None: as they are.
        save: a file to keep sweeps in, each as soon as it is done; those in it are not measured.
        told: called with what is about to be measured, in words.

    Raises:
        InputError: a size that does not fit, a file of other settings or sizes.
    """
    with timing.prepared(threads), keeping(save):
        kept = Kept(SWEEPS, save, _made_with(settings, is_chosen=sizes is None))
        pairs = product(axes, chosen.items())
        lines = [Line(name, mixer, axis, settings) for axis, (name, mixer) in pairs]
        given = {line: tuple((sizes or {}).get((line.name, line.axis), ())) for line in lines}
        found = {line: _known(kept, line, given[line]) for line in lines}
        missing = [line for line, sweep in found.items() if sweep is None]
        for line in missing:
            require_sizes(line, given[line])
        for line in missing:
            told(f"{line.name} along {line.axis} ...")
            found[line] = sweep = measure(line, given[line])
            kept.add(sweep)
    return [sweep for sweep in found.values() if sweep is not None]


def _made_with(settings: Settings, *, is_chosen: bool) -> dict[str, object]:
    """All that determines a measurement but for the mixer, the axis and sizes that are given."""
    made = {**measured_on(), **asdict(settings), "batch": settings.batch or "1 over N, 4 over D"}
    seconds = made.pop("seconds")
    return {**made, "sizes": f"chosen, of up to {seconds:g} s" if is_chosen else "given"}


def _known(kept: Kept[Sweep], line: Line, sizes: tuple[int, ...]) -> Sweep | None:
    """The sweep in the file, if it is there."""
    wanted = (line.name, line.mixer, line.axis)
    there = (one for one in kept.results if (one.name, one.mixer, one.axis) == wanted)
    sweep = next(there, None)
    if sweep and sizes and sweep.sizes != sizes:
        raise InputError(
            f"file {kept.path} has {line.name} over {line.axis} at other sizes; name "
            "another with --save"
        )
    return sweep


def measure(line: Line, sizes: Sequence[int] = ()) -> Sweep:
    """Count and time a mixer along an axis.

    Args:
        sizes: to measure at; without any, seven where the leading term dominates.

    Raises:
        InputError: a size that does not fit into the memory, before any is tried.
    """
    require_sizes(line, sizes)
    sizes = sizes or choose(line)
    cases = [_Case(line, size) for size in sizes]
    rounds = timing.take_rounds([case.call for case in cases], line.settings.rounds)
    return Sweep(
        name=line.name,
        mixer=line.mixer,
        axis=line.axis,
        step=line.settings.step,
        leading=line.leading[1],
        share=line.leading_share(sizes[0]),
        overhead=_overhead(line),
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
    Where the memory or `MOST` ends them at less than four times the first, they begin earlier.

    Along N they are also beyond the processor's cache, where a call takes that little there.

    Raises:
        InputError: there are no three such sizes.
    """
    first, outside, most = line.first, line.beyond(last_cache()), line.settings.seconds
    line.require(first)
    floor = _overhead(line) / OVERHEAD
    size = slow = first  # from `slow` on, overhead has no more than a tenth
    while True:
        line.require(size)
        seconds, after = timing.shortest(_Case(line, size).call).seconds, line.larger(size)
        slow = after if seconds < floor else slow
        if size < outside and seconds > most / 4:
            outside = 0  # too slow to get there: stay with what the cache holds
        enough = seconds > most / 2 and size >= _LEAST_SPAN * max(slow, outside)
        if enough or after > MOST[line.axis] or not line.fits(after):
            break
        size = after
    least = min(max(slow, outside), size / _LEAST_SPAN)
    sizes = line.spaced(max(first, least, size / _SPAN), size)
    if len(sizes) < FEWEST:
        ended = f"the memory ends at {size:,}; give more --memory, or"
        if after > MOST[line.axis]:
            ended = f"sizes are chosen up to {MOST[line.axis]:,}; give"
        raise InputError(
            f"{line.name} along {line.axis} has its leading term dominate from {first:,}, and "
            f"{ended} --sizes of your own"
        )
    return sizes


class _Case:
    """A mixer made at one size.

    Attributes:
        watched: the same call, for those who follow its operators.
    """

    def __init__(self, line: Line, size: int) -> None:
        self.sizes = sizes = line.at(size)
        self.module = build(line.mixer, tokens=sizes["tokens"], width=sizes["width"])
        shape = (sizes["batch"], count_of(sizes["tokens"]), sizes["width"])
        self.x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        make = timing.training_step if line.training else timing.forward
        self.call = make(self.module, self.x)
        plain = timing.forward(self.module, self.x, watched=True)
        self.watched = self.call if line.training else plain


def _overhead(line: Line) -> float:
    """Seconds of a call at the smallest size: that of the interpreter and of torch."""
    return timing.shortest(_Case(line, line.step).call).seconds


def _point(line: Line, case: _Case, rounds: Sequence[Taken]) -> Point:
    found = amounts(line.mixer, **case.sizes)
    counted = count.count_macs(case.module, case.x)
    busy, bare = _shares(case)
    return Point(
        tokens=require_shape(line.mixer, case.sizes["tokens"], case.sizes["width"]),
        width=case.sizes["width"],
        batch=case.sizes["batch"],
        macs=found.macs,
        counted=counted.macs,
        unseen=counted.unseen,
        alive=BYTES * found.inference,
        alive_counted=count.count_alive(case.module, case.x),
        kept=BYTES * found.kept,
        resident=growth(case.module, case.x),
        processor=median(one.processor for one in rounds),
        busy=busy,
        bare=bare,
        **timing.middle_and_ends([one.seconds for one in rounds]),
        **timing.middle_and_ends([one.wall for one in rounds], _WALL),
    )


def _shares(case: _Case) -> tuple[float, float]:
    """Of the time of a call: what passes inside operators with multiply-accumulates, and what
    these take by themselves."""
    calls = [case.watched, timing.bare_products(case.watched)]
    whole, bare = (min(seconds) for seconds in timing.time_rounds(calls, _PAIRS))
    whole = max(whole, 1e-9)  # where the processor's clock stood still meanwhile
    return min(1.0, timing.product_seconds(case.watched) / whole), bare / whole
