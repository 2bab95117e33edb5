"""A network as its training sees it, without the training's chance.

In evaluation an untrained network with batch norm is one without any norm: its running statistics
are still 0 and 1. So what is asked of a network at initialisation is asked of a copy whose batch
norms use the batch's own statistics, and which drops nothing at random.
"""

import copy

import torch
from torch import Tensor, nn

from nextify.probes.probe import Subject

_BATCH, _LEAST = 64, 16  # images, that share their statistics
_PIXELS = 1 << 20  # 64 images of 128 pixels; of larger ones fewer, for their cost


def batch(images: Tensor) -> int:
    """How many images make a batch.

    >>> batch(torch.empty(500, 3, 32, 32)), batch(torch.empty(40, 3, 224, 224))
    (64, 20)
    """
    return min(_BATCH, max(_LEAST, _PIXELS // images[0, 0].numel()))


def has_batch_norms(network: nn.Module) -> bool:
    """Whether there is anything that `as_in_training` changes."""
    return any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in network.modules())


def as_in_training(network: nn.Module) -> nn.Module:
    """A copy that evaluates, but for its batch norms, which normalise by the batch."""
    twin = copy.deepcopy(network).eval()
    for module in twin.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train()
    return twin


def shuffled(subject: Subject, count: int) -> Tensor:
    """The numbers of at most so many of the images, in an order of chance: folders hold theirs
    class by class, and the statistics of a batch of one class are no batch's of a training."""
    return torch.randperm(len(subject.images), generator=subject.generator)[:count]
