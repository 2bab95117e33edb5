"""Receptive fields, by arithmetic on a blueprint: how much of the image a unit can depend on.

A unit is followed back: on which units of the map before it depends, on which of the one before
that, to the image. On one axis these lie between a first and a last one, and both axes go their own
way, windows of attention included; what is counted is from the first to the last, whether or not a
stride leaves some out between them.

The image does not cut the field: it is counted as if image and maps went on, as papers count it,
so that it also tells apart networks that all see the whole of a small image. A layer that mixes a
whole map (a ViT's attention, global response norm) has no such count: there it is the image that
there is, and a unit behind it depends on all of it and on nothing else. Norms are those of a
trained network: batch norm has fixed statistics then.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

from nextify.blueprint import draw, require_image_size, sides_of, specs
from nextify.designs import AnyDesign


class Span(NamedTuple):
    """Units of a map along one axis, from the first to the last; where `is_cut`, those that there
    are, and otherwise also those that there would be if the map went on."""

    first: int
    last: int
    is_cut: bool = False

    @property
    def length(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def receptive_field(design: AnyDesign, image_size: int | tuple[int, int]) -> tuple[int, ...]:
    """How many pixels a side a unit can depend on, after the last block of each stage.

    >>> from nextify.designs import design
    >>> receptive_field(design("resnet50"), 224)
    (35, 91, 267, 427)
    >>> receptive_field(design("vit-b-16"), 224)  # each token sees all
    (224,)

    Args:
        image_size: pixels; one side, or (height, width). Only layers that mix the whole map and
            Swin's windows depend on it: windows are shifted where a map has more than one.

    Returns:
        One number a stage: along the axis and at the place of the map where it is largest.

    Raises:
        InputError: the image is too small for the design.
    """
    require_image_size(design, image_size)
    sides = sides_of(image_size)
    return fields_of(draw(design, image_size=sides), sides)


def fields_of(blueprint: specs.Blueprint, sides: tuple[int, int]) -> tuple[int, ...]:
    """`receptive_field` of a blueprint, on images of (height, width) pixels."""
    found: list[int] = []
    way, *stages = (layers for _, layers in blueprint.sections()[:-1])
    for layers in stages:
        way = (*way, *layers)
        found.append(max(_largest(way, side) for side in set(sides)))
    return tuple(found)


def _largest(layers: specs.Layers, side: int) -> int:
    # Only in windows does it matter where a unit is.
    has_windows = any(isinstance(layer, specs.WindowBlock) for _, layer in layers)
    units = reduce(_side_after, layers, side) if has_windows else 1
    return max(seen(layers, side, Span(unit, unit)).length for unit in range(units))


def seen(layers: specs.Layers, side: int, wanted: Span) -> Span:
    """The units before layers on which those wanted after them depend, along one axis.

    Args:
        side: units of the map before them, along that axis.
    """
    sides = accumulate(layers, _side_after, initial=side)
    for (_, layer), before in reversed(list(zip(layers, sides, strict=False))):
        wanted = _seen_by(layer, before, wanted)
        if wanted.is_cut:
            wanted = Span(max(wanted.first, 0), min(wanted.last, before - 1), True)
    return wanted


def _side_after(side: int, named: tuple[str, specs.Layer]) -> int:
    match named[1]:
        case specs.Conv() | specs.MaxPool() as layer:
            return specs.output_side(layer, side)
        case specs.Block() as block:
            return reduce(_side_after, block.branch, side)
        case specs.PatchMerging():
            return -(-side // 2)
    return side


def _seen_by(layer: specs.Layer, side: int, wanted: Span) -> Span:
    match layer:
        case specs.Conv() | specs.MaxPool():
            begin, reach = -layer.padding, layer.kernel - 1
            first, last = (unit * layer.stride + begin for unit in wanted[:2])
            return Span(first, last + reach, wanted.is_cut)
        case specs.PatchMerging():
            return Span(2 * wanted.first, 2 * wanted.last + 1, wanted.is_cut)
        case specs.Block():
            return _union([seen(way, side, wanted) for way in (layer.branch, layer.shortcut)])
        case specs.WindowBlock():
            # Shifted windows that would join opposite borders are two, by the mask: the plane's.
            shift = layer.shift if side > layer.window else 0
            first, last = ((unit - shift) // layer.window for unit in wanted[:2])
            begin, end = (at * layer.window + shift for at in (first, last + 1))
            return Span(begin, end - 1, wanted.is_cut)
        case specs.EncoderBlock() | specs.ResponseNorm():
            return Span(0, side - 1, True)
    return wanted


def _union(spans: Sequence[Span]) -> Span:
    """Of what is cut and what is not: all of the image is in both."""
    is_cut = any(span.is_cut for span in spans)
    return Span(min(span.first for span in spans), max(span.last for span in spans), is_cut)
