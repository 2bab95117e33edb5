"""One image file becomes a square of RGB pixels.

Whatever the file holds, the network gets three channels of 8 bits, the right way up:

- the EXIF orientation is applied; of an animation, the first frame is taken;
- grey, palette and CMYK images become RGB; transparent ones are laid on white;
- deep grey images are scaled, not clipped (`_depth` states by what);
- the largest centred square is cut out and resized (bicubic, antialiased).
"""

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from nextify.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")

# Only these are tried, whatever the file's name: Pillow's EPS reader would start Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")

Box = tuple[int, int, int, int]  # left, upper, right, lower, in pixels


class UnreadableImage(InputError):
    """An image file that gives no pixels; `why` says so in a few words."""

    def __init__(self, path: Path | str, why: str) -> None:
        self.path = str(path)
        self.why = why
        super().__init__(
            f"image {self.path!r} cannot be read: {why}; replace or remove it, "
            "or use --skip-unreadable to leave it out and count it"
        )


def stored_size(image_size: int) -> int:
    """The side, in pixels, at which images are kept for a network that sees `image_size`.

    From 96 px on, images are kept larger by 1 / 0.875: evaluation then takes the centre
    (`evaluation_view`), and training a random crop. Smaller images are kept as the network sees
    them.

    >>> stored_size(32), stored_size(96), stored_size(224)
    (32, 110, 256)
    """
    return image_size if image_size < 96 else round(image_size / 0.875)


def decode(path: Path | str, size: int) -> Tensor:
    """The centre square of an image file as (3, size, size) uint8 RGB.

    Raises `UnreadableImage`, an `InputError` that names the file and the remedy.
    """
    with quiet_pillow():
        return decode_quietly(Path(path), size)


def decode_quietly(path: Path, size: int) -> Tensor:
    """`decode` for threads: the caller holds `quiet_pillow` around all of them."""
    # Twice the wanted side is more than the resize needs, and spares most of a large JPEG's work.
    image = open_rgb(path, enough=2 * size)
    return resized(image, centre_square(image.size), size)


def centre_square(size: tuple[int, int]) -> Box:
    """The largest centred square of an image of (width, height).

    >>> centre_square((10, 4))
    (3, 0, 7, 4)
    """
    width, height = size
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def resized(image: Image.Image, box: Box, size: int) -> Tensor:
    """The part `box` of an RGB image as (3, size, size) uint8; bicubic and antialiased."""
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def random_box(size: tuple[int, int], draw: np.random.Generator) -> Box:
    """A part of an image of (width, height), with 8 to 100 % of its area and 3:4 to 4:3 wide.

    The crop of Szegedy et al., "Going deeper with convolutions" (2015), section 6, as torchvision
    draws it: ten attempts that must fit; after these (rare), here the centre square.
    """
    width, height = size
    for _ in range(10):
        area = width * height * draw.uniform(0.08, 1.0)
        ratio = np.exp(draw.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left = int(draw.integers(width - w + 1))
            upper = int(draw.integers(height - h + 1))
            return left, upper, left + w, upper + h
    return centre_square(size)


def open_rgb(path: Path, enough: int | None = None) -> Image.Image:
    """The whole image, upright, in mode RGB.

    With `enough`, a JPEG may be decoded at a fraction of its size that has at least that many
    pixels on each side. Raises `UnreadableImage`.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            if enough is not None:
                image.draft(None, (enough, enough))
            image.load()
            return _to_rgb(_upright(image))
    except MemoryError:
        raise
    except Exception as error:  # what Pillow raises for a broken file is not a closed list
        raise UnreadableImage(path, _why(error)) from error


def shorter_side(path: Path) -> int | None:
    """The shorter side in pixels, read from the file's head; None if that cannot be read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return min(image.size)
    except Exception:  # as in `open_rgb`; who decodes the file later says what is wrong with it
        return None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings from Pillow about files that it reads all the same.

    Bombs, which Pillow warns of, are refused by `open_rgb`. Warning filters belong to the whole
    process: with threads, this stands around all of them, never within one.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


_REASONS: dict[type[Exception], str] = {
    UnidentifiedImageError: "it is not an image in a known format, or its head is damaged",
    FileNotFoundError: "there is no such file",
    PermissionError: "permission denied",
    IsADirectoryError: "it is a folder",
}


def _why(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it claims more than {Image.MAX_IMAGE_PIXELS} pixels (a decompression bomb?)"
    said = " ".join(str(error).split()) or type(error).__name__
    return _REASONS.get(type(error), said)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return image  # damaged metadata; the pixels themselves are already decoded


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Deep grey values (H, W) as uint8; Pillow's own conversion would clip them at 255."""
    values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)
    return (values * (255.0 / _depth(grey.dtype, float(values.max())))).round().astype(np.uint8)


def _depth(dtype: np.dtype[np.generic], largest: float) -> float:
    """The value that stands for white.

    Integers: 65535, since Pillow gives 16-bit files either as 16 or as 32-bit integers. Fractions
    do not say: the smallest of 1, 255 and 65535 that holds the image. Beyond: the largest value.
    """
    usual = (1.0, 255.0, 65535.0) if dtype.kind == "f" else (65535.0,)
    return next((white for white in usual if largest <= white), largest)
