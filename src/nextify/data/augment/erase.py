"""Random erasing (Zhong et al. 2020) in timm's 'pixel' mode."""

import torch
from torch import Generator, Tensor

from nextify.data.augment.box import Boxes, draw_boxes, drawn_boxes, inside, sent

AREA = (0.02, 1 / 3)  # share of the image
ASPECT = (0.3, 1 / 0.3)


def draw_erasing(batch: int, size: int, probability: float, generator: Generator) -> Boxes:
    """With the probability a box for each image, else an empty one; never a whole side."""
    draws = draw_boxes(batch, generator)
    boxes = drawn_boxes(draws, size, AREA, ASPECT, largest=size - 1, otherwise=0)
    erased = torch.rand(batch, generator=generator) < probability
    return Boxes(boxes.top, boxes.left, boxes.height * erased, boxes.width)


def draw_noise(boxes: Boxes, channels: int, generator: Generator) -> Tensor:
    """Standard normal numbers for the pixels in the boxes, and only for these: (P, C)."""
    count = int((boxes.height * boxes.width).sum())
    return torch.randn(count, channels, generator=generator)


def erase_(images: Tensor, boxes: Boxes, noise: Tensor) -> Tensor:
    """Fill the boxes with the noise of `draw_noise`, every value its own; in place, and returned.

    images: (B, C, H, W) float32, channels last and normalised.
    """
    batch, channels, height, width = images.shape
    erased = boxes.height.nonzero()[:, 0]
    place = inside(boxes.take(erased), height, width).flatten(1).nonzero()
    index = erased[place[:, 0]] * (height * width) + place[:, 1]
    values = images.permute(0, 2, 3, 1).view(batch * height * width, channels)
    values.index_copy_(0, sent(index, images.device), sent(noise, images.device))
    return images
