"""One rectangle per image: drawn by area and aspect, and turned into masks."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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
    # By numpy: of operators this small it starts several in the time in which torch starts one. All
    # but the exponential, which torch rounds in its own way, give the same bits in both.
    numbers = draws.numpy()
    pixels = size * size * _between(numbers[:TRIES], *area)
    logarithm = _between(numbers[TRIES : 2 * TRIES], math.log(aspect[0]), math.log(aspect[1]))
    ratio = torch.from_numpy(logarithm).exp().numpy()
    height, width = np.rint(np.sqrt(pixels / ratio)), np.rint(np.sqrt(pixels * ratio))
    fits = (np.minimum(height, width) >= 1) & (np.maximum(height, width) <= largest)
    first = fits.argmax(0), np.arange(fits.shape[1])
    height, width = (
        np.where(fits[first], side[first], otherwise).astype(np.int64) for side in (height, width)
    )
    top = (numbers[2 * TRIES] * (size - height + 1)).astype(np.int64)
    left = (numbers[2 * TRIES + 1] * (size - width + 1)).astype(np.int64)
    return Boxes(*map(torch.from_numpy, (top, left, height, width)))


def _between(draws: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
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
