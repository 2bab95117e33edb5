"""One rectangle per image: drawn by area and aspect, and turned into masks."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

TRIES = 10  # of torchvision's RandomResizedCrop and of timm's RandomErasing


@dataclass(frozen=True, slots=True)
class Boxes:
    """Rectangles in pixels, each field (B,) int64. Zero height or width: empty."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor

    def to(self, device: torch.device) -> "Boxes":
        """The same boxes on a device."""
        return Boxes(*(sent(of, device) for of in self.sides()))

    def take(self, chosen: Tensor) -> "Boxes":
        """Those of some images."""
        return Boxes(*(of[chosen] for of in self.sides()))

    def sides(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The fields."""
        return self.top, self.left, self.height, self.width


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on a device, for which nothing is waited for: a plain copy to a GPU would
    wait for all that it has still to do."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def draw(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Uniform numbers from [0, 1), float64 on the CPU (areas are rounded to pixels exactly).

    One question for many numbers takes as long as for few, and gets the same numbers as several.
    """
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def whole_number(draws: Tensor, count: Tensor | int) -> Tensor:
    """Draws from [0, 1) as numbers from 0 .. count-1, int64; count is at least 1."""
    return (draws * count).long()


def draw_boxes(batch: int, generator: Generator) -> Tensor:
    """The numbers of `drawn_boxes`, (2 TRIES + 2, B)."""
    return draw((2 * TRIES + 2, batch), generator)


def drawn_boxes(
    draws: Tensor,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    *,
    largest: int,
    otherwise: int,
) -> Boxes:
    """Rectangles inside a square of `size` pixels, uniform in place, area and log aspect.

    `area` is a range of shares of the square, `aspect` a range of width / height. Of ten draws the
    first counts whose sides are 1 to `largest` pixels; if none fits, a square of side `otherwise`.
    The law is that of torchvision's `RandomResizedCrop.get_params` and timm's `RandomErasing`.
    """
    pixels = size * size * _between(draws[:TRIES], *area)
    ratio = _between(draws[TRIES : 2 * TRIES], math.log(aspect[0]), math.log(aspect[1])).exp()
    height, width = (pixels / ratio).sqrt().round(), (pixels * ratio).sqrt().round()
    fits = (torch.minimum(height, width) >= 1) & (torch.maximum(height, width) <= largest)
    first = torch.cat([fits, fits.new_ones(1, fits.shape[1])]).int().argmax(0, keepdim=True)

    def chosen(side: Tensor) -> Tensor:
        last_resort = side.new_full((1, side.shape[1]), otherwise)
        return torch.cat([side, last_resort]).gather(0, first)[0].long()

    height, width = chosen(height), chosen(width)
    top = whole_number(draws[2 * TRIES], size - height + 1)
    left = whole_number(draws[2 * TRIES + 1], size - width + 1)
    return Boxes(top, left, height, width)


def _between(draws: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * draws


def inside(boxes: Boxes, height: int, width: int, repeat: int = 1) -> Tensor:
    """The boxes as masks (B, height, width * repeat), each column `repeat` times.

    With `repeat` = channels, the mask fits a channels-last image seen as lines of width * channels
    values: a mask that broadcasts over three channels would halve the speed of whatever uses it.
    """
    device = boxes.top.device
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)[:, None].expand(-1, repeat).reshape(-1)
    bottom, right = boxes.top + boxes.height, boxes.left + boxes.width
    in_rows = (rows >= boxes.top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= boxes.left[:, None]) & (columns < right[:, None])
    # A product of bytes, since `&` of broadcast booleans is eight times slower on a CPU.
    both = in_rows.view(torch.uint8)[:, :, None] * in_columns.view(torch.uint8)[:, None, :]
    return both.view(torch.bool)
