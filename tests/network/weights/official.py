"""ConvNeXt as the official code has it, written anew from its module names and its equations.

facebookresearch/ConvNeXt (models/convnext.py, models/convnext_isotropic.py) and ConvNeXt-V2
(models/convnextv2.py): what loads their published checkpoints has exactly these entries.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelsFirstNorm(nn.Module):
    """The official `LayerNorm(data_format="channels_first")`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class GRN(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:  # (N, H, W, C)
        size = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        relative = size / (size.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * relative) + self.beta + x


class Block(nn.Module):
    def __init__(self, channels: int, has_scale: bool, is_v2: bool) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = GRN(4 * channels) if is_v2 else nn.Identity()
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels)) if has_scale else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.pwconv2(self.grn(F.gelu(self.pwconv1(y))))
        if self.gamma is not None:
            y = self.gamma * y
        return x + y.permute(0, 3, 1, 2)


class OfficialConvNeXt(nn.Module):
    """V1, or V2 with GRN in place of layer scale."""

    def __init__(
        self, depths: tuple[int, ...], dims: tuple[int, ...], classes: int, is_v2: bool
    ) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), ChannelsFirstNorm(dims[0]))
        between = [
            nn.Sequential(ChannelsFirstNorm(a), nn.Conv2d(a, b, 2, 2)) for a, b in pairwise(dims)
        ]
        self.downsample_layers = nn.ModuleList([stem, *between])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width, not is_v2, is_v2) for _ in range(depth)))
            for depth, width in zip(depths, dims, strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        self.head = nn.Linear(dims[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return self.head(self.norm(x.mean([-2, -1])))


class OfficialIsotropic(nn.Module):
    def __init__(self, depth: int, dim: int, classes: int, has_scale: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, dim, 16, 16)
        self.blocks = nn.Sequential(*(Block(dim, has_scale, False) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.stem(x)).mean([-2, -1])))
