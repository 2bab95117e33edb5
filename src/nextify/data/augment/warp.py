"""Geometric operations: one affine matrix per image and one sampler for all.

A matrix (a, b, c; d, e, f) says from where in the input, (a x + b y + c, d x + e y + f), the output
pixel with centre (x, y) is read, in pixels from the top left corner (`PIL.Image.transform`). Each
function takes amounts (n,) float64 and the image's side in pixels, and returns (n, 6) float64.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def moved(amount: Tensor, size: int, entry: int) -> Tensor:
    """The identity with `amount` in place of one of its zeros.

    Entry 1 reads each row `amount` times its height further right, entry 3 each column `amount`
    times its distance from the left further down: shears. Entries 2 and 5 read everything `amount`
    sides of the image further right or down: translations.
    """
    matrices = amount.new_zeros(len(amount), 6)
    matrices[:, 0] = matrices[:, 4] = 1  # number by number: a copy to a GPU would be waited for
    matrices[:, entry] = amount * size if entry in (2, 5) else amount
    return matrices


def rotate(amount: Tensor, size: int) -> Tensor:
    """Turn by `amount` degrees anticlockwise about the centre (`PIL.Image.rotate`)."""
    angle, middle = torch.deg2rad(amount), size / 2
    cos, sin = angle.cos(), angle.sin()
    right, down = middle * (1 - cos + sin), middle * (1 - cos - sin)
    return torch.stack([cos, -sin, right, sin, cos, down], dim=1)


def warp(pixels: Tensor, matrices: Tensor, fill: tuple[int, ...]) -> Tensor:
    """Sample each image bilinearly through its matrix; what lies outside gets the colour `fill`.

    pixels: (n, C, S, S) uint8; matrices: (n, 6) on the same device; fill: C levels.
    Pillow's rules: a pixel is outside if its centre is (no blending with the fill), neighbours
    beyond the border are clamped, results are truncated.
    """
    size = pixels.shape[-1]
    centres = torch.arange(size, dtype=torch.float64, device=pixels.device) + 0.5
    a, b, c, d, e, f = matrices[:, :, None].unbind(1)
    # Across and down are added at the end, so that only one operation an axis is (n, S, S).
    x = (a * centres + c).float()[:, None, :] + (b * centres).float()[:, :, None]
    y = (d * centres + f).float()[:, None, :] + (e * centres).float()[:, :, None]
    outside = (torch.minimum(x, y) < 0) | (torch.maximum(x, y) >= size)
    grid = torch.stack([x, y], dim=-1).mul_(2 / size).sub_(1)
    sampled = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    # Truncation must not take a whole number that float32 left just short to the one below.
    levels = (sampled + 2**-8).to(torch.uint8)
    colour = pixels.new_empty(1, len(fill), 1, 1)
    for channel, level in enumerate(fill):
        colour[:, channel] = level
    return torch.where(outside[:, None], colour, levels)
