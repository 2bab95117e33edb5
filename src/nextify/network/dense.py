"""The dense convolution on maps smaller than its kernel, as one matrix product.

On a map of H x W pixels a convolution is a linear map from H W C values to H W C' values. Where the
map is so small that most taps fall on padding, multiplying by that matrix takes less than sliding
the kernel: (H W)^2 C C' multiplications an image instead of k^2 H W C C', in one product that uses
the processor fully, forward and backward. With 7 x 7 kernels and 64 images a step takes a sixth
(256 channels on 2 x 2) to a half (128 on 4 x 4) of torch's time (`benchmarks/dense.py`).

The matrix has the kernel's values along its diagonals: M[q, p] = K[q - p], for an input pixel q
and an output pixel p. With the output pixels in reverse order, p' = H - 1 - p, the index becomes
a sum, q + p', and the matrix a view of the kernel with overlapping strides.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEAST_BATCH = 16  # below it, making the matrix takes longer than the convolution
LARGEST_MATRIX = 1 << 24  # values


def as_matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """The matrix of a convolution padded by half its kernel, on a map of height x width pixels.

    Args:
        weight: (C', C, k, k), k odd.

    Returns:
        (height * width * C, height * width * C'): rows by input pixel and channel; columns by
        output pixel, in reverse order, and channel.
    """
    outputs, inputs = weight.shape[:2]
    taps = F.pad(weight.permute(2, 3, 1, 0), (0, 0, 0, 0, *_padding(weight, height, width)))
    taps = taps.contiguous()  # (2 H - 1, 2 W - 1, C, C')
    down, across, channel, last = taps.stride()
    size = (height, width, inputs, height, width, outputs)
    view = taps.as_strided(size, (down, across, channel, down, across, last))
    return view.reshape(height * width * inputs, height * width * outputs)


def from_matrix(gradient: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
    """The weight's gradient (C', C, k, k) from that of its matrix: the sums of its diagonals."""
    outputs, inputs = weight.shape[:2]
    pairs = gradient.view(height, width, inputs, height, width, outputs)
    taps = gradient.new_zeros(2 * height - 1, 2 * width - 1, inputs, outputs)
    for row in range(height):
        for column in range(width):
            taps[row : row + height, column : column + width] += pairs[:, :, :, row, column]
    padding = [-side for side in _padding(weight, height, width)]
    return F.pad(taps.permute(3, 2, 0, 1), padding)


def _padding(weight: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
    """What makes k x k taps the (2 H - 1) x (2 W - 1) that connect pixels; negative: cropping."""
    half = weight.shape[-1] // 2
    across, down = width - 1 - half, height - 1 - half
    return across, across, down, down


class _AsProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        count, _, height, width = x.shape
        images = x.permute(0, 2, 3, 1).reshape(count, -1)
        matrix = as_matrix(weight, height, width)
        ctx.save_for_backward(images, matrix, weight)
        ctx.shape = x.shape
        reversed_pixels = (images @ matrix).view(count, height, width, -1)
        return reversed_pixels.flip(1, 2).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, matrix, weight = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        outputs = grad.permute(0, 2, 3, 1).flip(1, 2).reshape(count, -1)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            last = (outputs @ matrix.t()).view(count, height, width, channels)
            grad_x = last.permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            grad_weight = from_matrix(images.t() @ outputs, weight, height, width)
        return grad_x, grad_weight


class SpatialConv2d(nn.Conv2d):
    """`nn.Conv2d` with an odd kernel, stride 1 and half the kernel as padding; same parameters,
    same output, same gradients.

    On a CPU, in training, maps with fewer pixels than half of the taps go through a matrix product;
    everything else is torch's.

    Shape: (N, C, H, W) to (N, C', H, W).
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self._is_faster(x):
            return super().forward(x)
        y: Tensor = _AsProduct.apply(x, self.weight)
        return y if self.bias is None else y + self.bias.view(-1, 1, 1)

    def _is_faster(self, x: Tensor) -> bool:
        count, channels, height, width = x.shape
        pixels = height * width
        return (
            x.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and torch.is_grad_enabled()
            and self.weight.requires_grad
            and count >= LEAST_BATCH
            and 2 * pixels <= self.kernel_size[0] ** 2
            and pixels**2 * channels * self.out_channels <= LARGEST_MATRIX
        )
