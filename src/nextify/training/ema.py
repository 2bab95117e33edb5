"""Averages of a network's weights: over steps, and over the last epochs."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class WeightAverage:
    """A second network whose state is the exponential moving average of the first one's.

    After n updates every floating-point entry of the state (batch-norm statistics too, as in timm
    and in the official ConvNeXt code) is  d^n start + (1 - d) sum over i of d^(n - i) w_i.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(network.weight, 1.0)
    >>> average = WeightAverage(network, decay=0.9)
    >>> _ = nn.init.constant_(network.weight, 2.0)
    >>> average.update(network)
    >>> average.network.weight.item()  # 0.9 * 1 + 0.1 * 2
    1.100000023841858
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's present weights."""
        mine, theirs = list(_state(self.network)), list(_state(network))
        floats = [at for at, entry in enumerate(mine) if entry.is_floating_point()]
        torch._foreach_lerp_(
            [mine[at] for at in floats], [theirs[at] for at in floats], 1.0 - self.decay
        )
        for own, other in zip(mine, theirs, strict=True):
            if not own.is_floating_point():
                own.copy_(other)


class EpochAverage:
    """A second network whose weights are the mean of the first one's after each of the last epochs
    (stochastic weight averaging, arXiv 1803.05407); before these, its last weights.

    Entries that are no parameters, as batch-norm statistics, are the last ones: those of the mean
    weights have to be measured (`measure_norms`).

    >>> network = nn.Linear(1, 1, bias=False)
    >>> average = EpochAverage(network, first=3)
    >>> for epoch in (1, 2, 3, 4):
    ...     _ = nn.init.constant_(network.weight, float(epoch))
    ...     average.take(network, epoch)
    >>> average.network.weight.item()  # (3 + 4) / 2
    3.5

    Args:
        first: the number of the first of these epochs.
    """

    def __init__(self, network: nn.Module, first: int) -> None:
        self.first = first
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def take(self, network: nn.Module, epoch: int) -> None:
        """Take in the weights after an epoch."""
        share = 1 / max(1, epoch - self.first + 1)
        for own, other in zip(self.network.parameters(), network.parameters(), strict=True):
            own.lerp_(other, share)
        for kept, now in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(now)


@torch.no_grad()
def measure_norms(network: nn.Module, trained: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure a network's batch-norm statistics anew, as the mean of those of some batches (N, C,
    H, W), in evaluation mode but for these norms; of those only that are trained in `trained`, the
    network of which these weights are the mean: frozen ones keep theirs."""
    pairs = zip(network.modules(), trained.modules(), strict=True)
    norms = [own for own, other in pairs if isinstance(own, nn.BatchNorm2d) and other.training]
    if not norms:
        return
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    for count, images in enumerate(batches, 1):
        for norm in norms:  # None, torch's word for this mean, has a GPU asked for every count
            norm.momentum = 1.0 / count
        network(images)
    network.eval()
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def _state(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def effective_decay(decay: float, steps: int) -> float:
    """The decay for a run of so many steps: an average over at most its last tenth.

    The paper's 0.9999 averages over 10,000 steps of its 93,600, about a tenth; a run shorter than
    that would otherwise be judged by its initial weights.

    >>> effective_decay(0.9999, 93_600) > 0.9998, effective_decay(0.9999, 1000)
    (True, 0.99)
    """
    return min(decay, max(0.0, 1.0 - 10.0 / steps))
