"""What an image file says of itself before its pixels: size, format, colours, camera, compression.

A network sees none of it, but much of it leaves traces in the pixels: what one source of images has
in common, and one class comes from.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from nextify.data.cache import Reading, read_once
from nextify.data.contents import Contents
from nextify.data.decoding import opened_head, orientation

_FORM = struct.Struct("<II8s8s8s8s")
_MAKE, _MODEL = 0x010F, 0x0110
_ON_SIDE = (5, 6, 7, 8)


class Head(NamedTuple):
    """The head of an image file.

    width, height: pixels, the right way up; 0: it cannot be read. format, mode: as Pillow names
    them. camera: of maker and model in EXIF, what tells them from others; empty without EXIF.
    tables: the same of a JPEG's quantisation, which its quality decides.
    """

    width: int
    height: int
    format: str
    mode: str
    camera: bytes
    tables: bytes


UNKNOWN = Head(0, 0, "", "", b"", b"")


def heads_of(contents: Contents) -> Sequence[Head]:
    """The head of each file; what was read is kept as decoded images are."""
    found = read_once(contents, Reading("heads", "reading", (_FORM.size,), _read))
    heads = [UNKNOWN] * len(contents.listing)
    for at, row in zip(found.kept.tolist(), found.rows.numpy(), strict=True):
        width, height, *texts = _FORM.unpack(row.tobytes())
        form, mode, camera, tables = (text.rstrip(b"\0") for text in texts)
        heads[at] = Head(width, height, form.decode(), mode.decode(), camera, tables)
    return heads


def _read(path: Path, digest: bytes) -> Tensor:
    head = UNKNOWN
    with suppress(Exception), opened_head(path) as image:  # who decodes it says what is wrong
        head = _head(image)
    texts = head.format.encode()[:8], head.mode.encode()[:8], head.camera, head.tables
    packed = _FORM.pack(head.width, head.height, *texts)
    return torch.from_numpy(np.frombuffer(packed, np.uint8).copy())


def _head(image: Image.Image) -> Head:
    camera, (width, height) = b"", image.size
    if "exif" in image.info:  # asked for what is not there, Pillow decodes a whole PNG
        if orientation(image) in _ON_SIDE:
            width, height = height, width
        with suppress(Exception):
            exif = image.getexif()
            camera = _code(f"{exif.get(_MAKE)} {exif.get(_MODEL)}")
    tables = b""
    if isinstance(image, JpegImageFile):
        tables = _code(repr(image.quantization))
    return Head(width, height, image.format or "", image.mode, camera, tables)


def _code(text: str) -> bytes:
    """Eight letters that tell a text from others."""
    return blake2b(text.encode(errors="replace"), digest_size=4).hexdigest().encode()
