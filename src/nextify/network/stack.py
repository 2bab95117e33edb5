"""Many networks of one design as one network: a *stack* of S copies, each with its own weights.

A network of 28 or 32 pixels is too small to fill a GPU; S of them, which differ in their seeds
alone, make operators S times as large. Maps are (N, S C, H, W), the channels of copy s from s C to
(s + 1) C - 1, so that in channels_last memory a map is (positions, S, C). What works on each
channel by itself - depthwise convolutions, batch norm, activations, pooling, layer scale - is a
single network's own module with S times the channels. What mixes channels is a module here: a
convolution is one matrix product per copy, all of them in one batched product.

Every parameter and every entry of the state is that of the copies one after another along its
first dimension (`stacked`), under the same name and with the same number of dimensions. No number
of one copy enters another: not even infinities and NaNs do.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nextify.blueprint import specs
from nextify.network import kernels
from nextify.network.modules import Network, ResidualBlock, Source, StochasticDepth, uniform


def stacked(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The state of a stack from those of its copies: entries side by side along the first
    dimension; counters, which have none, are the same in all."""
    return {
        name: torch.cat([state[name] for state in states]) if entry.ndim else entry
        for name, entry in states[0].items()
    }


def unstacked(state: Mapping[str, Tensor], copies: int) -> list[dict[str, Tensor]]:
    """The states of the copies, as views, from that of their stack."""
    return [
        {name: entry.chunk(copies)[at] if entry.ndim else entry for name, entry in state.items()}
        for at in range(copies)
    ]


class Stack(Network):
    """A network of S copies: images (N, S 3, H, W), each copy's own, to logits (N, S, classes).
    Its blueprint is that of one copy."""

    def __init__(
        self,
        blueprint: specs.Blueprint,
        stem: nn.Module,
        stages: list[nn.Sequential],
        head: nn.Module,
        copies: int,
    ) -> None:
        super().__init__(blueprint, stem, stages, head)
        self.copies = copies

    def use_generators(self, generators: Sequence[Source]) -> None:
        """Let each copy's stochastic depth draw from its source (on the network's device)."""
        assert len(generators) == self.copies
        for module in self.modules():
            if isinstance(module, StackedDepth):
                module.generators = list(generators)


class StackedConv2d(nn.Conv2d):
    """A convolution of S copies that mixes all channels of a copy, as `nn.Conv2d` with S groups:
    same parameters, same output, same gradients.

    Computed as a batched matrix product of patches. Where patches are single pixels, as in 1 x 1
    convolutions, nothing is copied; elsewhere patches are, once forward and twice backward
    (`benchmarks/stack.py` compares both ways).

    Shape: (N, S C, H, W) to (N, S C', H', W').
    """

    def forward(self, x: Tensor) -> Tensor:
        side, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        return _convolved(x, self.weight, self.bias, (side, stride, padding), self.groups)


