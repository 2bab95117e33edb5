"""On which images networks are probed: a fixed part of the test images."""

from dataclasses import replace

import torch
from torch import Tensor

from nextify.data import Dataset, batches, permuted
from nextify.data.augment import evaluation_view

IMAGES = 500  # of at most 64 pixels a side, unless more or fewer are asked for
_SIDE, _LEAST = 64, 32
SEED = 0  # of the draw of images, and of all draws of probes, in every run of a study


def usual_count(side: int) -> int:
    """How many images of a side in pixels are probed unless it is said: of large ones fewer, since
    what they take of time and memory grows with their pixels.

    >>> usual_count(32), usual_count(96), usual_count(224), usual_count(1024)
    (500, 222, 40, 32)
    """
    return min(IMAGES, max(_LEAST, IMAGES * _SIDE**2 // side**2))


def drawn_to_probe(dataset: Dataset, count: int | None = None, seed: int = SEED) -> Dataset:
    """The data set with so many of its test images (None: as usual): all, if there are no more.

    The draw depends on their number and the seed alone: networks are seen on the same images.
    """
    count = count or usual_count(dataset.test_size)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(dataset.test), generator=generator)[:count].sort().values
    return replace(dataset, test=dataset.test.take(chosen))


def as_seen_to_probe(dataset: Dataset, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """All test images as the network sees them, and their classes.

    >>> from nextify.data import load
    >>> images, labels = as_seen_to_probe(drawn_to_probe(load("embedded"), 7))
    >>> tuple(images.shape), tuple(labels.shape)
    ((7, 3, 28, 28), (7,))

    Returns:
        (N, 3, S, S) float32, normalised; (N,) int64.
    """
    test = dataset.test
    ((pixels, labels),) = batches(test, len(test), generator=None, device=device)
    view = evaluation_view(pixels, dataset.test_size, dataset.mean, dataset.std)
    return permuted(view, dataset.origin.permuted), labels
