"""`measure`: a mixer over sizes that it chooses (or is given), counted and timed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from nextify.errors import InputError
from nextify.machine.clock import Taken
from nextify.scaling.laws import Mixer, amounts, in_plane
from nextify.scaling.laws.limits import BYTES, bytes_held, bytes_needed, require_memory
from nextify.scaling.laws.ranges import (
    at_size,
    beyond_cache,
    larger,
    leading_exponent,
    leading_share,
    least_size,
    rounded,
    spaced,
    step_of,
)
from nextify.scaling.laws.sweeps import Axis, Point, Step, Sweep
from nextify.scaling.measuring import count, timing
from nextify.scaling.measuring.memory import growth, last_cache
from nextify.scaling.mixers import build
from nextify.training.machine import keep_freed_memory

_SPAN = 16  # largest size over smallest
_LEAST_SPAN = 4
_FEWEST = 3  # points of a line
_PAIRS = 3  # rounds of a call and its products by themselves
_FLOOR = 10  # times the overhead that the shortest call must take
_MOST = {"N": 1 << 20, "D": 1 << 12}  # the search ends here


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        tokens, width: that are fixed while the other is varied.
        batch: sequences at once.
        step: a forward pass, or forward and backward.
        rounds: of timing. seconds: that a call at the largest size takes, about.
        memory: bytes, at the most.
    """

    tokens: int = 64
    width: int = 32
    batch: int = 1
    step: Step = "forward"
    rounds: int = 5
    seconds: float = 0.15
    memory: int = 4 << 30

    def grid(self, mixer: Mixer) -> tuple[int, int]:
        """The fixed tokens: a line, or the smallest square of whole steps that holds them."""
        if not in_plane(mixer):
            return 1, self.tokens
        step = step_of(mixer, "N")
        count = rounded(mixer, "N", max(step, self.tokens))
        return at_size(mixer, "N", count, (1, 1), 1)[0]


def measure(
    name: str, mixer: Mixer, axis: Axis, settings: Settings, sizes: Sequence[int] = ()
) -> Sweep:
    """Count and time a mixer along an axis.

    Args:
        sizes: to measure at; without any, seven where the leading term dominates.

    Raises:
        InputError: a size that does not fit into the memory, before any is tried.
    """
    require_sizes(name, mixer, axis, settings, sizes)
    chosen = list(sizes) or choose(name, mixer, axis, settings)
    cases = [_Case.at(mixer, axis, size, settings) for size in chosen]
    rounds = timing.take_rounds([case.call for case in cases], settings.rounds)
    first = cases[0]
    return Sweep(
        name=name,
        mixer=mixer,
        axis=axis,
        step=settings.step,
        leading=leading_exponent(mixer, axis),
        share=leading_share(mixer, axis, first.tokens, first.width),
        overhead=_overhead(mixer, axis, settings),
        cache=last_cache(),
        threads=torch.get_num_threads(),
        points=tuple(_point(mixer, case, found) for case, found in zip(cases, rounds, strict=True)),
    )