class StackedClassifier(nn.Module):
    """Logits of S copies from their pooled channels: (N, S C, 1, 1) to (N, S, classes)."""

    def __init__(self, copies: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.copies = copies
        self.weight = nn.Parameter(torch.empty(copies * outputs, inputs))
        self.bias = nn.Parameter(torch.empty(copies * outputs))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight[:, :, None, None]
        logits = _convolved(x, weight, self.bias, (1, 1, 0), self.copies)
        return logits.view(len(x), self.copies, -1)


class StackedNorm(nn.Module):
    """Layer normalisation over the channels of each copy, at each position: (N, S C, H, W) to the
    same, of the same type; sums are taken in float32 at least."""

    def __init__(self, copies: int, channels: int, eps: float) -> None:
        super().__init__()
        self.copies, self.eps = copies, eps
        self.weight = nn.Parameter(torch.empty(copies * channels))
        self.bias = nn.Parameter(torch.empty(copies * channels))

    def forward(self, x: Tensor) -> Tensor:
        if kernels.fuses(x):
            return kernels.layer_norm(x, self.weight, self.bias, self.eps, self.copies)
        y: Tensor = _StackedNorm.apply(x, self.weight, self.bias, self.copies, self.eps)
        return y


class StackedPool(nn.Module):
    """The mean over all positions: (N, C, H, W) to (N, C, 1, 1).

    Taken so that its gradient is channels_last, too; that of `nn.AdaptiveAvgPool2d` is not, and
    would have the last stage's gradients copied again and again.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1).mean((1, 2))[:, :, None, None]


class StackedResponseNorm2d(nn.Module):
    """`ResponseNorm2d` of S copies: the mean of the norms is over a copy's own channels.

    Shape: (N, S C, H, W) to the same.
    """

    def __init__(self, copies: int, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.copies, self.eps = copies, eps
        self.weight = nn.Parameter(torch.empty(copies * channels))
        self.bias = nn.Parameter(torch.empty(copies * channels))

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        norm = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True, dtype=wide)
        each = norm.view(len(x), self.copies, -1)  # (N, S, C)
        relative = (each / (each.mean(2, keepdim=True) + self.eps)).view(norm.shape)
        gain = 1 + self.weight.view(-1, 1, 1).to(wide) * relative
        return torch.addcmul(self.bias.view(-1, 1, 1).to(wide), x.to(wide), gain).to(x.dtype)


class StackedDepth(StochasticDepth):
    """Drop a block's branch for each image of each copy by itself; each copy draws from its own
    generator what a single network draws from it: (N, S C, H, W) to the same."""

    def __init__(self, probability: float, copies: int) -> None:
        super().__init__(probability)
        self.generators: list[Source] = [None] * copies

    def forward(self, x: Tensor) -> Tensor:
        factors = self.factors(x, x.dtype)
        if factors is None:
            return x
        channels = x.shape[1] // len(self.generators)
        return x * factors.repeat_interleave(channels, 1, output_size=x.shape[1])[:, :, None, None]

    def factors(self, x: Tensor, dtype: torch.dtype) -> Tensor | None:
        """What the images of x are multiplied by in each copy, (N, S), drawn; None: by nothing."""
        if not self.training or self.probability == 0.0:
            return None
        keep = 1.0 - self.probability
        draws = [uniform(len(x), source, x.device) for source in self.generators]
        return (torch.stack(draws, 1) < keep).to(dtype) / keep


class StackedBlock(ResidualBlock):
    """`ResidualBlock` of S copies: (N, S C, H, W) to (N, S C', H', W')."""

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module,
        after: nn.Module,
        drop_probability: float,
        copies: int,
    ) -> None:
        super().__init__(branch, shortcut, after, drop_probability)
        self.drop = StackedDepth(drop_probability, copies)


Form = tuple[int, int, int]  # of a convolution: the kernel's side, stride and padding


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, form: Form, copies: int) -> Tensor:
    """The convolutions of all copies, in the precision of the surroundings."""
    kind = x.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        precision = torch.get_autocast_dtype(kind)
        x, weight = x.to(precision), weight.to(precision)
    y: Tensor = _StackedConv.apply(x, weight, bias, form, copies)
    return y


