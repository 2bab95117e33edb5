"""Pictures that are none, with the statistics of photographs."""

import numpy as np
from PIL import Image

SIDE = 64


def pictures(count, seed=0):
    """Smooth pictures with amplitudes that fall as 1 / f, as those of photographs do."""
    draw = np.random.default_rng(seed)
    height = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij"))
    waves = np.fft.rfft2(draw.normal(size=(count, 3, SIDE, SIDE))) / np.maximum(height, 1 / SIDE)
    found = np.fft.irfft2(waves)
    found /= found.std(axis=(1, 2, 3), keepdims=True)
    return [
        Image.fromarray((120 + 45 * one).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        for one in found
    ]
