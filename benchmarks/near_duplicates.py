"""How many changed copies of images `nextify data` finds among all others, change by change.

    python benchmarks/near_duplicates.py FOLDER

Some 300 training images of a folder are changed, as networks see them, and looked at beside all of
them, 10,000 at most.
"""

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from nextify.data import Images, load
from nextify.data.near import frequencies, near_duplicates

COPIES = 300
Change = Callable[[Image.Image], Image.Image]


def encoded(image: Image.Image, quality: int = 75) -> Image.Image:
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def scaled(image: Image.Image, by: float) -> Image.Image:
    return image.resize((round(by * image.width), round(by * image.height)), 3)


def cut(image: Image.Image, to: float, at: float) -> Image.Image:
    """A crop to a part of each side; `at`: 0 in the upper left, 0.5 in the middle."""
    x, y = (at * (1 - to) * side for side in image.size)
    box = (x, y, x + to * image.width, y + to * image.height)
    return encoded(image.resize(image.size, 3, box=box))


def shifted(image: Image.Image) -> Image.Image:
    """By a fiftieth of its width; its edge is drawn out."""
    by = max(1, round(image.width / 50))
    pixels = np.asarray(image)
    return encoded(Image.fromarray(np.concatenate([pixels[:, by:], pixels[:, -by:]], 1)))


CHANGES: dict[str, Change] = {
    "JPEG quality 75": encoded,
    "80 % of the size": lambda image: encoded(scaled(image, 0.8), 80),
    "grey": lambda image: encoded(image.convert("L").convert("RGB")),
    "mirrored": lambda image: encoded(ImageOps.mirror(image)),
    "half the size, quality 30": lambda image: encoded(scaled(image, 0.5), 30),
    "brighter by 40 %": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.4)),
    "less contrast": lambda image: encoded(ImageEnhance.Contrast(image).enhance(0.6)),
    "shifted by 2 %": shifted,
    **{
        f"crop of {to:.0%}, {where}": partial(cut, to=to, at=at)
        for to in (0.97, 0.95, 0.9, 0.85)
        for where, at in (("in the middle", 0.5), ("in a corner", 0.0))
    },
    "turned by 3 degrees": lambda image: encoded(image.rotate(3, Image.Resampling.BICUBIC)),
    "turned by 90 degrees": lambda image: encoded(image.rotate(90)),
    "upside down": lambda image: encoded(ImageOps.flip(image)),
}


def main() -> None:
    images = load(sys.argv[1], train_limit=10_000).train
    assert isinstance(images, Images)
    pixels = images.pixels.expand(-1, 3, -1, -1)
    chosen = range(0, len(pixels), max(1, len(pixels) // COPIES))[:COPIES]
    every = np.concatenate([frequencies(part) for part in torch.split(pixels, 500)])
    for name, change in CHANGES.items():
        shots = (Image.fromarray(pixels[at].permute(1, 2, 0).numpy()) for at in chosen)
        changed = [np.asarray(change(shot).resize(shot.size, 3)) for shot in shots]
        copies = frequencies(torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2))
        near = near_duplicates(np.concatenate([every, copies]))
        pairs = {*zip(near.one.tolist(), near.other.tolist(), strict=True)}
        found = sum((at, len(every) + i) in pairs for i, at in enumerate(chosen))
        print(f"{name}: {found / len(chosen):.0%} of {len(chosen)}", flush=True)


if __name__ == "__main__":
    main()
