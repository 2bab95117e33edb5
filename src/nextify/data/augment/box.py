"""One rectangle per image: drawn by area and aspect, and turned into masks."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

TRIES = 10  # of torchvision's RandomResizedCrop and of timm's RandomErasing


@dataclass(frozen=True, slots=True)
class Boxes:
    """Rectangles in pixels, each field (B,) int64 on the CPU. Zero height or width: empty."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Draws from [low, high), float64 on the CPU (areas are rounded to pixels exactly)."""
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def whole_number(count: Tensor, generator: Generator) -> Tensor:
    """One draw from 0 .. count-1 for each entry of `count` (int64, at least 1)."""
    draws = torch.rand(count.shape, generator=generator, dtype=torch.float64)
    return (draws * count).long()


def draw_boxes(
    batch: int,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    *,
    largest: int,
    otherwise: int,
    generator: Generator,
) -> Boxes:
    """Rectangles inside a square of `size` pixels, uniform in place, area and log aspect.

    `area` is a range of shares of the square, `aspect` a range of width / height. Of ten draws the
    first counts whose sides are 1 to `largest` pixels; if none fits, a square of side `otherwise`.
    The law is that of torchvision's `RandomResizedCrop.get_params` and timm's `RandomErasing`.
    """
    shape = (TRIES, batch)
    pixels = size * size * uniform(shape, *area, generator)
    ratio = uniform(shape, math.log(aspect[0]), math.log(aspect[1]), generator).exp()
    height, width = (pixels / ratio).sqrt().round(), (pixels * ratio).sqrt().round()
    fits = (torch.minimum(height, width) >= 1) & (torch.maximum(height, width) <= largest)
    first = torch.cat([fits, fits.new_ones(1, batch)]).int().argmax(0, keepdim=True)

    def chosen(side: Tensor) -> Tensor:
        last_resort = side.new_full((1, batch), otherwise)
        return torch.cat([side, last_resort]).gather(0, first)[0].long()

    height, width = chosen(height), chosen(width)
    top = whole_number(size - height + 1, generator)
    left = whole_number(size - width + 1, generator)
    return Boxes(top, left, height, width)


def inside(boxes: Boxes, height: int, width: int, repeat: int = 1) -> Tensor:
    """The boxes as masks (B, height, width * repeat), each column `repeat` times.

    With `repeat` = channels, the mask fits a channels-last image seen as lines of width * channels
    values: a mask that broadcasts over three channels would halve the speed of whatever uses it.
    """
    rows = torch.arange(height)
    columns = torch.arange(width).repeat_interleave(repeat)
    bottom, right = boxes.top + boxes.height, boxes.left + boxes.width
    in_rows = (rows >= boxes.top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= boxes.left[:, None]) & (columns < right[:, None])
    # A product of bytes, since `&` of broadcast booleans is eight times slower on a CPU.
    both = in_rows.view(torch.uint8)[:, :, None] * in_columns.view(torch.uint8)[:, None, :]
    return both.view(torch.bool)
