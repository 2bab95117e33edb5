"""Mixers by name, and with fields of one's own."""

from dataclasses import replace

from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError, unknown
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


def mixer(text: str) -> Mixer:
    """A mixer by name, and fields that it has otherwise.

    >>> mixer("convolution")
    Convolution(kernel=3, depthwise=False, plane=False)
    >>> mixer("convolution kernel=5")
    Convolution(kernel=5, depthwise=False, plane=False)

    Raises:
        InputError: with the nearest known name, or what a field takes.
    """
    name, *changes = text.split()
    if name not in MIXERS:
        raise unknown("mixer", name, MIXERS)
    found = MIXERS[name]
    if changes and not hints(type(found)):
        raise InputError(f"mixer {text!r}: {name} has no fields; leave {changes[0]!r} out")
    try:
        return replace(found, **read_fields(changes, type(found))[0])
    except InputError as error:
        raise InputError(f"mixer {text!r}: {error}") from error
