"""Random erasing (Zhong et al. 2020) in timm's 'pixel' mode."""

import torch
from torch import Generator, Tensor

from nextify.data.augment.box import Boxes, draw_boxes, inside

AREA = (0.02, 1 / 3)  # share of the image
ASPECT = (0.3, 1 / 0.3)


def draw_erasing(batch: int, size: int, probability: float, generator: Generator) -> Boxes:
    """With the probability a box for each image, else an empty one; never a whole side."""
    boxes = draw_boxes(
        batch, size, AREA, ASPECT, largest=size - 1, otherwise=0, generator=generator
    )
    erased = torch.rand(batch, generator=generator) < probability
    return Boxes(boxes.top, boxes.left, boxes.height * erased, boxes.width)


def erase_(images: Tensor, boxes: Boxes, generator: Generator) -> Tensor:
    """Fill the boxes with standard normal noise, every value its own; in place, and returned.

    images: (B, C, H, W) float32, channels last and normalised. Noise is drawn only for the pixels
    that need it.
    """
    batch, channels, height, width = images.shape
    erased = boxes.height.nonzero()[:, 0]
    chosen = Boxes(boxes.top[erased], boxes.left[erased], boxes.height[erased], boxes.width[erased])
    place = inside(chosen, height, width).flatten(1).nonzero()
    index = erased[place[:, 0]] * (height * width) + place[:, 1]
    noise = torch.randn(len(index), channels, generator=generator)
    values = images.permute(0, 2, 3, 1).view(batch * height * width, channels)
    values.index_copy_(0, index.to(images.device), noise.to(images.device))
    return images
