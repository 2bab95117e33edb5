"""Unequal classes made equal in training: by weights in the loss, or by how often images are seen.

Labels are those of the training images, (N,) whole numbers from 0.
"""

import torch
from torch import Tensor


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Each class's weight in the loss, (classes,) float32: images / (classes * its images), over
    the classes that have some; 0 for the others. Its mean over the images is 1.

    >>> class_weights(torch.tensor([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    counts = labels.bincount(minlength=classes).double()
    known = counts > 0
    weights = len(labels) / (known.sum() * counts.clamp(min=1))
    return (weights * known).float()


def balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """An order of as many images as there are, with as many of each class but for one: (N,) int64
    indices, on the CPU.

    Of a class each image comes as often as any other, but for one time; which of them come once
    more, and which classes have one more, is drawn anew each time.

    >>> order = balanced(torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]), torch.Generator())
    >>> sorted(order[order > 5].tolist()), len(order)
    ([6, 6, 7, 7], 8)
    """
    counts = labels.cpu().bincount()
    own = torch.split(labels.cpu().argsort(stable=True), counts[counts > 0].tolist())
    share, rest = divmod(len(labels), len(own))
    more = torch.randperm(len(own), generator=generator) < rest
    parts = [_dealt(of, share + int(one), generator) for of, one in zip(own, more, strict=True)]
    together = torch.cat(parts)
    return together[torch.randperm(len(together), generator=generator)]


def _dealt(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """So many of some images, shuffled, round after round."""
    rounds = -(-count // len(images))
    orders = [torch.randperm(len(images), generator=generator) for _ in range(rounds)]
    return images[torch.cat(orders)[:count]] if orders else images[:0]
