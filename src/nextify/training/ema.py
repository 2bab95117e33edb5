"""The exponential moving average of a network's weights."""

import copy

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
