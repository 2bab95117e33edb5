"""The depthwise convolution, with a weight gradient that is fast on a CPU.

torch computes the weight gradient of a depthwise convolution with kernels of 5 x 5 and more at a
small fraction of what the processor can do, and training a small ConvNeXt spends most of its time
there. The same numbers come from other operators. With x padded, and g the gradient at the output,

    dW[c, i, j] = sum over n, h, w of  x[n, c, h + i, w + j] * g[n, c, h, w]

which is read in one of two ways, chosen by shape from measurements (`benchmarks/depthwise.py`):

- as an ordinary *forward* convolution with N*C groups: image x[n, c], kernel g[n, c], summed
  over n;
- on maps so small that few taps reach from one pixel to another, as one product per tap.

Taps that cannot reach from any pixel to any other (offsets of the map's size or more) have zero
gradient and are left out in both: exact, and on a 2 x 2 map 9 of 49 taps remain.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WeightGradient = Literal["torch", "grouped", "taps"]


def weight_gradient_method(kernel: int, height: int, width: int) -> WeightGradient:
    """The fastest way to the weight gradient on a CPU, by kernel and map size (stride 1).

    Fixed by measurement and not timed at run time, so that a run gives the same bits every time.
    """
    if kernel < 5:
        return "torch"
    return "taps" if max(height, width) <= 2 else "grouped"


def depthwise_weight_gradient(
    x: Tensor, grad: Tensor, kernel: int, method: WeightGradient
) -> Tensor:
    """The gradient of a stride-1, same-padded depthwise convolution's weight.

    Args:
        x: the input, (N, C, H, W).
        grad: the gradient at the output, (N, C, H, W).
        kernel: odd side of the kernel.
        method: how to compute it; all give the same up to rounding.

    Returns:
        (C, 1, kernel, kernel).
    """
    channels, height, width = x.shape[1:]
    rows, columns = min(kernel // 2, height - 1), min(kernel // 2, width - 1)
    match method:
        case "torch":
            return _torch_backward(x, grad, x.new_empty(channels, 1, kernel, kernel), 1)
        case "grouped":
            taps = _by_grouped_convolution(x, grad, rows, columns)
        case "taps":
            taps = _tap_by_tap(x, grad, rows, columns)
    outside_columns, outside_rows = kernel // 2 - columns, kernel // 2 - rows
    full = F.pad(taps, (outside_columns, outside_columns, outside_rows, outside_rows))
    return full.unsqueeze(1)


def _by_grouped_convolution(x: Tensor, grad: Tensor, rows: int, columns: int) -> Tensor:
    count, channels, height, width = x.shape
    images = x.contiguous().view(1, count * channels, height, width)
    kernels = grad.contiguous().view(count * channels, 1, height, width)
    each = F.conv2d(images, kernels, padding=(rows, columns), groups=count * channels)
    return each.view(count, channels, 2 * rows + 1, 2 * columns + 1).sum(0)


def _tap_by_tap(x: Tensor, grad: Tensor, rows: int, columns: int) -> Tensor:
    height, width = x.shape[2:]
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, columns, columns, rows, rows))  # (N, H', W', C)
    last = grad.permute(0, 2, 3, 1)  # (N, H, W, C)
    taps = [
        (padded[:, i : i + height, j : j + width] * last).sum((0, 1, 2))
        for i in range(2 * rows + 1)
        for j in range(2 * columns + 1)
    ]
    return torch.stack(taps, 1).view(-1, 2 * rows + 1, 2 * columns + 1)


def _torch_backward(x: Tensor, grad: Tensor, weight: Tensor, of: int) -> Tensor:
    """torch's own gradient of the input (`of=0`) or of the weight (`of=1`)."""
    padding = [weight.shape[-1] // 2] * 2
    mask = [of == 0, of == 1, False]
    gradients = torch.ops.aten.convolution_backward(
        grad, x, weight, None, [1, 1], padding, [1, 1], False, [0, 0], x.shape[1], mask
    )
    result: Tensor = gradients[of]
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=x.shape[1])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        kernel = weight.shape[-1]
        grad_x = _torch_backward(x, grad, weight, 0) if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            method = weight_gradient_method(kernel, x.shape[2], x.shape[3])
            grad_weight = depthwise_weight_gradient(x, grad, kernel, method)
        grad_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with one group per channel; same parameters, same output, same gradients.

    On a CPU, in training, with stride 1 and where measurement says so, the weight gradient is
    computed by `depthwise_weight_gradient`; everywhere else it is torch's.

    Shape: (N, C, H, W) to (N, C, H', W').
    """

    def forward(self, x: Tensor) -> Tensor:
        if self._fast(x):
            y: Tensor = _Depthwise.apply(x, self.weight, self.bias)
            return y
        return super().forward(x)

    def _fast(self, x: Tensor) -> bool:
        kernel = self.kernel_size[0]
        return (
            x.device.type == "cpu"
            and self.stride == (1, 1)
            and self.weight.requires_grad
            and torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and weight_gradient_method(kernel, x.shape[2], x.shape[3]) != "torch"
        )
