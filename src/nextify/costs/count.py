"""Counting: what a blueprint costs, by arithmetic alone.

A MAC is one multiply-accumulate of a convolution, a linear layer or attention; norms, activations,
biases and pooling are not counted, as in the papers. FLOPs are twice the MACs. What the bytes of
activations count is said in `nextify.costs.walk`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nextify.blueprint import draw, require_image_size, sides_of
from nextify.costs.walk import Map, PartCost, walk
from nextify.designs import AnyDesign, known_design
from nextify.words import whole_number


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs: in total, per section (stem, stages, head), and per layer.

    Attributes:
        params: learned numbers. macs: multiply-accumulates for one image.
        inference_bytes: the peak of activations that must be alive at once, for one image.
        training_bytes: activations that autograd keeps for one image. They grow with the batch;
            only the statistics of batch norm (8 bytes a channel) are there once a batch.
        moved_bytes: read and written by all layers for one image; weights once.
        image_size: (height, width) in pixels.
        bytes_per_value: that the bytes are counted for; 4 is float32.
    """

    params: int
    macs: int
    inference_bytes: int
    training_bytes: int
    moved_bytes: int
    image_size: tuple[int, int]
    classes: int
    bytes_per_value: int
    sections: tuple[PartCost, ...]
    layers: tuple[PartCost, ...]

    @property
    def flops(self) -> int:
        """Floating-point operations of convolutions and linear layers: two per MAC."""
        return 2 * self.macs


def cost(
    design: AnyDesign | str,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    bytes_per_value: int = 4,
) -> Cost:
    """What a design costs for one image. No torch is needed.

    >>> cost("resnet50").params
    25557032
    >>> cost("vit-b-16", 384).params  # with 576 positions, for images of that size
    86859496

    Args:
        design: a design, or its name.
        image_size: pixels; one side, or (height, width).
        classes: outputs of the classifier.
        bytes_per_value: of weights and maps; 4 is float32, 2 is bfloat16. Statistics of norms are
            float32 and indices of pooling int64 in any case.

    Raises:
        InputError: if the image is too small for the design, or `classes` or `bytes_per_value` is
            no whole number from 1 on.
    """
    design = known_design(design)
    classes = whole_number("classes", classes)
    bytes_per_value = whole_number("bytes_per_value", bytes_per_value)
    require_image_size(design, image_size)
    height, width = sides_of(image_size)
    found: list[PartCost] = []
    layers: list[PartCost] = []
    entry = Map((3, height, width))
    for name, parts in draw(design, classes, (height, width)).sections():
        counted, entry = walk(parts, entry, bytes_per_value)
        costs = [replace(part, name=f"{name}.{inside}") for inside, part in counted]
        found.append(PartCost(name=name, shape=entry.shape, **_together(costs)))
        layers.extend(costs)
    return Cost(
        **_together(found),
        image_size=(height, width),
        classes=classes,
        bytes_per_value=bytes_per_value,
        sections=tuple(found),
        layers=tuple(layers),
    )


def _together(parts: Sequence[PartCost]) -> dict[str, int]:
    """Sums over parts; of what is alive while one runs, the largest."""
    summed = ("params", "macs", "training_bytes", "moved_bytes")
    sums = {name: sum(getattr(part, name) for part in parts) for name in summed}
    return {**sums, "inference_bytes": max(part.inference_bytes for part in parts)}
