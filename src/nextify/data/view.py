"""How published weights look at an image: resized, mostly by its shorter side, the middle cut out.

The data sets here keep the centre square of each image instead, resized once (`decode`).
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nextify.data.dataset import Images
from nextify.data.decoding import open_rgb, quiet_pillow
from nextify.errors import unknown

_FILTERS = {one.name.lower(): one for one in Image.Resampling}

_MOST = 1 << 24  # pixels that a whole image is resized to; photographs stay far below


@dataclass(frozen=True, slots=True)
class View:
    """The middle of an image whose shorter side was resized to `image_size / crop`; or both its
    sides (squash), or its longer side (border), with `fill` in what it leaves empty.

    By Pillow, and to the pixel as timm and torchvision transform images for evaluation.

    >>> View(2, 0.5, "bilinear")(Image.new("RGB", (8, 6), (1, 2, 3)))[:, 0, 0]
    tensor([1, 2, 3], dtype=torch.uint8)

    Attributes:
        image_size: side of the result in pixels. crop: the share of the resized side that is kept.
        interpolation: nearest, bilinear, bicubic, lanczos, box or hamming.
        mode: center, squash or border. fill: a colour in RGB, of 8 bits.
    """

    image_size: int
    crop: float
    interpolation: str
    mode: str = "center"
    fill: tuple[int, ...] = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.interpolation not in _FILTERS:
            raise unknown("interpolation", self.interpolation, _FILTERS)

    @property
    def shorter_side(self) -> int:
        """Of the image before the middle is cut out, in pixels."""
        return math.floor(self.image_size / self.crop)

    def __call__(self, image: Image.Image) -> Tensor:
        """An RGB image as (3, image_size, image_size) uint8."""
        size = self._resized(*image.size)
        left, top = (_start(length, self.image_size) for length in size)
        square = (self.image_size, self.image_size)
        if size[0] * size[1] > _MOST:  # of a strip, only what is kept is made
            across, down = image.width / size[0], image.height / size[1]
            right, lower = left + self.image_size, top + self.image_size
            part = (left * across, top * down, right * across, lower * down)
            middle = image.resize(square, _FILTERS[self.interpolation], box=part)
        else:
            if size != image.size:
                image = image.resize(size, _FILTERS[self.interpolation])
            middle = Image.new("RGB", square, self.fill)
            middle.paste(image, (-left, -top))
        return torch.from_numpy(np.array(middle)).permute(2, 0, 1).contiguous()

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """The size that an image is resized to."""
        side = self.shorter_side
        if self.mode == "squash":
            return side, side
        if self.mode == "border":
            ratio = max(width / side, height / side)
            return max(round(width / ratio), 1), max(round(height / ratio), 1)
        short = min(width, height)
        return side * width // short, side * height // short

    def of_file(self, path: Path) -> Tensor:
        """An image file, seen so. Raises `UnreadableImage`."""
        with quiet_pillow():
            return self(open_rgb(path))

    def of_images(self, images: Images) -> Images:
        """Images in memory, each seen so: (N, 3, image_size, image_size)."""
        pixels = images.pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
        seen = [self(Image.fromarray(one)) for one in pixels]
        return Images(torch.stack(seen), images.labels, files=images.contents_of_files)


def _start(length: int, part: int) -> int:
    """Where the middle part of a length begins; before 0 where that is longer, as timm pads it."""
    return round((length - part) / 2) if length >= part else -((part - length) // 2)