class _StackedConv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, form: Form, copies: int
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.form, ctx.copies = form, copies
        patches = _patches(_by_copy(x, copies), form)
        y = _products(patches, _matrices(weight, copies).transpose(1, 2))
        return y if bias is None else y.add_(bias.view(-1, 1, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), form, copies = ctx.saved_tensors, ctx.form, ctx.copies
        grad_x = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_x = _input_gradient(grad, weight, x, form, copies)
        if ctx.needs_input_grad[1]:
            outer = _by_copy(grad, copies).flatten(0, 2)
            patches = _patches(_by_copy(x, copies), form).flatten(0, 2)
            each = torch.bmm(outer.permute(1, 2, 0), patches.transpose(0, 1))  # (S, C', K)
            outputs, inputs, side, _ = weight.shape
            taps = each[..., : side * side * inputs].reshape(outputs, side, side, inputs)
            grad_weight = taps.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[2]:
            grad_bias = grad.sum((0, 2, 3), dtype=torch.promote_types(grad.dtype, torch.float32))
        return grad_x, grad_weight, grad_bias, None, None


def _by_copy(maps: Tensor, copies: int) -> Tensor:
    """(N, S C, H, W) to (N, H, W, S, C), as a view."""
    last = maps.permute(0, 2, 3, 1)
    return last.view(*last.shape[:3], copies, -1)


def _row(side: int, channels: int) -> int:
    """K, how many values the row of a patch has: with zeros up to a whole number of 8. A GPU's
    matrix units read 16 bytes at a time, and are slow on rows that do not begin there, as a stem's
    of 3 channels. A row of one pixel is not copied, and stays as it is."""
    return channels if side == 1 else -(-side * side * channels // 8) * 8


def _matrices(weight: Tensor, copies: int) -> Tensor:
    """(S C', C, k, k) to (S, C', K)."""
    rows = weight.permute(0, 2, 3, 1).reshape(copies, len(weight) // copies, -1)
    return _filled(rows, _row(weight.shape[-1], weight.shape[1]))


def _filled(rows: Tensor, length: int) -> Tensor:
    """With zeros at the end of the last axis, up to a length."""
    lacking = length - rows.shape[-1]
    return F.pad(rows, (0, lacking)) if lacking else rows


def _products(patches: Tensor, matrices: Tensor) -> Tensor:
    """Patches (N, H, W, S, K) times each copy's (K, C): a map (N, S C, H, W), channels_last.

    Written where it belongs by the product itself, which takes strided matrices, in and out.
    """
    count, height, width, copies, _ = patches.shape
    y = _new_map(patches, (count, copies * matrices.shape[-1], height, width))
    out = _by_copy(y, copies).view(-1, copies, matrices.shape[-1])
    torch.bmm(patches.flatten(0, 2).transpose(0, 1), matrices, out=out.transpose(0, 1))
    return y


def _new_map(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    last = torch.channels_last
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=last)


def _windows(each: Tensor, side: int, stride: int) -> Tensor:
    """The windows under a kernel, as a view: (N, H, W, S, C) to (N, H', W', S, k, k, C)."""
    under = each.unfold(1, side, stride).unfold(2, side, stride)
    return under.permute(0, 1, 2, 3, 5, 6, 4)


def _patches(each: Tensor, form: Form) -> Tensor:
    """The patches that a kernel meets: (N, H, W, S, C) to (N, H', W', S, K), as `_matrices`."""
    side, stride, padding = form
    if padding:
        each = F.pad(each, (0, 0, 0, 0, *[padding] * 4))
    windows = _windows(each, side, stride)
    length, whole = side * side * each.shape[-1], _row(side, each.shape[-1])
    if length == whole:
        return windows.flatten(-3)
    rows = windows.new_zeros(*windows.shape[:4], whole)
    rows[..., :length].view(windows.shape).copy_(windows)
    return rows


def _input_gradient(grad: Tensor, weight: Tensor, x: Tensor, form: Form, copies: int) -> Tensor:
    """The gradient of the input x, (N, S C, H, W), from that of the output."""
    side, stride, padding = form
    outer = _by_copy(grad, copies)
    if side <= stride:  # no pixel is in two patches
        found = _products(outer, _matrices(weight, copies)[..., : side * side * weight.shape[1]])
        if side == stride == 1:
            return found
        inner = _new_map(found, tuple(x.shape)).zero_()
        windows = _windows(_by_copy(inner, copies), side, stride)
        windows.copy_(_by_copy(found, copies).view(windows.shape))
        return inner
    # The convolution of the gradients, as far apart as the kernel's steps, with the kernel turned.
    turned = weight.view(copies, -1, *weight.shape[1:]).flip(-1, -2)
    rows = turned.permute(0, 2, 3, 4, 1).flatten(2)  # (S, C, k k C')
    matrices = _filled(rows, _row(side, turned.shape[1])).transpose(1, 2)
    before = side - 1 - padding
    if stride > 1:
        down, across = (stride * (length - 1) + 1 for length in outer.shape[1:3])
        sides = (length + side - 1 for length in x.shape[2:])
        apart = outer.new_zeros(len(x), *sides, *outer.shape[3:])
        apart[:, before : before + down : stride, before : before + across : stride] = outer
        outer, before = apart, 0
    return _products(_patches(outer, (side, 1, before)), matrices)


def _as_it_is(kind: str) -> AbstractContextManager[Any]:
    """Inside, autocast leaves types as they are."""
    is_known = torch.amp.is_autocast_available(kind)  # not to the meta device
    return torch.autocast(kind, enabled=False) if is_known else nullcontext()


class _StackedNorm(torch.autograd.Function):
    """As `F.layer_norm`, which has one weight for all rows, by its own parts: in mixed precision
    without the copies in float32 that autocast makes around it."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, copies: int, eps: float
    ) -> Tensor:
        each = _by_copy(x, copies)
        with _as_it_is(x.device.type):
            found = torch.native_layer_norm(each, each.shape[-1:], None, None, eps)
        ctx.save_for_backward(x, weight, *found)
        y = _new_map(x, tuple(x.shape))
        torch.addcmul(bias, found[0].flatten(-2), weight, out=y.permute(0, 2, 3, 1))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, normal, *moments = ctx.saved_tensors
        outer = grad.permute(0, 2, 3, 1)
        each = _by_copy(x, normal.shape[3])
        inner = torch.mul(outer, weight, out=torch.empty_like(outer)).view(each.shape)
        of = normal.shape[-1:]
        grad_x: Tensor = torch.ops.aten.native_layer_norm_backward(
            inner, each, of, *moments, None, None, [True, False, False]
        )[0]
        grad_weight = (outer * normal.flatten(-2)).sum((0, 1, 2), dtype=weight.dtype)
        grad_bias = outer.sum((0, 1, 2), dtype=weight.dtype)
        return grad_x.flatten(-2).permute(0, 3, 1, 2), grad_weight, grad_bias, None, None
