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


def narrow(x: Tensor) -> bool:
    """Whether a GPU computes with x in bfloat16: by its type, or by autocast."""
    if not x.is_cuda:
        return False
    if torch.is_autocast_enabled("cuda"):
        return torch.get_autocast_dtype("cuda") == torch.bfloat16
    return x.dtype == torch.bfloat16


def fuses(x: Tensor) -> bool:
    """Whether the kernels that join pointwise operators serve: in bfloat16, where torch would go
    through memory in float32. `torch.compile` joins these operators by itself, and more of them."""
    return narrow(x) and available() and not torch.compiler.is_compiling()


def fuses_norm(x: Tensor, kernel: int, stride: int) -> bool:
    """Whether `depthwise_norm` serves a block: it keeps nothing for a gradient."""
    few = x.shape[1] <= tiles.FUSED_CHANNELS
    return not torch.is_grad_enabled() and few and serves(cast(x), kernel, stride)


def cast(x: Tensor) -> Tensor:
    """In the type that autocast prescribes for a convolution."""
    if not torch.is_autocast_enabled("cuda"):
        return x
    return x.to(torch.get_autocast_dtype("cuda"))


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


def depthwise_norm(
    x: Tensor, weight: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor, eps: float
) -> Tensor:
    """`depthwise`, and layer normalisation over the channels: (N, C, H, W) to the same."""
    taps = weight.flatten(1).t().contiguous()
    last = cast(x).permute(0, 2, 3, 1)
    y: Tensor = operators.depthwise_norm(last, taps, bias, scale, shift, eps)
    return y.permute(0, 3, 1, 2)


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float) -> Tensor:
    """Layer normalisation over the channels, in the type of x: (N, C, H, W) to the same."""
    y: Tensor = operators.layer_norm(x.permute(0, 2, 3, 1), scale, shift, eps)
    return y.permute(0, 3, 1, 2)


def add_scaled(x: Tensor, branch: Tensor, scale: Tensor, factors: Tensor | None) -> Tensor:
    """x + branch * scale * factors: (N, C, H, W), scale (C,), factors (N, 1, 1, 1).

    The sum has the wider type of x and the scale: a layer scale of 1e-6 would be lost in bfloat16.
    """
    keep = None if factors is None else factors.flatten()
    wide = torch.promote_types(x.dtype, scale.dtype)
    first, second = (t.permute(0, 2, 3, 1) for t in (x.to(wide), branch))
    y: Tensor = operators.add_scaled(first, second, scale, keep)
    return y.permute(0, 3, 1, 2)
