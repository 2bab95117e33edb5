"""The depthwise convolution, with a weight gradient that is fast on a CPU.

torch computes the weight gradient of a depthwise convolution at a small fraction of what the
processor can do wherever the map is smaller than the kernel, and for kernels of 5 x 5 and more
with stride 1; training a small ConvNeXt spends most of its time there. The same numbers come from
other operators. With x padded, s the stride and g the gradient at the output,

    dW[c, i, j] = sum over n, h, w of  x[n, c, s h + i, s w + j] * g[n, c, h, w]

which is read in one of three ways, chosen by shape from measurements (`benchmarks/depthwise.py`):

- as an ordinary *forward* convolution with N*C groups and dilation s: image x[n, c], kernel
  g[n, c], summed over n;
- on small maps, as one matrix product per channel: all pairs of an input and an output pixel,
  summed over n, of which every tap is the sum over the pairs that it connects;
- on maps so small that few taps reach from one pixel to another, as one product per tap.

Taps that reach no pixel from any other have zero gradient and are left out: exact, and on a 2 x 2
map 9 of 49 taps remain.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nextify.network import kernels

WeightGradient = Literal["torch", "grouped", "pairs", "taps"]


@dataclass(frozen=True, slots=True)
class Reach:
    """The taps of one axis that reach from an input pixel to an output pixel: first to last.

    `before` and `after` are the padding (negative: cropping) with which tap `first` reads the
    input from its first element, and tap `last` to its last one.
    """

    first: int
    last: int
    before: int
    after: int

    @property
    def taps(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


def reach(kernel: int, stride: int, side: int, output_side: int) -> Reach:
    """The reachable taps of a kernel padded by half of itself, on one axis.

    >>> reach(kernel=7, stride=1, side=2, output_side=2)
    Reach(first=2, last=4, before=1, after=1)
    """
    padding = kernel // 2
    first = max(0, padding - stride * (output_side - 1))
    last = min(kernel - 1, side - 1 + padding)
    after = stride * (output_side - 1) + last - padding - (side - 1)
    return Reach(first, last, padding - first, after)


def weight_gradient_method(kernel: int, stride: int, height: int, width: int) -> WeightGradient:
    """The fastest way to the weight gradient on a CPU, by kernel and size of the input map.

    Fixed by measurement and not timed at run time, so that a run gives the same bits every time.
    """
    if min(height, width) > kernel + stride - 2 and (kernel < 5 or stride > 1):
        return "torch"
    down, across = (height - 1) // stride + 1, (width - 1) // stride + 1
    taps = reach(kernel, stride, height, down).taps * reach(kernel, stride, width, across).taps
    if taps <= 9:
        return "taps"
    return "pairs" if height * width * down * across <= 1024 else "grouped"


def depthwise_weight_gradient(
    x: Tensor, grad: Tensor, kernel: int, stride: int, method: WeightGradient
) -> Tensor:
    """The gradient of the weight of a depthwise convolution padded by half its kernel.

    Args:
        x: the input, (N, C, H, W).
        grad: the gradient at the output, (N, C, H', W').
        kernel: odd side of the kernel.
        method: how to compute it; all give the same up to rounding.

    Returns:
        (C, 1, kernel, kernel).
    """
    rows = reach(kernel, stride, x.shape[2], grad.shape[2])
    columns = reach(kernel, stride, x.shape[3], grad.shape[3])
    if method == "torch":
        like = x.new_empty(x.shape[1], 1, kernel, kernel)
        return _torch_backward(x, grad, like, stride, 1)
    ways = {"grouped": _by_groups, "pairs": _by_pairs, "taps": _tap_by_tap}
    taps = ways[method](x, grad, rows, columns, stride)
    outside = (columns.first, kernel - 1 - columns.last, rows.first, kernel - 1 - rows.last)
    return F.pad(taps, outside).unsqueeze(1)


def _by_groups(x: Tensor, grad: Tensor, rows: Reach, columns: Reach, stride: int) -> Tensor:
    count, channels, height, width = x.shape
    images = x.contiguous().view(1, count * channels, height, width)
    images = F.pad(images, (columns.before, columns.after, rows.before, rows.after))
    kernels = grad.contiguous().view(count * channels, 1, *grad.shape[2:])
    each = F.conv2d(images, kernels, groups=count * channels, dilation=stride)
    return each.view(count, channels, rows.taps, columns.taps).sum(0)


def _by_pairs(x: Tensor, grad: Tensor, rows: Reach, columns: Reach, stride: int) -> Tensor:
    images, gradients = _images_last(x), _images_last(grad)  # (C, H W, N), (C, H' W', N)
    pairs = torch.bmm(images, gradients.transpose(1, 2)).flatten(1)
    taps = _connections(rows, columns, stride, x.shape[2:], grad.shape[2:])
    return (pairs @ taps.to(pairs)).view(-1, rows.taps, columns.taps)


def _images_last(maps: Tensor) -> Tensor:
    """(N, C, H, W) to (C, H W, N)."""
    count, channels = maps.shape[:2]
    return maps.permute(1, 2, 3, 0).reshape(channels, -1, count)


@cache
def _connections(
    rows: Reach, columns: Reach, stride: int, size: torch.Size, output_size: torch.Size
) -> Tensor:
    """(pairs of an input and an output pixel, taps): 1 where the tap connects the pair, else 0."""

    def on_axis(axis: Reach, side: int, output_side: int) -> Tensor:
        tap = torch.arange(side)[:, None] - stride * torch.arange(output_side) + axis.before
        return (tap[:, :, None] == torch.arange(axis.taps)).float()

    with torch.device("cpu"):  # it is kept, whatever the default device is just now
        down, across = map(on_axis, (rows, columns), size, output_size)
    connected = torch.einsum("yhi,xwj->yxhwij", down, across)
    return connected.reshape(-1, rows.taps * columns.taps)


def _tap_by_tap(x: Tensor, grad: Tensor, rows: Reach, columns: Reach, stride: int) -> Tensor:
    padding = (0, 0, columns.before, columns.after, rows.before, rows.after)
    padded = F.pad(x.permute(0, 2, 3, 1), padding)  # (N, ., ., C)
    last = grad.permute(0, 2, 3, 1)  # (N, H', W', C)
    down, across = stride * (last.shape[1] - 1) + 1, stride * (last.shape[2] - 1) + 1
    taps = [
        (padded[:, i : i + down : stride, j : j + across : stride] * last).sum((0, 1, 2))
        for i in range(rows.taps)
        for j in range(columns.taps)
    ]
    return torch.stack(taps, 1).view(-1, rows.taps, columns.taps)


def _torch_backward(x: Tensor, grad: Tensor, weight: Tensor, stride: int, of: int) -> Tensor:
    """torch's own gradient of the input (`of=0`) or of the weight (`of=1`)."""
    how = [stride] * 2, [weight.shape[-1] // 2] * 2, [1, 1], False, [0, 0], x.shape[1]
    mask = [of == 0, of == 1, False]
    gradients = torch.ops.aten.convolution_backward(grad, x, weight, None, *how, mask)
    result: Tensor = gradients[of]
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        padding, groups = weight.shape[-1] // 2, x.shape[1]
        return F.conv2d(x, weight, bias, stride, padding, groups=groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        kernel, stride = weight.shape[-1], ctx.stride
        grad_x = _torch_backward(x, grad, weight, stride, 0) if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            method = weight_gradient_method(kernel, stride, x.shape[2], x.shape[3])
            grad_weight = depthwise_weight_gradient(x, grad, kernel, stride, method)
        grad_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with one group per channel, an odd kernel and half its size as padding; same
    parameters, same output, same gradients.

    On a CPU, in training and where measurement says so, the weight gradient is computed by
    `depthwise_weight_gradient`; on a GPU all is computed by `kernels` where they can run and win;
    everywhere else it is torch's. A map of one pixel is only met by the kernel's centre, and
    torch's convolution of it is 20 times slower than the product.

    Shape: (N, C, H, W) to (N, C, H', W').
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda:
            return self._on_gpu(x)
        if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        if x.shape[2:] == (1, 1):
            middle = self.kernel_size[0] // 2
            y = x * self.weight[:, :, middle, middle, None]
            return y if self.bias is None else y + self.bias.view(-1, 1, 1)
        shape = (self.kernel_size[0], self.stride[0], x.shape[2], x.shape[3])
        training = self.weight.requires_grad and torch.is_grad_enabled()
        if training and weight_gradient_method(*shape) != "torch":
            result: Tensor = _Depthwise.apply(x, self.weight, self.bias, self.stride[0])
            return result
        return super().forward(x)

    def _on_gpu(self, x: Tensor) -> Tensor:
        if kernels.serves(x, self.kernel_size[0], self.stride[0]):
            return kernels.depthwise(x.to(kernels.precision(x)), self.weight, self.bias)
        return super().forward(x)
