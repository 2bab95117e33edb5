"""JPEG files to load, made by processes that need no torch."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10


def make(folder: Path, images: int, processes: int) -> None:
    """Images of 500 x 375, of blots and noise, which compress about as photos do; every twentieth
    is a test image."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(_make_one, [folder] * images, range(images), chunksize=25))


def _make_one(folder: Path, at: int) -> None:
    draw = np.random.default_rng(at)
    small = Image.fromarray(draw.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    large = np.asarray(small.resize((500, 375), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = large + draw.normal(0, 12, large.shape).astype(np.int16)
    split = "test" if at % 20 == 0 else "train"
    place = folder / split / f"class{at // 20 % CLASSES}"
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(place / f"{at}.jpg", quality=85)
