"""Mixers by name."""

from nextify.errors import unknown
from nextify.scaling.laws.mixers import (
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Mixer,
    Recurrence,
    WindowAttention,
)

MIXERS: dict[str, Mixer] = {
    "product": MatrixProduct(),
    "attention-core": Attention(projected=False),
    "attention": Attention(),
    "multi-head": Attention(heads=4),
    "causal": Attention(heads=4, causal=True),
    "fused": Attention(heads=4, fused=True),
    "window": WindowAttention(window=64, heads=4),
    "shifted-window": WindowAttention(window=64, heads=4, shifted=True),
    "window-2d": WindowAttention(window=7, heads=4, plane=True),
    "shifted-window-2d": WindowAttention(window=7, heads=4, shifted=True, plane=True),
    "recurrence": Recurrence(),
    "convolution": Convolution(kernel=3),
    "convolution-2d": Convolution(kernel=3, plane=True),
    "separable": Convolution(kernel=7, depthwise=True),
    "separable-2d": Convolution(kernel=7, depthwise=True, plane=True),
    "mlp": FeedForward(),
}


def mixer(name: str) -> Mixer:
    """A mixer by name.

    >>> mixer("convolution")
    Convolution(kernel=3, depthwise=False, plane=False)

    Raises:
        InputError: with the nearest known name.
    """
    if name not in MIXERS:
        raise unknown("mixer", name, MIXERS)
    return MIXERS[name]
