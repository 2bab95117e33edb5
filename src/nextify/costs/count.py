"""Counting: parameters and multiply-accumulates of a blueprint, by arithmetic alone.

A MAC is one multiply-accumulate of a convolution or a linear layer; norms, activations, biases
and pooling are not counted, as in the papers. FLOPs are twice the MACs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nextify.blueprint import (
    Activation,
    Block,
    Blueprint,
    Conv,
    GlobalPool,
    Layer,
    Layers,
    LayerScale,
    Linear,
    MaxPool,
    Norm,
    ResponseNorm,
    draw,
    require_fit,
)
from nextify.designs import Design
from nextify.errors import InputError


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer costs for one image.

    Attributes:
        name: its place in the network (`"stages.0.blocks.0.branch.spatial"`).
        params: learned numbers. macs: multiply-accumulates.
        shape: of its output, (channels, height, width).
    """

    name: str
    params: int
    macs: int
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SectionCost:
    """What the stem, one stage or the head costs for one image."""

    name: str
    params: int
    macs: int
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs: in total, per section (stem, stages, head), and per layer.

    Attributes:
        params: learned numbers. macs: multiply-accumulates for one image.
        image_size: (height, width) in pixels.
    """

    params: int
    macs: int
    image_size: tuple[int, int]
    classes: int
    sections: tuple[SectionCost, ...]
    layers: tuple[LayerCost, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of convolutions and linear layers: two per MAC."""
        return 2 * self.macs


def cost(design: Design, image_size: int | tuple[int, int] = 224, classes: int = 1000) -> Cost:
    """What a design costs for one image. No torch is needed.

    >>> from nextify.designs import design
    >>> cost(design("resnet50")).params
    25557032

    Args:
        image_size: pixels; one side, or (height, width).
        classes: outputs of the classifier.

    Raises:
        InputError: if the image is too small for the design, or `classes` is not positive.
    """
    if classes < 1:
        raise InputError(f"classes is {classes}; it must be at least 1")
    require_fit(design, image_size)
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    return count(draw(design, classes), (height, width))


def count(blueprint: Blueprint, image_size: tuple[int, int]) -> Cost:
    """What a blueprint costs for one image of (height, width) pixels."""
    sections: list[SectionCost] = []
    layers: list[LayerCost] = []
    shape = (3, *image_size)
    for name, parts in blueprint.sections():
        costs = list(_walk(parts, shape, f"{name}."))
        shape = _shape_after(parts, shape)
        params, macs = sum(c.params for c in costs), sum(c.macs for c in costs)
        sections.append(SectionCost(name, params, macs, shape))
        layers.extend(costs)
    return Cost(
        params=sum(section.params for section in sections),
        macs=sum(section.macs for section in sections),
        image_size=image_size,
        classes=blueprint.classes,
        sections=tuple(sections),
        layers=tuple(layers),
    )


def _walk(layers: Layers, shape: tuple[int, int, int], prefix: str) -> Iterator[LayerCost]:
    for name, layer in layers:
        if isinstance(layer, Block):
            yield from _walk(layer.branch, shape, f"{prefix}{name}.branch.")
            yield from _walk(layer.shortcut, shape, f"{prefix}{name}.shortcut.")
        else:
            params, macs, after = _one(layer, shape)
            yield LayerCost(f"{prefix}{name}", params, macs, after)
        shape = _shape_after(((name, layer),), shape)


def _shape_after(layers: Layers, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    for _, layer in layers:
        if isinstance(layer, Block):
            shape = _shape_after(layer.branch, shape)
        else:
            shape = _one(layer, shape)[2]
    return shape


@lru_cache(maxsize=65536)
def _one(layer: Layer, shape: tuple[int, int, int]) -> tuple[int, int, tuple[int, int, int]]:
    """Parameters, MACs and output shape of one layer that is not a block."""
    channels, height, width = shape
    match layer:
        case Conv():
            after = (layer.outputs, layer.output_side(height), layer.output_side(width))
            weights = layer.outputs * (layer.inputs // layer.groups) * layer.kernel**2
            return weights + layer.outputs * layer.bias, weights * after[1] * after[2], after
        case MaxPool():
            return 0, 0, (channels, layer.output_side(height), layer.output_side(width))
        case Norm() | ResponseNorm():
            return 2 * layer.channels, 0, shape
        case LayerScale():
            return layer.channels, 0, shape
        case GlobalPool():
            return 0, 0, (channels, 1, 1)
        case Linear():
            weights = layer.inputs * layer.outputs
            return weights + layer.outputs, weights, (layer.outputs, 1, 1)
        case Activation():
            return 0, 0, shape
        case Block():
            raise AssertionError("a block is walked, not counted whole")
