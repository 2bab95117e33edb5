"""Kernels for a GPU, in Triton; torch's own operators serve wherever they do not.

`depthwise` computes what `F.conv2d` with one group a channel does. Triton is optional: it comes
with torch for CUDA on Linux.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from nextify.network.kernels import operators, tiles

_LEFT_OUT: ContextVar[bool] = ContextVar("kernels are left out", default=False)


@contextmanager
def left_out() -> Iterator[None]:
    """Inside, torch's own operators serve, whose gradients have gradients."""
    token = _LEFT_OUT.set(True)
    try:
        yield
    finally:
        _LEFT_OUT.reset(token)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def available(card: int | None = None) -> bool:
    """Whether kernels can run on this card (None: the current one): Triton is installed, and the
    card knows bfloat16."""
    is_there = _triton_is_there()
    return is_there and _capability(torch.cuda.current_device() if card is None else card) >= (8, 0)


@cache
def _triton_is_there() -> bool:
    is_installed = find_spec("triton") is not None
    return is_installed and torch.cuda.is_available() and torch.version.hip is None


@cache
def _capability(card: int) -> tuple[int, int]:
    return torch.cuda.get_device_capability(card)


def precision(x: Tensor) -> torch.dtype:
    """The type in which a GPU convolves x: its own, or what autocast prescribes."""
    return torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else x.dtype


def narrow(x: Tensor) -> bool:
    """Whether a GPU computes with x in bfloat16."""
    return x.is_cuda and precision(x) == torch.bfloat16


def has_kernels(x: Tensor) -> bool:
    """Whether x is where kernels run."""
    return x.is_cuda and available(x.device.index)


def can_run(x: Tensor) -> bool:
    """Whether the kernels can compute with x: on a GPU, in float32 or bfloat16, and not in torch's
    forward mode, which would take what they compute for a constant."""
    known = (torch.float32, torch.bfloat16)
    if not (has_kernels(x) and x.dtype in known and precision(x) in known):
        return False
    return torch.compiler.is_compiling() or not (_LEFT_OUT.get() or _has_tangent(x))


def _has_tangent(x: Tensor) -> bool:
    return unpack_dual(x).tangent is not None  # type: ignore[no-untyped-call]


def serves(x: Tensor, kernel: int, stride: int) -> bool:
    """Whether our depthwise convolution is the one to use: it can run, and wins on this shape."""
    return can_run(x) and tiles.wins(kernel, stride, *x.shape[2:])


def fuses(x: Tensor) -> bool:
    """Whether the kernels of pointwise operators and norms serve: torch would go through memory
    once for each of them. `torch.compile` joins them by itself, and more of them."""
    return can_run(x) and not torch.compiler.is_compiling()


def serves_block(x: Tensor, kernel: int) -> bool:
    """Whether a block with a depthwise convolution of stride 1 is to be one function: in float32
    its products would have another precision than the 1 x 1 convolutions that they replace."""
    return narrow(x) and fuses(x) and serves(x, kernel, 1)


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


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float, copies: int = 1) -> Tensor:
    """Layer normalisation over the channels of each of so many copies: (N, copies C, H, W) to the
    same, scale and shift (copies C,); in the type in which what follows computes."""
    last = x.permute(0, 2, 3, 1)
    y: Tensor = operators.layer_norm(last, scale, shift, eps, copies, precision(x))
    return y.permute(0, 3, 1, 2)


def add_scaled(x: Tensor, branch: Tensor, scale: Tensor, factors: Tensor | None) -> Tensor:
    """x + branch * scale * factors: (N, C, H, W), scale (C,), factors (N, 1, 1, 1), or
    (N, S): of an image and each S-th of the channels.

    The sum has the wider type of x and the scale: a layer scale of 1e-6 would be lost in bfloat16.
    """
    keep = None if factors is None else factors.flatten()
    wide = torch.promote_types(x.dtype, scale.dtype)
    first, second = (t.permute(0, 2, 3, 1) for t in (x.to(wide), branch))
    y: Tensor = operators.add_scaled(first, second, scale, keep)
    return y.permute(0, 3, 1, 2)


def block(x: Tensor, parameters: Sequence[Tensor], eps: float, factors: Tensor | None) -> Tensor:
    """ConvNeXt's block, with the parameters of the depthwise convolution, the norm, the two 1 x 1
    convolutions and the layer scale; factors (N, 1, 1, 1) are what an image's branch is
    multiplied by: (N, C, H, W) to the same, in the type that `add_scaled` has."""
    from nextify.network.kernels.fused import Block, Parameters, run

    last, dtype = x.permute(0, 2, 3, 1).contiguous(), precision(x)
    keep = None if factors is None else factors.flatten()
    if torch.is_grad_enabled():
        y: Tensor = Block.apply(last, eps, keep, dtype, *parameters)
    else:
        y, _ = run(last, Parameters(*parameters), eps, keep, dtype, False)
    return y.permute(0, 3, 1, 2)
