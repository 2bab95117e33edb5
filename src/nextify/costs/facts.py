"""`LayerFacts`: what is told of each layer."""

from typing import NamedTuple

Shape = tuple[int, int, int]
"""Of a map: (channels, height, width)."""


class LayerFacts(NamedTuple):
    """What one layer costs for one image.

    Attributes:
        params: learned numbers. macs: multiply-accumulates.
        shape: of its output.
        keeps_input, keeps_output: whether the backward pass reads that map. An output that is not
            in the memory of the input is counted in `keeps_values`.
        keeps_bytes: what it keeps besides: statistics (float32), indices (int64).
        in_place: its output overwrites its input, or is a view of it.
        keeps_values: values that it keeps besides (copies, maps of attention).
        alive: values that are alive at once while it runs; None: its input and its output.
    """

    params: int
    macs: int
    shape: Shape
    keeps_input: bool = True
    keeps_output: bool = False
    keeps_bytes: int = 0
    in_place: bool = False
    keeps_values: int = 0
    alive: int | None = None


def values_of(shape: Shape) -> int:
    """How many values a map has."""
    channels, height, width = shape
    return channels * height * width
