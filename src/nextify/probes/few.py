"""A few of the images, for what is the same after a few."""

import torch
from torch import Tensor

from nextify.probes.probe import Subject


def few(subject: Subject, pixels: int, least: int = 8) -> Tensor:
    """So many images, drawn from all, that they have about so many pixels together, so that it
    costs about the same at every size; at least `least` of them, as far as there are.

    >>> images = torch.rand(100, 3, 16, 16)
    >>> few(Subject(torch.nn.Identity(), images), 16 * 16 * 20).shape[0]
    20
    """
    images = subject.images
    count = max(least, pixels // (images.shape[2] * images.shape[3]))
    drawn = torch.randperm(len(images), generator=subject.generator)[:count]
    return images[drawn.to(images.device)]
