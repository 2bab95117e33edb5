"""Images without neighbourhoods: the pixels of all of them permuted in one fixed way.

A network that knows nothing of which pixels are neighbours, as a linear classifier, learns as much
from permuted images; what another loses by them is what its prior of locality was worth. Images are
permuted last, as the network sees them: crops, flips and mixing are those of the images as they
are, so that nothing but the places of the pixels is another.
"""

from functools import cache

import torch
from torch import Tensor


def permuted(images: Tensor, seed: int | None) -> Tensor:
    """Images (B, C, S, S) with their S x S pixels, each with all its channels, in another order,
    which the seed and the size S determine; None: as they are.

    >>> permuted(torch.arange(4.0).view(1, 1, 2, 2), 0).flatten().tolist()
    [0.0, 1.0, 3.0, 2.0]
    """
    if seed is None:
        return images
    size = images.shape[-1]
    pixels = images.permute(0, 2, 3, 1).flatten(1, 2)
    moved = pixels.index_select(1, _order_on(size, seed, images.device))
    return moved.view(len(images), size, size, -1).permute(0, 3, 1, 2)


@cache  # since a copy to a GPU waits for all that it has still to do
def _order_on(size: int, seed: int, device: torch.device) -> Tensor:
    with torch.device("cpu"), torch.inference_mode(False):
        return order(size, seed).to(device)


@cache
def order(size: int, seed: int) -> Tensor:
    """(S x S,) where each place's pixel is from, counted by rows."""
    return torch.randperm(size * size, generator=torch.Generator().manual_seed(seed))
