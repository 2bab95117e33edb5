"""Images as small pictures for a page."""

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from nextify.data.batches import batches
from nextify.data.dataset import ImageFiles, Images

_SIDE = 144  # pixels: at least half of it, of small images whole multiples of what they are


def pictures(images: Images | ImageFiles, which: Sequence[int], side: int = _SIDE) -> list[bytes]:
    """Some images as they are stored for evaluation, each a JPEG of about `side` pixels a side.

    Args:
        which: their indices, in any order.
    """
    order = sorted(which)
    if not order:
        return []
    dealt = batches(images.take(torch.tensor(order)), 1, generator=None, device="cpu")
    found = {
        at: picture(pixels[0], side=side) for at, (pixels, _) in zip(order, dealt, strict=True)
    }
    return [found[at] for at in which]


def picture(*pixels: Tensor, side: int = _SIDE) -> bytes:
    """Images (C, S, S) uint8 in a row, as a JPEG of about `side` pixels high."""
    row = torch.cat([one.expand(3, -1, -1) for one in pixels], 2).permute(1, 2, 0)
    image = Image.fromarray(row.contiguous().numpy())
    if image.height > side:
        image = image.resize((side * image.width // image.height, side))
    elif (times := side // image.height) > 1:
        size = times * image.width, times * image.height
        image = image.resize(size, Image.Resampling.NEAREST)
    file = BytesIO()
    image.save(file, "JPEG", quality=85, subsampling=0)
    return file.getvalue()
