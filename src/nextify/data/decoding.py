"""One image file becomes a square of RGB pixels.

Whatever the file holds, the network gets three channels of 8 bits, the right way up:

- the EXIF orientation is applied; of an animation, the first frame is taken;
- grey, palette and CMYK images become RGB; transparent ones are laid on white;
- deep grey images are scaled, not clipped (`_depth` states by what);
- the largest centred square is cut out and resized (bicubic, antialiased).

Files come from anywhere: no more than `MAX_IMAGE_PIXELS` of Pillow are decoded, of large images one
at a time, and what is made of their pixels is made a few rows at a time.
"""

import hashlib
import math
import mmap
import re
import stat
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader, BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError, features
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from nextify.errors import InputError
from nextify.words import gibibytes

# What is read, with the endings of its files. The content decides: only these formats are tried,
# whatever a file's name says, for Pillow's EPS reader would start Ghostscript.
_SUFFIXES = {
    "JPEG": ".jpg .jpeg .jpe .jfif .jif .jfi .pjpeg .pjp .mpo .jpg_large",
    "PNG": ".png .apng",
    "BMP": ".bmp",
    "GIF": ".gif",
    "WEBP": ".webp",
    "TIFF": ".tif .tiff",
    "PPM": ".ppm .pgm .pbm .pnm .pfm",
    "AVIF": ".avif .avifs",
    "JPEG2000": ".jp2 .j2k .j2c .jpc .jpf .jpx",
    "DIB": ".dib",
    "QOI": ".qoi",
    "ICO": ".ico",
    "PCX": ".pcx",
    "SGI": ".sgi",
    "DDS": ".dds",
    "SUN": ".ras",
    "TGA": ".tga",
}
_TAKEN_AT_ITS_NAME = "TGA"  # which begins like anything
_WITHOUT_ALPHA = ("BMP", "DIB", "TGA")  # programs often leave it at 0 there, and mean no alpha
_FEATURES = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}  # a Pillow may lack them


def _is_built_in(name: str) -> bool:
    with warnings.catch_warnings(action="ignore"):  # of a Pillow that has never heard of it
        return name not in _FEATURES or bool(features.check(_FEATURES[name]))


_FORMATS = tuple(name for name in _SUFFIXES if _is_built_in(name))
_TOLD_APART = tuple(name for name in _FORMATS if name != _TAKEN_AT_ITS_NAME)
SUFFIXES = tuple(suffix for name in _FORMATS for suffix in _SUFFIXES[name].split())

_LARGE = 1 << 24  # pixels: of larger images one is decoded at a time
_ALONE = Lock()
_BAND = 1 << 20  # pixels of a large image that are worked on at once
_MOST_BYTES = 1 << 30  # of a file: more than any image has that is not refused for its pixels
_PART = 1 << 20  # bytes of a file that are read at once
_MOST_PASSES = 100  # of a progressive JPEG, which uses some ten
# What begins a part of a JPEG: no byte of its coded values, and nothing that fills.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
_MOST_PARTS = 100_000  # of a JPEG; usual ones have some twenty
_SHINING = 2.0  # the most that highlights have where white is 1

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


