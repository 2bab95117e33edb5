"""Kernels for a GPU, in Triton; torch's own operators serve wherever they do not.

`depthwise` computes what `F.conv2d` with one group a channel does. Triton is optional: it comes
with torch for CUDA on Linux.
"""

from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from nextify.network.kernels import operators, tiles


@cache
def available() -> bool:
    """Whether kernels can run here: Triton is installed, and the GPU knows bfloat16."""
    return (
        find_spec("triton") is not None
        and torch.cuda.is_available()
        and torch.version.hip is None
        and torch.cuda.get_device_capability() >= (8, 0)
    )


def serves(x: Tensor, kernel: int, stride: int) -> bool:
    """Whether our depthwise convolution is the one to use: it can run, and wins on this shape."""
    known = x.dtype in (torch.float32, torch.bfloat16)
    return x.is_cuda and known and available() and tiles.wins(kernel, stride, *x.shape[2:])


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The depthwise convolution of stride 1, padded by half its kernel.

    Args:
        x: (N, C, H, W); in channels_last memory nothing is copied.
        weight: (C, 1, k, k), of its own type.

    Returns:
        (N, C, H, W) in channels_last memory, in the type of x.
    """
    taps = weight.flatten(1).t().contiguous()
    y: Tensor = operators.depthwise(x.permute(0, 2, 3, 1), taps, bias)
    return y.permute(0, 3, 1, 2)
