"""Does an image fit a network? Every layer that strides needs something to stride over."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from nextify.blueprint import specs
from nextify.blueprint.draw import draw
from nextify.designs import AnyDesign, Design, Swin, Vit
from nextify.errors import InputError
from nextify.requests.options import MOST_PIXELS


def require_image_size(
    design: AnyDesign, image_size: int | tuple[int, int], built_for: int | None = None
) -> None:
    """Check that a design can see images of a size (pixels; one side, or height and width).

    Args:
        built_for: the size of the images that a network of it is built for, where another: a ViT
            sees no others.

    Raises:
        InputError: if a map would become smaller than a stride; it names the stem stride that
            would fit, and the smallest image. If a ViT's patches do not divide the image, or a
            Swin's are larger than it.
    """
    sides = specs.sides_of(image_size)
    match design:
        case Design():
            _require_strides(design, sides)
        case Vit():
            _require_whole_patches(design, sides)
            if built_for is not None and set(sides) != {built_for}:
                raise InputError(
                    f"a ViT has positions for the images that it is trained on, of {built_for} "
                    f"pixels, and cannot see images of {max(sides)} pixels; give both one size"
                )
        case Swin() if min(sides) < design.patch_size:
            raise InputError(
                f"images of {min(sides)} pixels are smaller than this Swin's "
                f"patch_size={design.patch_size}; use larger images, or patch_size={min(sides)}"
            )


def _require_whole_patches(design: Vit, sides: tuple[int, ...]) -> None:
    patch = design.patch_size
    wrong = next((side for side in sides if side % patch), None)
    if wrong is None:
        return
    near = max(patch, round(wrong / patch) * patch)
    dividing = max(size for size in range(1, patch) if wrong % size == 0)
    raise InputError(
        f"images of {wrong} pixels are no multiple of a ViT's patch_size={patch}; use images of "
        f"{near} pixels, or patch_size={dividing}"
    )


def _require_strides(design: Design, sides: tuple[int, ...]) -> None:
    if _fits(draw(design), min(sides)):
        return
    fitting = [s for s in (16, 4, 2, 1) if _fits(draw(replace(design, stem_stride=s)), min(sides))]
    remedies = [f"stem_stride={stride} would fit" for stride in fitting[:1]]
    blueprint = draw(design)
    smallest = next((side for side in range(1, MOST_PIXELS + 1) if _fits(blueprint, side)), None)
    if smallest is not None:  # last, for who cannot say fields
        remedies.append(f"use images of at least {smallest} pixels")
    remedy = ", or ".join(remedies) or f"give fewer stages than {len(design.depths)}"
    raise InputError(
        f"images of {min(sides)} pixels are too small for this design with "
        f"stem_stride={design.stem_stride}; {remedy}"
    )


def _fits(blueprint: specs.Blueprint, side: int) -> bool:
    for layer in chain.from_iterable(_striding(layers) for _, layers in blueprint.sections()):
        after = specs.output_side(layer, side)
        if side < layer.stride or after < 1:
            return False
        side = after
    return True


def _striding(layers: specs.Layers) -> Iterator[specs.Conv | specs.MaxPool]:
    """The layers on the main way through the network that make maps smaller, in order."""
    for _, layer in layers:
        match layer:
            case specs.Conv() | specs.MaxPool() if layer.stride > 1:
                yield layer
            case specs.Block():
                yield from _striding(layer.branch)
