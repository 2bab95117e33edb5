"""Start the Triton kernels on tensors: maps are (N, H, W, C), contiguous. Nothing here waits, nor
takes memory from elsewhere than torch, so that a CUDA graph can hold it."""

from functools import cache
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from nextify.network.kernels import activation, convolution, epilogues, norm, tiles
from nextify.network.kernels.tiles import Tile


def _device_of(x: Tensor) -> Any:
    """The surroundings in which Triton starts a kernel on the card of x."""
    return torch.cuda.device_of(x)  # type: ignore[no-untyped-call]


@cache
def _processors(device: torch.device) -> int:
    """A card's multiprocessors; a processor, with Triton's interpreter, is one."""
    if device.type != "cuda":
        return 1
    count: int = torch.cuda.get_device_properties(device).multi_processor_count
    return count


def grid_of(tile: Tile, x: Tensor, rows: int, channels: int) -> tuple[int, int]:
    """How many programs along the rows, how many along the channels."""
    across = -(-channels // tile.channels)
    return tile.programs(rows, across, _processors(x.device)), across


def convolve(
    x: Tensor, taps: Tensor, bias: Tensor | None, flip: bool, tile: Tile, *,
    rest: Tensor | None = None, copy: Tensor | None = None, dtype: torch.dtype | None = None,
) -> Tensor:  # fmt: skip
    """x convolved with taps (k*k, C), padded by half the kernel, + bias + rest; with `flip` the
    gradient at the input of a gradient x at the output. Of the type of x, or `dtype`; x is written
    to `copy`, in its type, by the way."""
    count, height, width, channels = x.shape
    side, rows = isqrt(taps.shape[0]), count * height
    down, across = tiles.reachable(side, height), tiles.reachable(side, width)
    y = torch.empty_like(x, dtype=dtype)
    with _device_of(x):
        convolution.convolve[grid_of(tile, x, rows, channels)](
            x, taps, bias, rest, copy, y, rows, height, width, channels,
            SIDE=side, DOWN=down, ACROSS=across, FLIP=flip,
            ROWS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return y


def correlate(x: Tensor, grad: Tensor, side: int, tile: Tile) -> Tensor:
    """The gradients of the taps and, as one more, of the bias: (k*k + 1, C), in float32; sums of
    each program, and then of all programs, always in the same order."""
    count, height, width, channels = x.shape
    rows = count * height
    grid = grid_of(tile, x, rows, channels)
    partial = x.new_empty((grid[0], side * side + 1, channels), dtype=torch.float32)
    with _device_of(x):
        convolution.correlate[grid](
            x, grad, partial, rows, height, width, channels, SIDE=side,
            DOWN=tiles.reachable(side, height), ACROSS=tiles.reachable(side, width),
            ROWS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return partial.sum(0)


def normalise(
    x: Tensor, scale: Tensor, shift: Tensor, eps: float, copies: int, dtype: torch.dtype, tile: Tile
) -> Tensor:
    """Layer normalisation over the last axis, of each of so many equal parts of it, as `dtype`."""
    width = x.shape[-1] // copies
    rows = x.numel() // width
    z = torch.empty_like(x, dtype=dtype)
    with _device_of(x):
        norm.normalise[(-(-rows // tile.rows),)](
            x, scale, shift, z, eps, rows, copies,
            WIDTH=width, ROWS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return z


def normalise_backward(
    x: Tensor, scale: Tensor, grad: Tensor, eps: float, copies: int, tile: Tile
) -> tuple[Tensor, Tensor]:
    """The gradients of x, and of scale and shift (2, last axis), in float32."""
    pixels = x.numel() // x.shape[-1]
    programs = tile.programs(pixels, copies, _processors(x.device))
    grad_x = torch.empty_like(x)
    partial = x.new_empty((programs, 2, x.shape[-1]), dtype=torch.float32)
    with _device_of(x):
        norm.normalise_backward[(programs, copies)](
            x, scale, grad, grad_x, partial, eps, pixels, copies,
            WIDTH=x.shape[-1] // copies, PIXELS=tile.rows, CHANNELS=tile.channels,
            num_warps=tile.warps,
        )  # fmt: skip
    return grad_x, partial.sum(0)


def _copies(keep: Tensor | None, count: int) -> int:
    return 1 if keep is None else keep.numel() // count


def add_scaled(x: Tensor, branch: Tensor, scale: Tensor, keep: Tensor | None, tile: Tile) -> Tensor:
    """x + branch * scale * keep: scale of a channel, keep of an image, or (N, S) of an image and
    each S-th of the channels; in the wider type of x and scale."""
    count, height, width, channels = x.shape
    pixels = count * height * width
    y = torch.empty_like(x, dtype=torch.promote_types(x.dtype, scale.dtype))
    down, across = -(-pixels // tile.rows), -(-channels // tile.channels)
    with _device_of(x):
        epilogues.add_scaled[(down, across)](
            x, branch, scale, keep, y, pixels, height * width, channels, _copies(keep, count),
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return y


def add_scaled_backward(
    branch: Tensor, scale: Tensor, keep: Tensor | None, grad: Tensor, tile: Tile
) -> tuple[Tensor, Tensor]:
    """The gradient of the branch; in float32 (2, C), that of the scale, and of a bias that the
    branch ends with."""
    count, height, width, channels = branch.shape
    pixels = count * height * width
    grid = grid_of(tile, branch, pixels, channels)
    grad_branch = torch.empty_like(branch)
    partial = branch.new_empty((grid[0], 2, channels), dtype=torch.float32)
    with _device_of(branch):
        epilogues.add_scaled_backward[grid](
            branch, scale, keep, grad, grad_branch, partial, pixels, height * width, channels,
            _copies(keep, count), PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return grad_branch, partial.sum(0)


def gelu(x: Tensor) -> Tensor:
    """The GELU of a contiguous tensor."""
    y = torch.empty_like(x)
    at_once = 2048
    with _device_of(x):
        activation.gelu[(-(-x.numel() // at_once),)](x, y, x.numel(), COUNT=at_once, num_warps=4)
    return y


def gelu_backward(x: Tensor, grad: Tensor, tile: Tile) -> Tensor:
    """Turns the gradient of the GELU of x, both (pixels, C), into that of x, in place; gives the
    gradient of a bias in x, (C,), in float32."""
    pixels, channels = x.shape
    grid = grid_of(tile, x, pixels, channels)
    partial = x.new_empty((grid[0], channels), dtype=torch.float32)
    with _device_of(x):
        activation.gelu_backward[grid](
            x, grad, partial, pixels, channels,
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return partial.sum(0)
