"""Fashion-MNIST as its makers publish it: four gzipped files in the IDX format.

Xiao, Rasul and Vollgraf, "Fashion-MNIST" (2017). Debian's package `dataset-fashion-mnist` installs
these files in `DEBIAN_FOLDER`.
"""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nextify.data.dataset import Images

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def read_side(folder: Path, side: str) -> Images:
    """All images of a side, 'train' or 't10k', in their order: (N, 1, 28, 28).

    Raises `OSError` or `ValueError` for a missing or damaged file.
    """
    pixels = read_idx(folder / f"{side}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{side}-labels-idx1-ubyte.gz")
    return Images(pixels.unsqueeze(1), labels.to(torch.int64))


def read_idx(path: Path) -> Tensor:
    """A gzipped IDX file of bytes as a uint8 tensor of the shape that it states.

    The format: two zero bytes, 8 for "unsigned byte", the number of dimensions, each dimension as
    a big-endian 32-bit integer, the values.
    """
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{str(path)!r} is not an IDX file of bytes")
    head = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:head], dtype=">u4").astype(int)
    values = np.frombuffer(content, dtype=np.uint8, offset=head)
    return torch.from_numpy(values.reshape(tuple(shape)).copy())
