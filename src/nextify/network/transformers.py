"""torchvision's modules of transformers in nextify's frame, with its generators and its speed.

The weights, their shapes and the outputs are torchvision's. Two things are done in another way:
ViT's attention is computed by torch's fused operator in training and in evaluation alike, without
the copies that `nn.MultiheadAttention` makes; and stochastic depth draws from a generator. ViT has
none in torchvision: here each of a block's two branches may be dropped, as in DeiT
(arXiv 2012.12877, table 9) and as torchvision's Swin does it.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformerBlock
from torchvision.models.vision_transformer import EncoderBlock

from nextify.blueprint import specs
from nextify.blueprint.transformers import SWIN_EPS
from nextify.errors import InputError
from nextify.network.modules import StochasticDepth

SwinNorm = partial(nn.LayerNorm, eps=SWIN_EPS)


class TokenEmbedding(nn.Module):
    """A class token before the tokens of a map, and a learned position added to each.

    Shape: (N, D, H, W) to (N, 1 + H W, D).
    """

    def __init__(self, channels: int, tokens: int) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.empty(1, 1, channels))
        self.positions = nn.Parameter(torch.empty(1, tokens, channels))

    def forward(self, x: Tensor) -> Tensor:
        patches = x.permute(0, 2, 3, 1).flatten(1, 2)
        if patches.shape[1] + 1 != self.positions.shape[1]:
            raise InputError(
                f"images of {patches.shape[1]} patches are given to a ViT that has positions for "
                f"{self.positions.shape[1] - 1}; it only sees images of the size it was built for"
            )
        return torch.cat([self.class_token.expand(len(x), -1, -1), patches], 1) + self.positions


class SelfAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` of tokens among themselves, by torch's fused operator.

    Shape: (N, L, D) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        joint = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = joint.view(*x.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        y: Tensor = self.out_proj(found)
        return y


class VitBlock(EncoderBlock):  # type: ignore[misc]
    """torchvision's encoder block, with stochastic depth on both branches: (N, L, D) to it."""

    def __init__(self, block: specs.EncoderBlock, drop: float) -> None:
        super().__init__(block.heads, block.channels, block.inner, 0.0, 0.0)
        self.self_attention = SelfAttention(block.channels, block.heads)
        self.drop = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.self_attention(self.ln_1(x)))
        y: Tensor = x + self.drop(self.mlp(self.ln_2(x)))
        return y


class WindowBlock(SwinTransformerBlock):  # type: ignore[misc]
    """torchvision's Swin block, whose stochastic depth draws from a generator.

    Shape: (N, H, W, C) to the same.
    """

    def __init__(self, block: specs.WindowBlock, drop: float) -> None:
        sides = [block.window] * 2, [block.shift] * 2
        super().__init__(block.channels, block.heads, *sides, block.ratio, norm_layer=SwinNorm)
        self.stochastic_depth = StochasticDepth(drop)


class FirstToken(nn.Module):
    """The class token: (N, L, D) to (N, D)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


class TokenMean(nn.Module):
    """The mean over a plane of tokens: (N, H, W, C) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))
