"""Images cut into bands of spatial frequency, exactly, by the discrete Fourier transform.

A frequency is how far it is from zero in the plane of both axes, as a share of what a line of
pixels can carry (half a cycle a pixel): 1 is that along an axis, and the corners of the plane
reach the square root of 2.
"""

import torch
from torch import Tensor

WHOLE = (-1.0, 2.0)  # a band with all frequencies, zero included


def frequencies(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Of the coefficients of `torch.fft.rfft2`: (height, width // 2 + 1).

    >>> frequencies(4, 4)
    tensor([[0.0000, 0.5000, 1.0000],
            [0.5000, 0.7071, 1.1180],
            [1.0000, 1.1180, 1.4142],
            [0.5000, 0.7071, 1.1180]])
    """
    down = torch.fft.fftfreq(height, 0.5, device=device)
    across = torch.fft.rfftfreq(width, 0.5, device=device)
    return torch.hypot(down[:, None], across[None])


def band(images: Tensor, above: float, up_to: float) -> Tensor:
    """What images have of frequencies above < f <= up_to: (..., H, W) to the same.

    Bands that cut the frequencies into parts add up to the images. Zero, which is the mean, lies in
    a band that begins below 0.
    """
    height, width = images.shape[-2:]
    found = frequencies(height, width, images.device)
    inside = (found > above) & (found <= up_to)
    kept: Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * inside, s=(height, width))
    return kept


def band_noise(images: Tensor, above: float, up_to: float, generator: torch.Generator) -> Tensor:
    """White noise of a band, of mean square 1 in each image: of the images' shape (N, C, H, W).

    Equal energy in all bands, however many frequencies they hold: else noise of a high band, which
    holds more of them, would be stronger.
    """
    white = torch.randn(images.shape, generator=generator).to(images)
    noise = band(white, above, up_to)
    return noise / noise.square().mean((1, 2, 3), keepdim=True).sqrt()
