"""What a mixer takes of the memory, by formula, and the refusal of what would not fit."""

from collections.abc import Callable

from nextify.errors import InputError
from nextify.scaling.laws.formulas import amounts
from nextify.scaling.laws.mixers import Attention, Mixer, WindowAttention

BYTES = 4  # of a float32
Tokens = int | tuple[int, int]
_MOST = 1 << 40  # tokens; where a search ends


def bytes_needed(
    mixer: Mixer, *, batch: int = 1, tokens: Tokens, width: int, training: bool = False
) -> int:
    """Bytes of weights, masks and activations at the peak; with gradients in a training step.

    >>> bytes_needed(Attention(), tokens=16384, width=64) / 2**30  # two maps of N x N
    2.015686...

    Raises:
        InputError: sizes that the mixer cannot take.
    """
    found = amounts(mixer, batch=batch, tokens=tokens, width=width)
    constant = found.parameters + _mask_values(mixer, tokens)
    if not training:
        return BYTES * (constant + found.inference)
    # A gradient lives beside what it is worked out from: as much as the forward peak again.
    return BYTES * (constant + found.parameters + found.kept + 2 * found.inference)


def require_memory(
    name: str,
    mixer: Mixer,
    limit: int,
    *,
    batch: int = 1,
    tokens: Tokens,
    width: int,
    training: bool = False,
) -> None:
    """Refuse what would not fit, before anything is made.

    Raises:
        InputError: with what it takes, the limit, and what would fit.
    """

    def needed(count: Tokens, wide: int) -> int:
        return bytes_needed(mixer, batch=batch, tokens=count, width=wide, training=training)

    if needed(tokens, width) <= limit:
        return
    side = tokens if isinstance(tokens, int) else min(tokens)
    fitting = largest(lambda n: needed(_like(tokens, n), width) <= limit, side)
    remedy = f"{_shown(_like(tokens, fitting))} tokens would fit, or more memory with --memory"
    if fitting == 0:
        remedy = "set a smaller width or batch, or more memory with --memory"
    raise InputError(
        f"{name} over {_shown(tokens)} tokens of width {width:,} takes "
        f"{_gibibytes(needed(tokens, width))}, and the limit is {_gibibytes(limit)}; {remedy}"
    )


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


def _mask_values(mixer: Mixer, tokens: Tokens) -> int:
    count = tokens if isinstance(tokens, int) else tokens[0] * tokens[1]
    match mixer:
        case Attention(causal=True, fused=False):
            return count**2
        case WindowAttention(shifted=True):
            return count * mixer.window ** (2 if mixer.plane else 1)  # padding is left out
        case _:
            return 0


def _like(tokens: Tokens, side: int) -> Tokens:
    return side if isinstance(tokens, int) else (side, side)


def _shown(tokens: Tokens) -> str:
    return f"{tokens:,}" if isinstance(tokens, int) else f"{tokens[0]:,} x {tokens[1]:,}"


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB" if count < 2**70 else "far too many GiB"
