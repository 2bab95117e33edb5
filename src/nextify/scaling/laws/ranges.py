"""Sizes to measure at: where the leading term dominates, spaced evenly on a logarithmic axis."""

import math
from dataclasses import dataclass, field

import sympy as sp

from nextify.scaling.laws.formulas import B as BATCH
from nextify.scaling.laws.formulas import D, N, amounts, dominant, law
from nextify.scaling.laws.limits import BYTES, largest, usable_memory
from nextify.scaling.laws.mixers import Convolution, Mixer, WindowAttention, heads_of, in_plane
from nextify.scaling.laws.sweeps import Axis, Step

POINTS = 7
SHARE = 0.9  # of the MACs that the leading term must have


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        tokens, width: that are fixed while the other is varied.
        batch: sequences at once; None: one along N, four along D.
        step: a forward pass, or forward and backward.
        rounds: of timing. seconds: that a call at the largest size takes, about.
        memory: bytes, at the most.
    """

    tokens: int = 64
    width: int = 32
    batch: int | None = None
    step: Step = "forward"
    rounds: int = 5
    seconds: float = 0.15
    memory: int = field(default_factory=usable_memory)

    def grid(self, mixer: Mixer) -> tuple[int, int]:
        """The fixed tokens: a line, or the smallest square of whole steps that holds them."""
        if not in_plane(mixer):
            return 1, self.tokens
        step = step_of(mixer, "N")
        count = rounded(mixer, "N", max(step, self.tokens))
        return at_size(mixer, "N", count, (1, 1), 1)[0]


def leading_exponent(mixer: Mixer, axis: Axis) -> int:
    """The power of the axis in the term that wins.

    >>> from nextify.scaling.laws import mixer
    >>> leading_exponent(mixer("attention"), "N"), leading_exponent(mixer("mlp"), "D")
    (2, 2)
    """
    found = law(mixer)
    return dominant(found.spelled_out(found.macs), _symbol(axis))[1]


def leading_share(mixer: Mixer, axis: Axis, tokens: tuple[int, int], width: int) -> float:
    """The leading term's part of the MACs, 0 to 1; padding counts as not leading."""
    found = law(mixer)
    term = dominant(found.spelled_out(found.macs), _symbol(axis))[0]
    value = term.subs({BATCH: 1, N: tokens[0] * tokens[1], D: width})
    return float(value) / amounts(mixer, tokens=tokens, width=width).macs


def least_size(mixer: Mixer, axis: Axis, tokens: tuple[int, int], width: int, most: int) -> int:
    """The smallest size from which the leading term has nine tenths of the MACs, or `most`."""

    def shared(size: int) -> bool:
        shape, wide = at_size(mixer, axis, rounded(mixer, axis, size), tokens, width)
        return leading_share(mixer, axis, shape, wide) >= SHARE

    return rounded(mixer, axis, min(most, 1 + largest(lambda size: not shared(size), most)))


def beyond_cache(mixer: Mixer, width: int, batch: int, cache: int, most: int) -> int:
    """The smallest N at which more bytes are alive than the processor's last cache holds."""

    def inside(size: int) -> bool:
        tokens, wide = at_size(mixer, "N", rounded(mixer, "N", size), (1, 1), width)
        return BYTES * amounts(mixer, batch=batch, tokens=tokens, width=wide).inference <= cache

    return rounded(mixer, "N", min(most, 1 + largest(inside, most)))


def spaced(mixer: Mixer, axis: Axis, least: float, most: float, points: int = POINTS) -> list[int]:
    """Sizes from `least` to `most` with equal ratios, rounded to what the mixer divides well."""
    ratio = (most / least) ** (1 / (points - 1))
    return sorted({rounded(mixer, axis, least * ratio**at) for at in range(points)})


def rounded(mixer: Mixer, axis: Axis, size: float) -> int:
    """The nearest size that is a multiple of heads and windows (at least one of them)."""
    step = step_of(mixer, axis)
    if axis == "N" and in_plane(mixer):
        side = math.isqrt(step)
        return (max(1, round(math.sqrt(size) / side)) * side) ** 2
    return max(1, round(size / step)) * step


def larger(mixer: Mixer, axis: Axis, size: int) -> int:
    """Twice a size, or what is next above it: the smallest planes cannot be doubled.

    >>> from nextify.scaling.laws import mixer
    >>> larger(mixer("window-2d"), "N", 49), larger(mixer("window"), "N", 64)
    (196, 128)
    """
    return next(n for factor in (2, 3, 4) if (n := rounded(mixer, axis, factor * size)) > size)


def step_of(mixer: Mixer, axis: Axis) -> int:
    """Sizes are multiples of this (in the plane, sides are of its root): other sizes run too, but
    would add the padding's staircase to the line."""
    if axis == "D":
        return 8 * heads_of(mixer)
    match mixer:
        case WindowAttention(window=window, plane=plane):
            return window**2 if plane else window
        case Convolution(plane=True):
            return 64
        case _:
            return 16


def at_size(
    mixer: Mixer, axis: Axis, size: int, tokens: tuple[int, int], width: int
) -> tuple[tuple[int, int], int]:
    """Tokens (rows, columns) and width with one axis at a size; in the plane N is a square."""
    if axis == "D":
        return tokens, size
    side = math.isqrt(size)
    return ((side, side) if in_plane(mixer) else (1, size)), width


def _symbol(axis: Axis) -> sp.Symbol:
    return N if axis == "N" else D
