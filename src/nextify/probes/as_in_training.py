"""A network as its training sees it, without the training's chance.

In evaluation an untrained network with batch norm is one without any norm: its running statistics
are still 0 and 1. So what is asked of a network at initialisation is asked of a copy whose batch
norms use the batch's own statistics, and which drops nothing at random.
"""

import copy

import torch
from torch import Tensor, nn

from nextify.probes.probe import Subject

BATCH = 64  # images, that share their statistics


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
