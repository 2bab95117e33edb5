"""What measuring a mixer takes of the memory at the most, and the refusal of what would not fit.

The laws say what is in use by formula. This is more, so that a limit is kept: what operators take
for themselves, the objects around many small tensors, and what is made to measure with.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, NotRequired, TypedDict, Unpack

from nextify.errors import InputError
from nextify.machine import memory
from nextify.scaling.laws import mixers
from nextify.scaling.laws.formulas import amounts
from nextify.scaling.laws.sweeps import Axis
from nextify.words import bytes_in_words

BYTES = 4  # of a float32


class Sizes(TypedDict):
    """At which a mixer is measured; the batch is 1 if nothing is said."""

    tokens: mixers.Tokens
    width: int
    batch: NotRequired[int]


_MOST = 1 << 40  # tokens; where a search ends
ONCE = 1 << 20  # bytes: whole pages, and what libraries take for themselves whatever the size
_BLOCK = 1 << 20  # bytes of a thread of the fused kernel: 256 x 512 scores and 256 rows of values
_STATE = 1024  # bytes of the objects around a state of the recurrence: about 900 were measured
_STATE_KEPT = 4096  # and with the nodes that its backward pass goes through


def usable_memory() -> int:
    """Bytes that a measurement takes at most if nobody says otherwise: half of what this process
    may have."""
    return memory() // 2


def bytes_needed(mixer: mixers.Mixer, *, training: bool = False, **sizes: Unpack[Sizes]) -> int:
    """Bytes that measuring a mixer at one size takes, at the most: an upper bound. What libraries
    load once, about 20 MB, is left out.

    >>> bytes_needed(mixers.Attention(), tokens=16384, width=64) / 2**30  # two maps of N x N, ...
    4.0...

    Raises:
        InputError: sizes that the mixer cannot take.
    """
    found = amounts(mixer, **sizes)
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
    own_buffers = isinstance(mixer, mixers.Convolution) and not mixer.depthwise
    # oneDNN orders the weights of a convolution anew, by way of a copy.
    constant = found.fixed + (3 if own_buffers else 1) * found.parameters
    # Freed memory that the C library keeps: up to half as much again was measured.
    values = constant + own + alive + alive // 2
    return BYTES * values + ONCE + _object_bytes(mixer, mixers.count_of(sizes["tokens"]), training)


def bytes_held(mixer: mixers.Mixer, **sizes: Unpack[Sizes]) -> int:
    """Bytes of a mixer that waits while others are measured: weights, masks and its input."""
    found = amounts(mixer, **sizes)
    inputs = sizes.get("batch", 1) * mixers.count_of(sizes["tokens"]) * sizes["width"]
    return BYTES * (found.parameters + found.fixed + inputs)


def _object_bytes(mixer: mixers.Mixer, tokens: int, training: bool) -> int:
    """Bytes around small tensors, and of buffers that do not grow with the sizes."""
    if isinstance(mixer, mixers.Recurrence):
        return tokens * (_STATE_KEPT if training else _STATE)
    fused = isinstance(mixer, mixers.Attention) and mixer.fused
    return _BLOCK * (os.cpu_count() or 1) if fused else 0


def require_memory(
    name: str,
    mixer: mixers.Mixer,
    limit: int,
    *,
    training: bool = False,
    axis: Axis = "N",
    beside: int = 0,
    **sizes: Unpack[Sizes],
) -> None:
    """Refuse what would not fit, before anything is made.

    Args:
        axis: which of tokens and width is asked about: what would fit is said of this one first.
        beside: bytes that other sizes hold at the same time.

    Raises:
        InputError: with what it takes, the limit, and what would fit.
    """
    given: dict[str, Any] = {**sizes, "training": training}

    def needed(**changed: Any) -> int:
        return beside + bytes_needed(mixer, **{**given, **changed})

    if (taken := needed()) <= limit:
        return
    heads = mixers.heads_of(mixer)
    remedies = _remedies(lambda **changed: needed(**changed) <= limit, sizes, heads, axis)
    remedy = next(remedies, "nothing smaller would fit; give")
    others = f" (with {_amount(beside)} of the other sizes)" if beside else ""
    raise InputError(
        f"{name} over {_shown(sizes['tokens'])} tokens of width {sizes['width']:,} takes up to "
        f"{_amount(taken)}{others}, and the limit is {_amount(limit)}; {remedy} more "
        "memory with --memory"
    )


def _remedies(fits: Callable[..., bool], sizes: Sizes, heads: int, axis: Axis) -> Iterator[str]:
    """What would fit if one size is changed: that of the axis, the other, the batch."""
    tokens, width = sizes["tokens"], sizes["width"]
    for each in (axis, "D" if axis == "N" else "N"):
        if each == "N":
            side = tokens if isinstance(tokens, int) else min(tokens)
            if found := largest(lambda n: fits(tokens=_like(tokens, n)), side):
                yield f"{_shown(_like(tokens, found))} tokens would fit, or"
        elif found := heads * largest(lambda n: fits(width=heads * n), width // heads):
            yield f"width {found:,} would fit, or"
    if found := largest(lambda n: fits(batch=n), sizes.get("batch", 1)):
        yield f"batch {found:,} would fit, or"
    if fits(tokens=_like(tokens, 1), width=heads, batch=1):
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


def _like(tokens: mixers.Tokens, side: int) -> mixers.Tokens:
    return side if isinstance(tokens, int) else (side, side)


def _shown(tokens: mixers.Tokens) -> str:
    """
    >>> _shown(4096), _shown((14, 14))
    ('4,096', '196 (14 x 14)')
    """
    if isinstance(tokens, int):
        return f"{tokens:,}"
    return f"{mixers.count_of(tokens):,} ({tokens[0]:,} x {tokens[1]:,})"


def _amount(count: int) -> str:
    return bytes_in_words(count) if count < 10**18 else "far too many TB"
