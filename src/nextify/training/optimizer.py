"""The optimiser and its parameter groups."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import ShiftedWindowAttention

from nextify.designs import Recipe
from nextify.network import Network
from nextify.network.transformers import TokenEmbedding

BLOCKS_IN_A_GROUP = 3


def layer_groups(network: Network) -> list[list[nn.Module]]:
    """The layers in the groups of layer-wise learning-rate decay, from the stem to the head.

    The stem; each stage in groups of three consecutive blocks, the first with the downsampling
    before it; the head with its norm. The official code names these groups for networks with 3, 3,
    27 and 3 blocks, 12 besides stem and head (arXiv 2201.03545, appendix A.2); the rule is the
    same for any depths here, where a last group of a stage may have fewer blocks.

    >>> from nextify import build, design
    >>> len(layer_groups(build(design("convnext-small"), device="meta")))
    14
    """
    groups: list[list[nn.Module]] = [[network.stem]]
    for stage in network.stages.children():
        downsample, of_blocks = stage.children()
        blocks = list(of_blocks.children())
        starts = range(0, len(blocks), BLOCKS_IN_A_GROUP)
        parts = [blocks[at : at + BLOCKS_IN_A_GROUP] for at in starts]
        groups += [[downsample, *parts[0]], *parts[1:]]
    return [*groups, [network.head]]


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Parameters with weight decay and without, for each group of layers with its `lr_scale`.

    With `decay_everything` all of them decay. Otherwise only the weights of convolutions and
    linear layers do: norms, biases and layer scale, which have one dimension, do not (timm and
    the official ConvNeXt code decide in the same way), nor do what says where a token is: class
    token, positions and the tables of relative ones (so Swin's official code and timm). Frozen
    parameters are in no group.
    """
    places = set(_places(network))
    found: list[dict[str, object]] = []
    for scale, modules in _scaled(network, recipe.layer_decay):
        parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        decays = {p: recipe.decay_everything or (p.ndim > 1 and p not in places)
                  for p in parameters}  # fmt: skip
        decaying, others = ([p for p in parameters if decays[p] is d] for d in (True, False))
        for members, decay in ((decaying, recipe.weight_decay), (others, 0.0)):
            if members:
                found.append({"params": members, "weight_decay": decay, "lr_scale": scale})
    return found


def _places(network: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters that say where a token is, and not what is done with it."""
    for module in network.modules():
        match module:
            case TokenEmbedding():
                yield from (module.class_token, module.positions)
            case ShiftedWindowAttention():
                yield module.relative_position_bias_table


def _scaled(network: nn.Module, layer_decay: float) -> list[tuple[float, list[nn.Module]]]:
    """Groups of layers, each with the factor on its learning rate."""
    if layer_decay == 1.0:
        return [(1.0, [network])]
    assert isinstance(network, Network)
    groups = layer_groups(network)
    return [(layer_decay ** (len(groups) - 1 - at), group) for at, group in enumerate(groups)]


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser, in torch's fused form: one operator for all parameters."""
    groups = parameter_groups(network, recipe)
    rate = recipe.peak_learning_rate
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, fused=True)
    first, second = recipe.betas
    return torch.optim.AdamW(groups, lr=rate, betas=(first, second), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next step, for all groups, each by its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def clip_gradient(parameters: Iterable[Tensor], largest: float) -> None:
    """Scale all gradients so that their joint norm is at most `largest`; 0 leaves them."""
    if largest > 0:
        nn.utils.clip_grad_norm_(parameters, largest)


def clip_copies(parameters: Iterable[Tensor], largest: float, copies: int) -> None:
    """`clip_gradient` of each copy in a stack by itself: of the parameters of a `Stack`, which hold
    the copies one after another along their first dimension."""
    if largest <= 0:
        return
    each = [p.grad.chunk(copies) for p in parameters if p.grad is not None]
    for gradients in zip(*each, strict=True):
        norm = nn.utils.get_total_norm(gradients)
        torch._foreach_mul_(list(gradients), (largest / (norm + 1e-6)).clamp(max=1.0))
