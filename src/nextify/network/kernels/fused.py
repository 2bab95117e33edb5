"""ConvNeXt's block as one function: what its parts hand each other is in the type that the next one
reads, so that nothing is cast on its own, and sums for biases are taken where their terms are made.

    x + factors * gain * (W2 gelu(W1 norm(depthwise(x)) + b1) + b2)

The stream x and its gradient keep their type, float32 in mixed precision; in between all is in the
type of the products. Matrices are (N H W, C).
"""

from math import isqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nextify.network.kernels import launch, tiles
from nextify.network.kernels.operators import depthwise_weight_gradient


class Parameters(NamedTuple):
    """Of a block, with the shapes that its modules have: of the depthwise convolution, the norm,
    the two 1 x 1 convolutions and the layer scale."""

    weight: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor
    expand: Tensor
    expand_bias: Tensor
    contract: Tensor
    contract_bias: Tensor
    gain: Tensor


class Kept(NamedTuple):
    """What the backward pass reads. Maps are (N, H, W, C), weights as they were used."""

    x: Tensor
    taps: Tensor
    mixed: Tensor
    scale: Tensor
    normal: Tensor
    expand: Tensor
    hidden: Tensor
    active: Tensor
    contract: Tensor
    branch: Tensor
    gain: Tensor
    factors: Tensor | None


def run(
    x: Tensor, p: Parameters, eps: float, factors: Tensor | None, dtype: torch.dtype, trained: bool
) -> tuple[Tensor, Kept]:
    """The block of a map (N, H, W, C), computed as `dtype`; if it is `trained` with x as `dtype`
    kept, which the first kernel writes by the way."""
    channels = x.shape[-1]
    taps = p.weight.flatten(1).t().contiguous()
    copy = torch.empty_like(x, dtype=dtype) if trained and x.dtype != dtype else None
    tile = tiles.convolve_tile(isqrt(len(taps)), *x.shape[1:])
    mixed = launch.convolve(x, taps, p.bias, False, tile, copy=copy, dtype=dtype)
    tile = tiles.norm_tile(channels)
    normal = launch.normalise(mixed, p.scale, p.shift, eps, 1, dtype, tile)
    expand, contract = p.expand.flatten(1).to(dtype), p.contract.flatten(1).to(dtype)
    hidden = F.linear(normal.flatten(0, 2), expand, p.expand_bias.to(dtype))
    active = launch.gelu(hidden)
    branch = F.linear(active, contract, p.contract_bias.to(dtype)).view_as(x)
    y = launch.add_scaled(x, branch, p.gain, factors, tiles.scale_tile(channels))
    given = x if copy is None else copy
    kept = Kept(given, taps, mixed, p.scale, normal, expand, hidden, active, contract,
                branch, p.gain, factors)  # fmt: skip
    return y, kept


class Block(torch.autograd.Function):
    """`run` with gradients: (N, H, W, C) to the same."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, eps: float, factors: Tensor | None, dtype: torch.dtype, *p: Tensor
    ) -> Tensor:
        y, kept = run(x, Parameters(*p), eps, factors, dtype, True)
        ctx.save_for_backward(*kept)
        ctx.eps, ctx.stream = eps, x.dtype
        ctx.like = [(one.shape, one.dtype) for one in p]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        kept = Kept(*ctx.saved_tensors)
        needed = Parameters(*ctx.needs_input_grad[4:])
        above = grad.contiguous()
        of_mixed, found = _to_mixed(kept, above, ctx.eps, needed)
        side, of_x = isqrt(len(kept.taps)), None
        if needed.weight or needed.bias:
            both = depthwise_weight_gradient(kept.x, of_mixed, side)
            found |= {"weight": both[:-1].t(), "bias": both[-1]}
        if ctx.needs_input_grad[0]:
            tile = tiles.convolve_tile(side, *of_mixed.shape[1:])
            of_x = launch.convolve(
                of_mixed, kept.taps, None, True, tile, rest=above, dtype=ctx.stream
            )
        gradients = [
            found[name].reshape(shape).to(dtype) if wanted else None
            for name, (shape, dtype), wanted in zip(
                Parameters._fields, ctx.like, needed, strict=True
            )
        ]
        return of_x, None, None, None, *gradients


def _to_mixed(
    kept: Kept, grad: Tensor, eps: float, needed: Parameters
) -> tuple[Tensor, dict[str, Tensor]]:
    """Back to the output of the depthwise convolution: the gradient there, and those of the
    parameters on the way, as matrices."""
    found = {}
    tile = tiles.scale_tile(grad.shape[-1])
    of_map, sums = launch.add_scaled_backward(kept.branch, kept.gain, kept.factors, grad, tile)
    found["gain"], found["contract_bias"] = sums
    of_branch = of_map.flatten(0, 2)
    if needed.contract:
        found["contract"] = of_branch.t() @ kept.active
    of_hidden = of_branch @ kept.contract
    tile = tiles.scale_tile(of_hidden.shape[-1])
    found["expand_bias"] = launch.gelu_backward(kept.hidden, of_hidden, tile)
    if needed.expand:
        found["expand"] = of_hidden.t() @ kept.normal.flatten(0, 2)
    of_normal = (of_hidden @ kept.expand).view_as(kept.mixed)
    tile = tiles.norm_tile(grad.shape[-1])
    of_mixed, of_affine = launch.normalise_backward(kept.mixed, kept.scale, of_normal, eps, 1, tile)
    found["scale"], found["shift"] = of_affine
    return of_mixed, found
