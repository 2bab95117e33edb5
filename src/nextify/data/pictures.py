"""Images as small pictures for a page."""

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image

from nextify.data.batches import batches
from nextify.data.dataset import ImageFiles, Images

_SIDE = 144  # pixels: at least half of it, of small images whole multiples of what they are


def pictures(images: Images | ImageFiles, which: Sequence[int]) -> list[bytes]:
    """Some images as they are stored for evaluation, each a JPEG of about 144 pixels a side.

    Args:
        which: their indices, in any order.
    """
    order = sorted(which)
    if not order:
        return []
    chosen = images.take(torch.tensor(order))
    found = {}
    for at, (pixels, _) in zip(
        order, batches(chosen, 1, generator=None, device="cpu"), strict=True
    ):
        found[at] = _jpeg(pixels[0])
    return [found[at] for at in which]


def _jpeg(pixels: torch.Tensor) -> bytes:
    """Of (C, S, S) uint8."""
    image = Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())
    if image.width > _SIDE:
        image.thumbnail((_SIDE, _SIDE))
    elif (times := _SIDE // image.width) > 1:
        side = times * image.width
        image = image.resize((side, side), Image.Resampling.NEAREST)
    file = BytesIO()
    image.save(file, "JPEG", quality=85, subsampling=0)
    return file.getvalue()