def prepare(threads: int | None = None) -> None:
    """Set torch's threads (None: as they are), and let freed memory be used again: getting it
    from the system page by page would take longer than the arithmetic."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()


def require_sizes(
    name: str, mixer: Mixer, axis: Axis, settings: Settings, sizes: Sequence[int]
) -> None:
    """Refuse sizes that the mixer cannot take or that do not fit, before any is made; without any,
    the smallest that `choose` would begin with.

    Raises:
        InputError: with what would do.
    """
    for size in sizes or (_first(mixer, axis, settings),):
        if axis == "N" and in_plane(mixer) and math.isqrt(size) ** 2 != size:
            near = round(math.sqrt(size)) ** 2
            raise InputError(
                f"N is {size:,} for {name}, whose tokens are a square; {near:,} would be one"
            )
    held = {size: _held(mixer, axis, size, settings) for size in sizes}
    for size in sorted(sizes, reverse=True) or [_first(mixer, axis, settings)]:
        others = sum(held.values()) - held.get(size, 0)
        _require(name, mixer, axis, size, settings, others)


def choose(name: str, mixer: Mixer, axis: Axis, settings: Settings) -> list[int]:
    """Seven sizes in which the leading term has nine tenths of the MACs, a call takes ten times
    the overhead or more, and the largest takes about the seconds that are set and fits the memory.

    Along N they are also beyond the processor's cache, where a call takes that little there.

    Raises:
        InputError: the memory does not hold three such sizes.
    """
    first = _first(mixer, axis, settings)
    _require(name, mixer, axis, first, settings)
    floor = _FLOOR * _overhead(mixer, axis, settings)
    outside = _beyond_cache(mixer, axis, settings)
    size = fast = first  # up to `fast`, overhead has more than a tenth
    while True:
        _require(name, mixer, axis, size, settings)
        seconds = timing.best(_Case.at(mixer, axis, size, settings).call, 0.0)
        fast = size if seconds < floor else fast
        if size < outside and seconds > settings.seconds / 4:
            outside = 0  # too slow to get there: stay with what the cache holds
        after = larger(mixer, axis, size)
        enough = seconds > settings.seconds / 2 and size >= _LEAST_SPAN * max(fast, outside)
        if enough or after > _MOST[axis] or not _fits(mixer, axis, after, settings):
            break
        size = after
    least = min(max(fast, outside), size / _LEAST_SPAN)
    sizes = spaced(mixer, axis, max(first, least, size / _SPAN), size)
    if len(sizes) < _FEWEST:
        raise InputError(
            f"{name} along {axis} has its leading term dominate from {first:,}, and the memory "
            f"ends at {size:,}; give more --memory, or --sizes of your own"
        )
    return sizes


def _first(mixer: Mixer, axis: Axis, settings: Settings) -> int:
    return least_size(mixer, axis, settings.grid(mixer), settings.width, _MOST[axis])


def _beyond_cache(mixer: Mixer, axis: Axis, settings: Settings) -> int:
    if axis == "D":  # there weights grow too, and each is used for all tokens
        return 0
    return beyond_cache(mixer, settings.width, settings.batch, last_cache(), _MOST[axis])


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
    def at(cls, mixer: Mixer, axis: Axis, size: int, settings: Settings) -> "_Case":
        tokens, width = at_size(mixer, axis, size, settings.grid(mixer), settings.width)
        module = build(mixer, tokens=_shape(mixer, tokens), width=width)
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(settings.batch, tokens[0] * tokens[1], width, generator=draw)
        if settings.step == "training":
            call = watched = timing.training_step(module, x)
        else:
            call, watched = timing.forward(module, x), timing.forward(module, x, watched=True)
        return cls(tokens, width, module, x, call, watched)


def _point(mixer: Mixer, case: _Case, rounds: Sequence[Taken]) -> Point:
    batch, shape = len(case.x), _shape(mixer, case.tokens)
    found = amounts(mixer, batch=batch, tokens=shape, width=case.width)
    counted = count.count_macs(case.module, case.x)
    busy, bare = _shares(case)
    seconds, walls = [one.seconds for one in rounds], [one.wall for one in rounds]
    return Point(
        tokens=case.tokens,
        width=case.width,
        batch=batch,
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


def _overhead(mixer: Mixer, axis: Axis, settings: Settings) -> float:
    """Seconds of a call at the smallest size: that of the interpreter and of torch."""
    return timing.best(_Case.at(mixer, axis, step_of(mixer, axis), settings).call)


def _held(mixer: Mixer, axis: Axis, size: int, settings: Settings) -> int:
    """Bytes of a case that waits for its turn."""
    tokens, width = at_size(mixer, axis, size, settings.grid(mixer), settings.width)
    return bytes_held(mixer, batch=settings.batch, tokens=_shape(mixer, tokens), width=width)


def _require(
    name: str, mixer: Mixer, axis: Axis, size: int, settings: Settings, beside: int = 0
) -> None:
    tokens, width = at_size(mixer, axis, size, settings.grid(mixer), settings.width)
    require_memory(
        name,
        mixer,
        settings.memory,
        batch=settings.batch,
        tokens=_shape(mixer, tokens),
        width=width,
        training=settings.step == "training",
        axis=axis,
        beside=beside,
    )


def _fits(mixer: Mixer, axis: Axis, size: int, settings: Settings) -> bool:
    tokens, width = at_size(mixer, axis, size, settings.grid(mixer), settings.width)
    needed = bytes_needed(
        mixer,
        batch=settings.batch,
        tokens=_shape(mixer, tokens),
        width=width,
        training=settings.step == "training",
    )
    smaller = 2 * _held(mixer, axis, size, settings)  # six sizes, the ratio 16^(1/6): 1.7 times
    return needed + smaller <= settings.memory


def _shape(mixer: Mixer, tokens: tuple[int, int]) -> int | tuple[int, int]:
    return tokens if in_plane(mixer) else tokens[1]
