"""What measuring a mixer takes of the memory at the most, and the refusal of what would not fit.

The laws say what is in use by formula. This is more, so that a limit is kept: what operators take
for themselves, the objects around many small tensors, and what is made to measure with.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nextify.errors import InputError
from nextify.scaling.laws.formulas import Amounts, amounts
from nextify.scaling.laws.mixers import (
    Attention,
    Convolution,
    Mixer,
    Recurrence,
    WindowAttention,
    heads_of,
)
from nextify.scaling.laws.sweeps import Axis
from nextify.words import bytes_in_words

BYTES = 4  # of a float32
Tokens = int | tuple[int, int]
_MOST = 1 << 40  # tokens; where a search ends
_ONCE = 1 << 20  # bytes: whole pages, and what libraries take for themselves whatever the size
_BLOCK = 1 << 20  # bytes of a thread of the fused kernel: 256 x 512 scores and 256 rows of values
_STATE = 1024  # bytes of the objects around a state of the recurrence: about 900 were measured
_STATE_KEPT = 4096  # and with the nodes that its backward pass goes through


def bytes_needed(
    mixer: Mixer, *, batch: int = 1, tokens: Tokens, width: int, training: bool = False
) -> int:
    """Bytes that measuring a mixer at one size takes, at the most: an upper bound. What libraries
    load once, about 20 MB, is left out.

    >>> bytes_needed(Attention(), tokens=16384, width=64) / 2**30  # of maps of N x N: two, ...
    4.0...

    Raises:
        InputError: sizes that the mixer cannot take.
    """
    found = amounts(mixer, batch=batch, tokens=tokens, width=width)
    alive = found.inference
    # The products by themselves have operands of their own: the weights again, and what goes into
    # products, which is about what a backward pass keeps. (Counting copies the weights, too, but
    # not at the same time.)
    own = found.parameters + found.kept
    if training:
        # Gradients of the weights, and of what they are worked out from, which are as much as the
        # forward peak again; the backward pass has two products for each.
        alive = found.parameters + found.kept + 2 * found.inference
        own *= 3
    constant = found.parameters + _constants(mixer, tokens) + _buffer_values(mixer, found)
    # Freed memory that the C library keeps: up to half as much again was measured.
    values = constant + own + alive + alive // 2
    return BYTES * values + _ONCE + _object_bytes(mixer, tokens, training)


def bytes_held(mixer: Mixer, *, batch: int = 1, tokens: Tokens, width: int) -> int:
    """Bytes of a mixer that waits while others are measured: weights, masks and its input."""
    found = amounts(mixer, batch=batch, tokens=tokens, width=width)
    values = found.parameters + _constants(mixer, tokens) + batch * _count(tokens) * width
    return BYTES * values


def _constants(mixer: Mixer, tokens: Tokens) -> int:
    """Values of masks, and of the places of tokens in windows (int64: two values each)."""
    count = _count(tokens)
    match mixer:
        case Attention(causal=True, fused=False):
            return count**2
        case WindowAttention():
            size = mixer.window ** (2 if mixer.plane else 1)
            return 2 * count + (_padded(mixer, tokens) * size if mixer.shifted else 0)
        case _:
            return 0


def _buffer_values(mixer: Mixer, found: Amounts) -> int:
    """Values inside operators, which are no tensors."""
    match mixer:
        case Convolution(depthwise=False):  # oneDNN orders the weights anew, by way of a copy
            return 2 * found.parameters
        case _:
            return 0


def _object_bytes(mixer: Mixer, tokens: Tokens, training: bool) -> int:
    """Bytes around small tensors, and of buffers that do not grow with the sizes."""
    match mixer:
        case Recurrence():
            return _count(tokens) * (_STATE_KEPT if training else _STATE)
        case Attention(fused=True):
            return _BLOCK * (os.cpu_count() or 1)
        case _:
            return 0


def _padded(mixer: WindowAttention, tokens: Tokens) -> int:
    """Tokens with those that fill up windows."""
    sides = (tokens,) if isinstance(tokens, int) else tokens
    whole = 1
    for side in sides:
        whole *= -(-side // mixer.window) * mixer.window
    return whole


def require_memory(
    name: str,
    mixer: Mixer,
    limit: int,
    *,
    batch: int = 1,
    tokens: Tokens,
    width: int,
    training: bool = False,
    axis: Axis = "N",
    beside: int = 0,
) -> None:
    """Refuse what would not fit, before anything is made.

    Args:
        axis: which of tokens and width is asked about: what would fit is said of this one first.
        beside: bytes that other sizes hold at the same time.

    Raises:
        InputError: with what it takes, the limit, and what would fit.
    """

    def fits(count: Tokens, wide: int, sequences: int) -> bool:
        needed = bytes_needed(mixer, batch=sequences, tokens=count, width=wide, training=training)
        return beside + needed <= limit

    if fits(tokens, width, batch):
        return
    sizes = _Sizes(tokens, width, batch, heads_of(mixer))
    remedy = next(iter(_remedies(fits, sizes, axis)), "nothing smaller would fit; give")
    needed = bytes_needed(mixer, batch=batch, tokens=tokens, width=width, training=training)
    others = f" (with {_amount(beside)} of the other sizes)" if beside else ""
    raise InputError(
        f"{name} over {_shown(tokens)} tokens of width {width:,} takes up to "
        f"{_amount(beside + needed)}{others}, and the limit is {_amount(limit)}; {remedy} more "
        "memory with --memory"
    )


@dataclass(frozen=True, slots=True)
class _Sizes:
    tokens: Tokens
    width: int
    batch: int
    heads: int


def _remedies(fits: Callable[[Tokens, int, int], bool], sizes: _Sizes, axis: Axis) -> Iterator[str]:
    """What would fit if one size is changed: that of the axis, the other, the batch."""
    tokens, width, batch, heads = sizes.tokens, sizes.width, sizes.batch, sizes.heads
    for each in (axis, "D" if axis == "N" else "N"):
        if each == "N":
            side = tokens if isinstance(tokens, int) else min(tokens)
            if found := largest(lambda n: fits(_like(tokens, n), width, batch), side):
                yield f"{_shown(_like(tokens, found))} tokens would fit, or"
        elif found := heads * largest(lambda n: fits(tokens, heads * n, batch), width // heads):
            yield f"width {found:,} would fit, or"
    if found := largest(lambda n: fits(tokens, width, n), batch):
        yield f"batch {found:,} would fit, or"
    if fits(_like(tokens, 1), heads, 1):
        yield "fewer tokens of a smaller width would fit, or"


def largest(fits: Callable[[int], bool], most: int = _MOST) -> int:
    """The largest number up to `most` that fits; 0 if none does. What fits, fits when smaller.

    >>> largest(lambda n: n * n <= 50)
    7
    """
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _count(tokens: Tokens) -> int:
    return tokens if isinstance(tokens, int) else tokens[0] * tokens[1]


def _like(tokens: Tokens, side: int) -> Tokens:
    return side if isinstance(tokens, int) else (side, side)


def _shown(tokens: Tokens) -> str:
    """
    >>> _shown(4096), _shown((14, 14))
    ('4,096', '196 (14 x 14)')
    """
    if isinstance(tokens, int):
        return f"{tokens:,}"
    return f"{_count(tokens):,} ({tokens[0]:,} x {tokens[1]:,})"


def _amount(count: int) -> str:
    return bytes_in_words(count) if count < 10**18 else "far too many TB"