class ChangedImage(InputError):
    """An image file that has become another one since it was first read."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(
            f"image {str(path)!r} is another than when the images were first read; bring it back, "
            "or start again when nothing writes there any more"
        )


def decode(path: Path | str, size: int) -> Tensor:
    """The centre square of an image file as (3, size, size) uint8 RGB.

    Raises `UnreadableImage`, an `InputError` that names the file and the remedy.
    """
    with quiet_pillow():
        return decode_quietly(Path(path), size)


def decode_opened(image: Image.Image, size: int) -> Tensor:
    """The same of an image that Pillow has opened, which stays as it is. One whose pixels are there
    already has all of them; of a large JPEG `decode` needs, and takes, fewer.

    Raises `UnreadableImage`.
    """
    rgb = as_rgb(image, 2 * size)
    return resized(rgb, centre_square(rgb.size), size)


def decode_quietly(path: Path, size: int, digest: bytes | None = None) -> Tensor:
    """`decode` for threads: the caller holds `quiet_pillow` around all of them."""
    # Twice the wanted side is more than the resize needs, and spares most of a large JPEG's work.
    image = open_rgb(path, 2 * size, digest)
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
    return torch.from_numpy(np.asarray(square).transpose(2, 0, 1).copy())


def random_box(size: tuple[int, int], draw: np.random.Generator, least: float = 0.08) -> Box:
    """A part of an image of (width, height), at `least` such a share of it and 3:4 to 4:3 wide.

    The crop of Szegedy et al., "Going deeper with convolutions" (2015), section 6, as torchvision
    draws it: ten attempts that must fit; after these (rare), here the centre square.
    """
    width, height = size
    for _ in range(10):
        area = width * height * draw.uniform(least, 1.0)
        ratio = np.exp(draw.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left = int(draw.integers(width - w + 1))
            upper = int(draw.integers(height - h + 1))
            return left, upper, left + w, upper + h
    return centre_square(size)


def open_rgb(path: Path, enough: int | None = None, digest: bytes | None = None) -> Image.Image:
    """The whole image, upright, in mode RGB.

    Args:
        enough: a JPEG may be decoded at a fraction of its size that has at least that many pixels
            on each side.
        digest: the SHA-256 that its file has to have.

    Raises:
        UnreadableImage: it gives no pixels.
        ChangedImage: its file is another than was said.
    """
    try:
        with _opened(path) as file:
            if digest is not None and _sha256(file) != digest:
                raise ChangedImage(path)
            return _decoded(file, path, enough)
    except (MemoryError, ChangedImage):
        raise
    except Exception as error:  # what Pillow raises for a broken file is not a closed list
        raise UnreadableImage(path, _why(error, path)) from error


def as_rgb(image: Image.Image, enough: int | None = None) -> Image.Image:
    """An image that Pillow has opened, as `open_rgb` gives one of a file.

    Raises:
        UnreadableImage: it gives no pixels.
    """
    try:
        return _loaded(_own(image), enough)
    except MemoryError:
        raise
    except Exception as error:  # as in `open_rgb`
        name = getattr(image, "filename", "") or "in memory"
        raise UnreadableImage(name, " ".join(str(error).split())) from error


def _own(image: Image.Image) -> Image.Image:
    """A JPEG that is not decoded yet, opened once more, so that its user's keeps its size."""
    if isinstance(image, JpegImageFile) and image.tile and image.fp and not image.tell():
        return Image.open(image.fp, formats=("JPEG",))
    return image


def _decoded(file: BinaryIO, path: Path, enough: int | None) -> Image.Image:
    with Image.open(file, formats=_formats(path)) as image:
        pixels = image.width * image.height
        if pixels > (Image.MAX_IMAGE_PIXELS or math.inf):
            raise Image.DecompressionBombError
        if image.info.get("progressive"):
            _require_few_passes(file)
        with _ALONE if pixels > _LARGE else nullcontext():
            return _loaded(image, enough)


def _loaded(image: Image.Image, enough: int | None) -> Image.Image:
    if enough is not None:
        image.draft(None, (enough, enough))
    image.load()
    return _to_rgb(_upright(image), hides_all=image.format in _WITHOUT_ALPHA)


def file_digest(path: Path) -> bytes:
    """The SHA-256 of an image file. Raises `UnreadableImage`."""
    try:
        with _opened(path) as file:
            return _sha256(file)
    except (OSError, _NoImage) as error:
        raise UnreadableImage(path, _why(error, path)) from error


def _sha256(file: BufferedReader | BytesIO) -> bytes:
    digest = hashlib.file_digest(file, "sha256").digest()
    file.seek(0)
    return digest


class _NoImage(Exception):
    """A file that is none, in a few words."""


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader | BytesIO]:
    """An image file, checked before it is opened: a pipe would be waited for, and a device or a
    file without an end would be read for ever. A small one is read at once: threads that read it
    piece by piece would mostly wait for one another."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise _NoImage("it is a pipe, a socket or a device, and no file")
    if status.st_size > _MOST_BYTES:
        raise _NoImage(f"it has {gibibytes(status.st_size)}, and an image has 1 GiB at most")
    with path.open("rb", buffering=0) as file:
        yield BytesIO(file.read()) if status.st_size <= _PART else BufferedReader(file)


def _formats(path: Path) -> tuple[str, ...]:
    """What a file may be."""
    is_taken = path.suffix.lower() == _SUFFIXES[_TAKEN_AT_ITS_NAME]
    return _FORMATS if is_taken else _TOLD_APART


def _require_few_passes(file: BinaryIO) -> None:
    """A progressive JPEG of a few kilobytes can ask for thousands of passes over all its pixels."""
    if isinstance(file, BytesIO):
        are_few = _has_few_passes(file.getvalue())
    else:  # a large file, of which not all has to be in memory
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            are_few = _has_few_passes(content)
    if not are_few:
        raise _NoImage("it is a JPEG of too many passes or parts (a decompression bomb?)")


def _has_few_passes(content: bytes | mmap.mmap) -> bool:
    """Of a JPEG, up to its end: cameras put films behind it, and other JPEGs into its segments."""
    passes = at = 0
    for _ in range(_MOST_PARTS):
        found = _MARKER.search(content, at)
        if found is None or found[0] == b"\xff\xd9":
            return True
        passes += found[0] == b"\xff\xda"
        if passes > _MOST_PASSES:
            return False
        at = found.end()
        if found[0] != b"\xff\xd8":  # the start; all others say how long they are
            at += int.from_bytes(content[at : at + 2], "big")
    return False


@contextmanager
def opened_head(path: Path) -> Iterator[Image.Image]:
    """An image file of which only the head is read. What Pillow raises for a broken one is not a
    closed list."""
    with _opened(path) as file, Image.open(file, formats=_formats(path)) as image:
        yield image


def shorter_side(path: Path) -> int | None:
    """The shorter side in pixels, read from the file's head; None if that cannot be read."""
    try:
        with opened_head(path) as image:
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


