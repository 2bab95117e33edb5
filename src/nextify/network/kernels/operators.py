"""The kernels as torch operators, which autograd, `torch.compile` and CUDA graphs know.

Maps are (N, H, W, C); weights are (k*k, C). Sums are in float32, outputs in the type of the map,
gradients of weights in the weights' type. Triton is imported when an operator first runs.
"""

from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from nextify.network.kernels import tiles


def _launch() -> Any:
    from nextify.network.kernels import launch

    return launch


@custom_op("nextify::depthwise", mutates_args=())
def depthwise(x: Tensor, taps: Tensor, bias: Tensor | None) -> Tensor:
    """The depthwise convolution, padded by half its kernel, stride 1."""
    tile = tiles.convolve_tile(isqrt(taps.shape[0]), *x.shape[1:])
    result: Tensor = _launch().convolve(x.contiguous(), taps.contiguous(), bias, False, tile)
    return result


@custom_op("nextify::depthwise_input_gradient", mutates_args=())
def depthwise_input_gradient(grad: Tensor, taps: Tensor) -> Tensor:
    """The gradient of its input."""
    tile = tiles.convolve_tile(isqrt(taps.shape[0]), *grad.shape[1:])
    result: Tensor = _launch().convolve(grad.contiguous(), taps.contiguous(), None, True, tile)
    return result


@custom_op("nextify::depthwise_weight_gradient", mutates_args=())
def depthwise_weight_gradient(x: Tensor, grad: Tensor, side: int) -> Tensor:
    """The gradients of its taps, and of its bias as one more: (k*k + 1, C), in float32."""
    x, grad = x.contiguous(), grad.contiguous()
    if x.dtype == torch.bfloat16 and x.is_cuda and not tiles.wins_weight(side, *x.shape):
        return _weight_gradient_of_torch(x, grad, side)
    tile = tiles.correlate_tile(side, *x.shape[1:])
    result: Tensor = _launch().correlate(x, grad, side, tile)
    return result


def _weight_gradient_of_torch(x: Tensor, grad: Tensor, side: int) -> Tensor:
    channels = x.shape[-1]
    how = [1] * 2, [side // 2] * 2, [1, 1], False, [0, 0], channels
    maps = (t.permute(0, 3, 1, 2) for t in (grad, x))
    weight = x.new_empty(channels, 1, side, side)
    mask = [False, True, False]
    taps = torch.ops.aten.convolution_backward(*maps, weight, None, *how, mask)[1]
    whole = grad.sum((0, 1, 2), dtype=torch.float32)
    return torch.cat([taps.flatten(1).t().float(), whole[None]])


@custom_op("nextify::layer_norm", mutates_args=())
def layer_norm(
    x: Tensor, scale: Tensor, shift: Tensor, eps: float, copies: int, dtype: torch.dtype
) -> Tensor:
    """Layer normalisation over the last axis, of each of so many equal parts of it, as `dtype`."""
    tile = tiles.norm_tile(x.shape[-1] // copies)
    result: Tensor = _launch().normalise(x.contiguous(), scale, shift, eps, copies, dtype, tile)
    return result


@custom_op("nextify::layer_norm_gradient", mutates_args=())
def layer_norm_gradient(
    x: Tensor, scale: Tensor, grad: Tensor, eps: float, copies: int
) -> tuple[Tensor, Tensor]:
    """The gradients of x, and of scale and shift, (2, last axis), in float32."""
    tile = tiles.norm_tile(x.shape[-1] // copies)
    below, of_affine = _launch().normalise_backward(
        x.contiguous(), scale, grad.contiguous(), eps, copies, tile
    )
    return below, of_affine


@custom_op("nextify::add_scaled", mutates_args=())
def add_scaled(x: Tensor, branch: Tensor, scale: Tensor, keep: Tensor | None) -> Tensor:
    """x + branch * scale * keep: scale of a channel, keep of an image, or (N, S) of an image and
    each S-th of the channels; in the type of x."""
    tile = tiles.scale_tile(x.shape[-1])
    result: Tensor = _launch().add_scaled(x.contiguous(), branch.contiguous(), scale, keep, tile)
    return result


@custom_op("nextify::add_scaled_gradient", mutates_args=())
def add_scaled_gradient(
    branch: Tensor, scale: Tensor, keep: Tensor | None, grad: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the branch, and of the scale in float32."""
    tile = tiles.scale_tile(branch.shape[-1])
    of_branch, sums = _launch().add_scaled_backward(
        branch.contiguous(), scale, keep, grad.contiguous(), tile
    )
    return of_branch, sums[0]


def _like(map_: Tensor) -> Tensor:
    return torch.empty_like(map_, memory_format=torch.contiguous_format)


def _sums(map_: Tensor, *shape: int) -> Tensor:
    return map_.new_empty((*shape, map_.shape[-1]), dtype=torch.float32)


depthwise.register_fake(lambda x, taps, bias: _like(x))
depthwise_input_gradient.register_fake(lambda grad, taps: _like(grad))
depthwise_weight_gradient.register_fake(lambda x, grad, side: _sums(x, side * side + 1))
layer_norm.register_fake(lambda x, scale, shift, eps, copies, dtype: _like(x).to(dtype))
layer_norm_gradient.register_fake(lambda x, scale, grad, eps, copies: (_like(x), _sums(x, 2)))
add_scaled.register_fake(lambda x, branch, scale, keep: _like(x))
add_scaled_gradient.register_fake(lambda branch, scale, keep, grad: (_like(branch), _sums(branch)))


def _keep_depthwise(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, taps, bias = inputs
    ctx.save_for_backward(x, taps, bias)


def _depthwise_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, taps, bias = ctx.saved_tensors
    grad_x = grad_taps = grad_bias = None
    if ctx.needs_input_grad[0]:
        grad_x = depthwise_input_gradient(grad, taps)
    if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
        both = depthwise_weight_gradient(x, grad, isqrt(taps.shape[0]))
        grad_taps = both[:-1].to(taps.dtype)
        grad_bias = None if bias is None else both[-1].to(bias.dtype)
    return grad_x, grad_taps, grad_bias


def _keep_layer_norm(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, scale, _shift, ctx.eps, ctx.copies, _dtype = inputs
    ctx.save_for_backward(x, scale)


def _layer_norm_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, scale = ctx.saved_tensors
    below, of_affine = layer_norm_gradient(x, scale, grad, ctx.eps, ctx.copies)
    return below, *of_affine.to(scale.dtype).unbind(), None, None, None


def _keep_add_scaled(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[1:])


def _add_scaled_gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    branch, scale, keep = ctx.saved_tensors
    of_branch, of_scale = add_scaled_gradient(branch, scale, keep, grad)
    return grad, of_branch, of_scale.to(scale.dtype), None


depthwise.register_autograd(_depthwise_gradients, setup_context=_keep_depthwise)
layer_norm.register_autograd(_layer_norm_gradients, setup_context=_keep_layer_norm)
add_scaled.register_autograd(_add_scaled_gradients, setup_context=_keep_add_scaled)
