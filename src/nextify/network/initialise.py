"""All initialisation, in one function."""

from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import ShiftedWindowAttention

from nextify.network.modules import Classifier, ResponseNorm2d, Scale
from nextify.network.transformers import TokenEmbedding

WeightInit = Literal["he_normal", "trunc_normal"]


def initialise(
    network: nn.Module, scheme: WeightInit, generator: torch.Generator, head_scale: float = 1.0
) -> None:
    """Draw every weight of a network anew, in the order of its modules.

    - he_normal: convolutions normal with variance 2 / fan out (arXiv 1502.01852; the fan of one
      group, so that it holds for depthwise ones), linear layers normal with variance 1 / fan in.
    - trunc_normal: convolutions and linear layers normal with sd 0.02 (ConvNeXt's code).

    Biases are 0, norms (also the response norm) start as the identity, layer scale at its initial
    value. By either scheme a class token starts at 0, and positions, also the relative ones of
    windows, normal with sd 0.02 (torchvision's ViT and Swin; those of windows truncated).

    Args:
        generator: on the CPU; the only source of randomness.
        head_scale: factor on the weights of the classifier.
    """
    for module in network.modules():
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            nn.init.zeros_(bias)
        match module:
            case nn.Conv2d():
                fan_out = module.weight[0, 0].numel() * module.out_channels / module.groups
                _draw(module.weight, scheme, (2.0 / fan_out) ** 0.5, generator)
            case nn.Linear():
                _draw(module.weight, scheme, module.in_features**-0.5, generator)
                if isinstance(module, Classifier):
                    module.weight.data.mul_(head_scale)
            case nn.MultiheadAttention():
                _draw(module.in_proj_weight, scheme, module.embed_dim**-0.5, generator)
                nn.init.zeros_(module.in_proj_bias)
            case ShiftedWindowAttention():
                table = module.relative_position_bias_table
                nn.init.trunc_normal_(table, 0.0, 0.02, generator=generator)
                module.define_relative_position_index()  # numbers, which the meta device has not
            case TokenEmbedding():
                nn.init.zeros_(module.class_token)
                nn.init.normal_(module.positions, 0.0, 0.02, generator=generator)
            case nn.BatchNorm2d() | nn.LayerNorm():
                module.reset_parameters()
            case ResponseNorm2d():
                nn.init.zeros_(module.weight)
            case Scale():
                nn.init.constant_(module.weight, module.initial)


def _draw(weight: Tensor, scheme: WeightInit, he_sd: float, generator: torch.Generator) -> None:
    if scheme == "he_normal":
        nn.init.normal_(weight, 0.0, he_sd, generator=generator)
    else:
        nn.init.trunc_normal_(weight, 0.0, 0.02, generator=generator)