def _why(error: Exception, path: Path) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it claims more than {Image.MAX_IMAGE_PIXELS} pixels (a decompression bomb?)"
    if isinstance(error, UnidentifiedImageError) and (found := _what_it_is(path)):
        return found
    said = " ".join(str(error).split()) or type(error).__name__
    return _REASONS.get(type(error), said)


# How files begin that are often found under the name of an image.
_STARTS = {
    b"version https://git-lfs": "it is a pointer of Git LFS (`git lfs pull` brings the image)",
    b"<": "it is a web page or another text, as of a failed download",
    b"{": "it is a text (JSON), as of a failed download",
    b"%PDF": "it is a PDF",
    b"PK\x03\x04": "it is a zip archive",
}


def _what_it_is(path: Path) -> str | None:
    """What a file is that is no image in a known format, if that can be told."""
    with path.open("rb") as file:
        start = file.read(32)
    if start[4:8] == b"ftyp":
        return "it is a HEIC photograph or a film; save it as JPEG or PNG"
    return next((what for begin, what in _STARTS.items() if start.lstrip().startswith(begin)), None)


_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> Image.Image:
    """The loaded image the right way up; its other tags do not matter, whatever they are."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """What EXIF says of how an image is turned, 1 to 8; 5 to 8 are on their side. 0: nothing."""
    try:
        stated = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata; the pixels themselves are not touched by it
        stated = _scanned(image.info.get("exif", b""))
    return _first_number(stated)


def _first_number(value: object) -> int:
    """The first number of a tag's value, of whatever type it was written; 0 if there is none."""
    if isinstance(value, tuple | bytes):
        value = value[0] if value else 0
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return 0


def _scanned(exif: bytes) -> int:
    """The orientation in EXIF data of which other parts are damaged; 0 if it cannot be found."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = ">" if tiff[:2] == b"MM" else "<"
    try:
        (start,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _ = struct.unpack_from(f"{order}HHL", tiff, entry)
            if tag == _ORIENTATION:
                form = {1: "B", 3: "H", 4: "L"}[kind]
                return int(struct.unpack_from(f"{order}{form}", tiff, entry + 8)[0])
    except (struct.error, KeyError):
        pass
    return 0


def _to_rgb(image: Image.Image, hides_all: bool) -> Image.Image:
    """
    Args:
        hides_all: whether the format is one whose alpha is often left at 0, by programs that never
            meant to write any: such an image is opaque, and not all white.
    """
    if image.mode.startswith("I") or image.mode == "F":
        white = _white(image)
        return _by_bands(image, lambda band: Image.fromarray(_to_8_bit(np.asarray(band), white)))
    hidden = hides_all and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0)
    if image.has_transparency_data and not hidden:
        return _by_bands(image, _on_white)
    return image if image.mode == "RGB" else _by_bands(image, lambda band: band)


def _by_bands(image: Image.Image, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The image as RGB, made of changed bands: of a large one, no second copy in another mode."""
    if image.width * image.height <= _LARGE:
        return change(image).convert("RGB")
    made = Image.new("RGB", image.size)
    for top, band in _bands(image):
        made.paste(change(band).convert("RGB"), (0, top))
    return made


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))


def _white(image: Image.Image) -> float:
    """The value of a deep grey image that stands for white."""
    bands = (np.asarray(band) for _, band in _bands(image))
    found = [(band.dtype, float(_tidy(band).max())) for band in bands]
    return _depth(found[0][0], max(largest for _, largest in found))


def _tidy(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    return np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0.0)


def _to_8_bit(grey: npt.NDArray[np.generic], white: float) -> npt.NDArray[np.uint8]:
    """Deep grey values (H, W) as uint8; Pillow's own conversion would clip them at 255."""
    return (_tidy(grey) * (255.0 / white)).round().clip(max=255).astype(np.uint8)


def _depth(dtype: np.dtype[np.generic], largest: float) -> float:
    """The value that stands for white.

    Integers: 65535, since Pillow gives 16-bit files either as 16 or as 32-bit integers. Fractions
    do not say: 1 where none is above 2, so that what shines keeps the scale of the others; else
    255 or 65535, which holds the image. Beyond: the largest value.
    """
    if dtype.kind == "f" and largest <= _SHINING:
        return 1.0
    usual = (255.0, 65535.0) if dtype.kind == "f" else (65535.0,)
    return next((white for white in usual if largest <= white), largest)
