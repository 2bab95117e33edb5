"""Does an image fit a network? Every layer that strides needs something to stride over."""

from collections.abc import Iterator
from dataclasses import replace

from nextify.blueprint.draw import draw
from nextify.blueprint.specs import Block, Blueprint, Conv, Layers, MaxPool
from nextify.designs import Design
from nextify.errors import InputError


def require_fit(design: Design, image_size: int | tuple[int, int]) -> None:
    """Check that a design can see images of a size (pixels; one side, or height and width).

    Raises:
        InputError: if a map would become smaller than a stride; it names the stem stride that
            would fit, or the smallest image.
    """
    sides = (image_size,) if isinstance(image_size, int) else tuple(image_size)
    if min(sides) < 1:
        raise InputError(f"image size is {image_size}; it must be at least 1 pixel")
    if _fits(draw(design), min(sides)):
        return
    fitting = [s for s in (16, 4, 2, 1) if _fits(draw(replace(design, stem_stride=s)), min(sides))]
    if fitting:
        remedy = f"stem_stride={fitting[0]} would fit"
    else:
        smallest = _smallest(replace(design, stem_stride=1))
        remedy = f"use images of at least {smallest} pixels with stem_stride=1"
    raise InputError(
        f"images of {min(sides)} pixels are too small for this design with "
        f"stem_stride={design.stem_stride}; {remedy}"
    )


def _fits(blueprint: Blueprint, side: int) -> bool:
    for layer in _striding(blueprint):
        if side < layer.stride or layer.output_side(side) < 1:
            return False
        side = layer.output_side(side)
    return True


def _smallest(design: Design) -> int:
    blueprint = draw(design)
    return next(side for side in range(1, 1 << 16) if _fits(blueprint, side))


def _striding(blueprint: Blueprint) -> Iterator[Conv | MaxPool]:
    """The layers on the main way through the network that make maps smaller, in order."""

    def walk(layers: Layers) -> Iterator[Conv | MaxPool]:
        for _, layer in layers:
            match layer:
                case Conv() | MaxPool() if layer.stride > 1:
                    yield layer
                case Block():
                    yield from walk(layer.branch)
                case _:
                    pass

    for _, layers in blueprint.sections():
        yield from walk(layers)
