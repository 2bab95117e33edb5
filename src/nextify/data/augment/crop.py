"""Crops: a window of the image, or any box of it resampled, each with an optional mirror image.

Flips are free: a window reads its columns from right to left, a resampling matrix has its rows in
reverse.
"""

import math

import torch
from torch import Tensor

from nextify.data.augment.box import Boxes, sent

CACHED = 16  # images


def centre(pixels: Tensor, size: int) -> Tensor:
    """The central `size` x `size` pixels, as torchvision's `center_crop` counts. A view."""
    start = round((pixels.shape[-1] - size) / 2)
    return pixels[..., start : start + size, start : start + size]


def window(
    pixels: Tensor, top: Tensor, left: Tensor, flip: Tensor, size: int | tuple[int, int]
) -> Tensor:
    """From each image the window of `size` pixels (a side, or height and width) at (top, left),
    mirrored where `flip`.

    pixels: (B, C, H, W); top, left: (B,) int64 and flip: (B,) bool, on the CPU.
    """
    batch, channels, height, width = pixels.shape
    device = pixels.device
    top, left, flip = (sent(each, device) for each in (top, left, flip))
    tall, wide = (size, size) if isinstance(size, int) else size
    down, across = (torch.arange(side, device=device) for side in (tall, wide))
    rows = top[:, None] + down
    columns = left[:, None] + torch.where(flip[:, None], wide - 1 - across, across)
    index = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
    index = index.expand(-1, channels, -1)
    flat = pixels.reshape(batch, channels, height * width)
    return flat.gather(2, index).view(batch, channels, tall, wide)


def cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel with a = -1/2 (Keys 1981), zero from distance 2 on."""
    x = distance.abs().clamp_(max=2)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((2.5 - 0.5 * x) * x - 4) * x + 2
    return torch.where(x < 1, near, far)


def taps_of(length: Tensor, size: int) -> int:
    """How many old pixels a new one is made of, at most, where these lengths become `size`."""
    return math.ceil(4 * float((length / size).clamp(min=1).max()))


def resampling(
    start: Tensor, length: Tensor, flip: Tensor, size: int, taps: int
) -> tuple[Tensor, Tensor]:
    """How to stretch pixels start .. start+length of a line to `size` pixels, as a sparse matrix.

    start, length (B,) int64, flip (B,) bool -> for each new pixel the old ones it is made of,
    (B, size, taps) int64, and their weights, float32. Weights are zero beyond start .. start+length
    and add up to one: nothing leaks in from outside the crop. Bicubic with antialiasing as in
    Pillow: four taps, and more where a line shrinks, since the kernel then widens.
    """
    scale = (length / size)[:, None]
    widening = scale.clamp(min=1)
    steps = torch.arange(size, device=start.device) + 0.5
    middle = start[:, None] + scale * torch.where(flip[:, None], size - steps, steps)
    first = (middle - 2 * widening - 0.5).ceil().long()
    pixel = first[:, :, None] + torch.arange(taps, device=start.device)
    begin, end = start[:, None, None], (start + length)[:, None, None]
    weights = cubic((pixel + 0.5 - middle[:, :, None]) / widening[:, :, None])
    weights = weights * ((pixel >= begin) & (pixel < end))
    return pixel, weights / weights.sum(-1, keepdim=True)


def matrices(pixel: Tensor, weights: Tensor, source: int) -> Tensor:
    """The sparse matrices of `resampling` as (B, size, source)."""
    dense = torch.zeros(*pixel.shape[:2], source, device=pixel.device)
    # Adding, since several taps beyond the border land on its pixel, all with weight zero.
    return dense.scatter_add_(2, pixel.clamp(0, source - 1), weights)


def resized(pixels: Tensor, boxes: Boxes, flip: Tensor, size: int) -> Tensor:
    """Each image's box, stretched to `size` x `size`, mirrored where `flip`; uint8 in and out.

    A separable resampling is two matrix products, vertical @ image @ horizontal^T: the same code
    for every box, to enlarge and to shrink, and fast wherever matrix products are. Pillow, unlike
    torchvision on floats, rounds between the two passes (one level at most) and cuts off what
    overshoots black or white there.
    """
    source, device = pixels.shape[-1], pixels.device
    taps = taps_of(boxes.height, size), taps_of(boxes.width, size)
    there, flip = boxes.to(device), sent(flip, device)
    down = resampling(there.top, there.height, torch.zeros_like(flip), size, taps[0])
    across = resampling(there.left, there.width, flip, size, taps[1])
    vertical, horizontal = matrices(*down, source), matrices(*across, source)
    # On a CPU a few images at a time: what lies between the products then stays in the cache.
    few = CACHED if pixels.device.type == "cpu" else max(1, len(pixels))
    parts = zip(*(torch.split(x, few) for x in (pixels, vertical, horizontal)), strict=True)
    return torch.cat([_product(*part) for part in parts])


def _product(pixels: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """vertical @ image @ horizontal^T of each channel, as uint8."""
    batch, channels, source, _ = pixels.shape
    size = vertical.shape[1]
    # Rows first, with the channels side by side: then neither product has to copy its matrices.
    rows = pixels.transpose(1, 2).reshape(batch, source, channels * source).float()
    rows = (vertical @ rows).view(batch, size * channels, source)
    views = (rows @ horizontal.mT).round_().clamp_(0, 255).to(torch.uint8)
    return views.view(batch, size, channels, size).transpose(1, 2)
