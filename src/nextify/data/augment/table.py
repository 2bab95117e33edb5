"""Operations that replace each value by another: one table of 256 entries per image (and channel).

Each function takes the images it is for, (n, C, S, S) uint8, and its amount, (n, 1, 1) float64, and
returns tables (n, C, 256) or (n, 1, 256), uint8. All images of a batch then share one look-up,
whatever their operations. Tables equal Pillow's entry for entry (tested).
"""

import torch
from torch import Tensor

from nextify.data.augment.enhance import blend, luminance


def look_up(pixels: Tensor, tables: Tensor) -> Tensor:
    """pixels (n, C, S, S) uint8 through tables (n, C, 256): each channel through its own."""
    rows = pixels.shape[0] * pixels.shape[1]
    begin = torch.arange(0, rows * 256, 256, dtype=torch.int32, device=pixels.device)
    index = pixels.reshape(rows, -1).int().add_(begin[:, None])  # half the memory of int64
    return tables.reshape(-1).index_select(0, index.view(-1)).view(pixels.shape)


def _values(pixels: Tensor) -> Tensor:
    """0 .. 255, the values that a table maps, in float64 as in Pillow's arithmetic."""
    return torch.arange(256, dtype=torch.float64, device=pixels.device)


def auto_contrast(pixels: Tensor, amount: Tensor) -> Tensor:
    """Stretch each channel's range to 0 .. 255 (`PIL.ImageOps.autocontrast`, no cut-off)."""
    channels = pixels.flatten(2)
    low = channels.amin(-1, keepdim=True).double()
    high = channels.amax(-1, keepdim=True).double()
    # A division of tensors: `255 / x` multiplies by 1 / x, which rounds twice. Infinite for a flat
    # channel, which stays as it is.
    scale = torch.full_like(low, 255) / (high - low)
    stretched = (_values(pixels) * scale + -low * scale).clamp(0, 255)
    return torch.where(high > low, stretched, _values(pixels)).to(torch.uint8)


def histogram(pixels: Tensor) -> Tensor:
    """How often each value occurs in each channel: (n, C, S, S) uint8 -> (n, C, 256) int64."""
    channels = pixels.flatten(2).long()
    counts = channels.new_zeros(*channels.shape[:2], 256)
    return counts.scatter_add_(2, channels, torch.ones_like(channels))


def equalize(pixels: Tensor, amount: Tensor) -> Tensor:
    """Flatten each channel's histogram (`PIL.ImageOps.equalize`).

    The step leaves out the brightest value; a channel too uniform to have a step stays as it is.
    """
    counts = histogram(pixels)
    brightest = pixels.flatten(2).amax(-1, keepdim=True).long()
    below = counts.cumsum(-1) - counts
    step = (counts.sum(-1, keepdim=True) - counts.gather(-1, brightest)) // 255
    flat = ((step // 2 + below) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step > 0, flat, _values(pixels).long()).to(torch.uint8)


def invert(pixels: Tensor, amount: Tensor) -> Tensor:
    """255 - value."""
    return (255 - _values(pixels)).to(torch.uint8).expand(amount.shape[0], 1, 256)


def posterize(pixels: Tensor, amount: Tensor) -> Tensor:
    """Keep the `amount` highest of eight bits. None kept gives black.

    timm asks for none at magnitude 10; older Pillow then gave black too, the newest raises.
    """
    step = 2 ** (8 - amount)
    return (_values(pixels) - _values(pixels) % step).to(torch.uint8)


def solarize(pixels: Tensor, amount: Tensor) -> Tensor:
    """Invert the values from `amount` on."""
    values = _values(pixels)
    return torch.where(values < amount, values, 255 - values).to(torch.uint8)


def solarize_add(pixels: Tensor, amount: Tensor) -> Tensor:
    """Add `amount` to the values below 128."""
    values = _values(pixels)
    return torch.where(values < 128, (values + amount).clamp(max=255), values).to(torch.uint8)


def brightness(pixels: Tensor, amount: Tensor) -> Tensor:
    """Blend with black (`PIL.ImageEnhance.Brightness`)."""
    values = _values(pixels).float()
    return blend(torch.zeros_like(values), values, amount.float())


def contrast(pixels: Tensor, amount: Tensor) -> Tensor:
    """Blend with the mean luminance, rounded (`PIL.ImageEnhance.Contrast`)."""
    mean = (luminance(pixels).flatten(2).double().mean(-1, keepdim=True) + 0.5).floor()
    return blend(mean.float(), _values(pixels).float(), amount.float())
