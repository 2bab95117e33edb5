"""The optimiser and its parameter groups."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nextify.designs import Recipe


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Parameters with weight decay, and without.

    With `decay_everything` all of them decay. Otherwise only the weights of convolutions and
    linear layers do: norms, biases and layer scale, which have one dimension, do not (timm and
    the official ConvNeXt code decide in the same way).
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.decay_everything:
        return [{"params": parameters, "weight_decay": recipe.weight_decay}]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser, in torch's fused form: one operator for all parameters."""
    groups = parameter_groups(network, recipe)
    rate = recipe.peak_learning_rate
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, fused=True)
    first, second = recipe.betas
    return torch.optim.AdamW(groups, lr=rate, betas=(first, second), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step, for all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradient(parameters: Iterable[Tensor], largest: float) -> None:
    """Scale all gradients so that their joint norm is at most `largest`; 0 leaves them."""
    if largest > 0:
        nn.utils.clip_grad_norm_(parameters, largest)
