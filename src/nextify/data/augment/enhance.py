"""Operations that blend an image with a poorer version of itself (`PIL.ImageEnhance`).

The poorer versions, `luminance` for colour and `smooth` for sharpness, are (n, C or 1, S, S).
"""

import torch
from torch import Tensor


def blend(poorer: Tensor, image: Tensor, factor: Tensor) -> Tensor:
    """poorer + factor (image - poorer), cut to 0 .. 255 and truncated as in Pillow, uint8.

    Arguments are float32 and broadcast; factor 0 gives the poorer image, 1 the image, more exceeds
    it.
    """
    return (poorer + factor * (image - poorer)).clamp_(0, 255).to(torch.uint8)


def luminance(pixels: Tensor) -> Tensor:
    """(n, C, S, S) uint8 -> (n, 1, S, S) int32, ITU-R 601-2 in Pillow's fixed-point arithmetic.

    A grey image is its own luminance: the weights add up to exactly 2^16.
    """
    if pixels.shape[1] == 1:
        return pixels.int()
    red, green, blue = (pixels[:, i : i + 1].int() for i in range(3))
    return (red * 19595).add_(green * 38470).add_(blue * 7471).add_(0x8000) >> 16


def smooth(pixels: Tensor) -> Tensor:
    """Pillow's SMOOTH filter, 3 x 3 with weights 1 and a centre of 5, over 13; borders stay.

    (n, C, S, S) uint8 -> the same shape, float32 of whole numbers. Sums are whole numbers, and a
    thirteenth is never a half: rounding is exact.
    """
    image = pixels.float()
    if min(pixels.shape[-2:]) < 3:
        return image
    rows = image[..., :-2, :] + image[..., 1:-1, :] + image[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    inner = image[..., 1:-1, 1:-1]
    smoothed = image.clone()
    smoothed[..., 1:-1, 1:-1] = ((sums + 4 * inner) / 13).round_()
    return smoothed


def color(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luminance; factor: (n, 1, 1, 1). Grey images stay as they are."""
    return blend(luminance(pixels).float(), pixels.float(), factor.float())


def sharpness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the smoothed image; factor: (n, 1, 1, 1)."""
    return blend(smooth(pixels), pixels.float(), factor.float())
