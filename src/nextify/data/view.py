"""How published weights look at an image: resized by its shorter side, the middle cut out.

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

_NAMES = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
_FILTERS = {name: Image.Resampling[name.upper()] for name in _NAMES}

_MOST = 1 << 24  # pixels that a whole image is resized to; photographs stay far below


@dataclass(frozen=True, slots=True)
class View:
    """The middle of an image whose shorter side was resized to `image_size / crop`.

    By Pillow, and to the pixel as timm and torchvision transform images for evaluation.

    >>> View(2, 0.5, "bilinear")(Image.new("RGB", (8, 6), (1, 2, 3)))[:, 0, 0]
    tensor([1, 2, 3], dtype=torch.uint8)

    Attributes:
        image_size: side of the result in pixels. crop: the share of the resized side that is kept.
        interpolation: nearest, bilinear, bicubic, lanczos, box or hamming.
    """

    image_size: int
    crop: float
    interpolation: str

    def __post_init__(self) -> None:
        if self.interpolation not in _FILTERS:
            raise unknown("interpolation", self.interpolation, _FILTERS)

    @property
    def shorter_side(self) -> int:
        """Of the image before the middle is cut out, in pixels."""
        return math.floor(self.image_size / self.crop)

    def __call__(self, image: Image.Image) -> Tensor:
        """An RGB image as (3, image_size, image_size) uint8."""
        width, height = image.size
        short, side = min(width, height), self.shorter_side
        size = (side * width // short, side * height // short)
        left, top = (round((length - self.image_size) / 2) for length in size)
        box = (left, top, left + self.image_size, top + self.image_size)
        if size[0] * size[1] > _MOST:  # of a strip, only what is kept is made
            across, down = width / size[0], height / size[1]
            part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
            kept = (self.image_size, self.image_size)
            middle = image.resize(kept, _FILTERS[self.interpolation], box=part)
        elif size != image.size:
            middle = image.resize(size, _FILTERS[self.interpolation]).crop(box)
        else:
            middle = image.crop(box)
        return torch.from_numpy(np.array(middle)).permute(2, 0, 1).contiguous()

    def of_file(self, path: Path) -> Tensor:
        """An image file, seen so. Raises `UnreadableImage`."""
        with quiet_pillow():
            return self(open_rgb(path))

    def of_images(self, images: Images) -> Images:
        """Images in memory, each seen so: (N, 3, image_size, image_size)."""
        pixels = images.pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
        seen = [self(Image.fromarray(one)) for one in pixels]
        return Images(torch.stack(seen), images.labels)
