"""Crops: a window of the image, or any box of it resampled, each with an optional mirror image.

Flips are free: a window reads its columns from right to left, a resampling matrix has its rows in
reverse.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from nextify.data.augment.box import Boxes


def centre(pixels: Tensor, size: int) -> Tensor:
    """The central `size` x `size` pixels, as torchvision's `center_crop` counts. A view."""
    start = round((pixels.shape[-1] - size) / 2)
    return pixels[..., start : start + size, start : start + size]


def window(pixels: Tensor, top: Tensor, left: Tensor, flip: Tensor, size: int) -> Tensor:
    """From each image the window of `size` pixels at (top, left), mirrored where `flip`.

    pixels: (B, C, S, S) uint8; top, left: (B,) int64 and flip: (B,) bool, on the CPU.
    """
    batch, channels, height, width = pixels.shape
    steps = torch.arange(size)
    rows = top[:, None] + steps
    columns = left[:, None] + torch.where(flip[:, None], size - 1 - steps, steps)
    index = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
    index = index.to(pixels.device).expand(-1, channels, -1)
    flat = pixels.reshape(batch, channels, height * width)
    return flat.gather(2, index).view(batch, channels, size, size)


def padded(pixels: Tensor, margin: int) -> Tensor:
    """Black borders of `margin` pixels (He et al. 2016, section 4.2: 4 pixels on 32 x 32)."""
    return F.pad(pixels, (margin, margin, margin, margin))


def cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel with a = -1/2 (Keys 1981), zero from distance 2 on."""
    x = distance.abs().clamp_(max=2)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((2.5 - 0.5 * x) * x - 4) * x + 2
    return torch.where(x < 1, near, far)


def resampling(start: Tensor, length: Tensor, flip: Tensor, size: int, source: int) -> Tensor:
    """Matrices (B, size, source) that stretch pixels start .. start+length of a line to `size`.

    Bicubic with antialiasing as in Pillow: the kernel widens where a line shrinks, and weights are
    normalised over the pixels of the crop alone, so nothing leaks in from outside it.
    """
    scale = (length / size)[:, None]
    steps = torch.arange(size) + 0.5
    centres = start[:, None] + scale * torch.where(flip[:, None], size - steps, steps)
    pixel = torch.arange(source)
    distance = (pixel + 0.5 - centres[:, :, None]) / scale.clamp(min=1)[:, :, None]
    end = (start + length)[:, None]
    within = (pixel >= start[:, None]) & (pixel < end)
    weights = cubic(distance.float()) * within[:, None, :]
    return weights / weights.sum(-1, keepdim=True)


def resized(pixels: Tensor, boxes: Boxes, flip: Tensor, size: int) -> Tensor:
    """Each image's box, stretched to `size` x `size`, mirrored where `flip`; uint8 in and out.

    A separable resampling is two matrix products, vertical @ image @ horizontal^T: the same code
    for every box, for enlarging and shrinking, and fast wherever matrix products are. Equals
    Pillow's bicubic up to its rounding between the two passes (at most one level, tested).
    """
    batch, channels, source, _ = pixels.shape
    upright = torch.zeros_like(flip)
    vertical = resampling(boxes.top, boxes.height, upright, size, source).to(pixels.device)
    horizontal = resampling(boxes.left, boxes.width, flip, size, source).to(pixels.device)
    # Rows first, with the channels side by side: then neither product has to copy its matrices.
    rows = pixels.transpose(1, 2).float().reshape(batch, source, channels * source)
    rows = (vertical @ rows).view(batch, size * channels, source)
    views = (rows @ horizontal.mT).round_().clamp_(0, 255).to(torch.uint8)
    return views.view(batch, size, channels, size).transpose(1, 2).contiguous()
