"""Start the Triton kernels on tensors: maps are (N, H, W, C), contiguous. Nothing here waits, nor
takes memory from elsewhere than torch, so that a CUDA graph can hold it."""

from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.network.kernels import convolution, epilogues, norm, tiles
from nextify.network.kernels.tiles import Tile


def _device_of(x: Tensor) -> Any:
    """The surroundings in which Triton starts a kernel on the card of x."""
    return torch.cuda.device_of(x)  # type: ignore[no-untyped-call]


def _programs(tile: Tile, rows: int, channels: int) -> tuple[int, int]:
    """How many along the rows, how many along the channels."""
    down, across = -(-rows // tile.rows), -(-channels // tile.channels)
    return (min(down, max(1, tile.programs // across)) if tile.programs else down), across


def convolve(
    x: Tensor, taps: Tensor, bias: Tensor | None, plus: Tensor | None, flip: bool, tile: Tile
) -> Tensor:
    """x convolved with taps (k*k, C), padded by half the kernel, + bias + plus; with `flip` the
    gradient at the input of a gradient x at the output."""
    y = torch.empty_like(x)
    _convolve(x, taps, bias, plus, y, None, flip, 0.0, tile)
    return y


def convolve_and_normalise(
    x: Tensor, taps: Tensor, bias: Tensor | None, scale: Tensor, shift: Tensor, eps: float,
    keep: bool, tile: Tile,
) -> tuple[Tensor | None, Tensor]:  # fmt: skip
    """The convolution (if one asks to keep it), and its layer normalisation."""
    y = torch.empty_like(x) if keep else None
    z = torch.empty_like(x)
    _convolve(x, taps, bias, None, y, (scale, shift, z), False, eps, tile)
    return y, z


def _convolve(
    x: Tensor, taps: Tensor, bias: Tensor | None, plus: Tensor | None, y: Tensor | None,
    normalised: tuple[Tensor, Tensor, Tensor] | None, flip: bool, eps: float, tile: Tile,
) -> None:  # fmt: skip
    count, height, width, channels = x.shape
    side, rows = isqrt(taps.shape[0]), count * height
    down, across = tiles.reachable(side, height), tiles.reachable(side, width)
    scale, shift, z = normalised or (None, None, None)
    with _device_of(x):
        convolution.convolve[_programs(tile, rows, channels)](
            x, taps, bias, plus, y, scale, shift, z, eps, rows, height, width, channels,
            SIDE=side, DOWN=down, ACROSS=across, FLIP=flip,
            ROWS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip


def correlate(x: Tensor, grad: Tensor, side: int, tile: Tile) -> tuple[Tensor, Tensor]:
    """The gradients of the taps, (k*k, C), and of the bias, (C,), in float32: sums of each program,
    and then of all programs, always in the same order."""
    count, height, width, channels = x.shape
    rows = count * height
    down, across = tiles.reachable(side, height), tiles.reachable(side, width)
    grid = _programs(tile, rows, channels)
    partial = x.new_empty((grid[0], down * across + 1, channels), dtype=torch.float32)
    with _device_of(x):
        convolution.correlate[grid](
            x, grad, partial, rows, height, width, channels,
            DOWN=down, ACROSS=across, ROWS=tile.rows, CHANNELS=tile.channels,
            num_warps=tile.warps,
        )  # fmt: skip
    total = partial.sum(0)
    taps = total[:-1].view(down, across, channels)
    beyond = ((side - across) // 2, (side - down) // 2)
    taps = F.pad(taps, (0, 0, beyond[0], beyond[0], beyond[1], beyond[1]))
    return taps.view(side * side, channels), total[-1].clone()


def normalise(x: Tensor, scale: Tensor, shift: Tensor, eps: float, tile: Tile) -> Tensor:
    """Layer normalisation over the last axis."""
    channels = x.shape[-1]
    pixels = x.numel() // channels
    z = torch.empty_like(x)
    with _device_of(x):
        norm.normalise[(-(-pixels // tile.rows),)](
            x, scale, shift, z, eps, pixels, channels,
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return z


def normalise_backward(
    x: Tensor, scale: Tensor, grad: Tensor, eps: float, tile: Tile
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, and of scale and shift (float32)."""
    channels = x.shape[-1]
    pixels = x.numel() // channels
    grid = _programs(tile, pixels, channels)
    grad_x, partial = torch.empty_like(x), x.new_empty((grid[0], 2, channels), dtype=torch.float32)
    with _device_of(x):
        norm.normalise_backward[grid[:1]](
            x, scale, grad, grad_x, partial, eps, pixels, channels,
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    total = partial.sum(0)
    return grad_x, total[0].clone(), total[1].clone()


GELU_BLOCK = 2048


def gelu(x: Tensor) -> Tensor:
    """GELU with the exact error function."""
    y = torch.empty_like(x)
    with _device_of(x):
        epilogues.gelu[(-(-x.numel() // GELU_BLOCK),)](x, y, x.numel(), BLOCK=GELU_BLOCK)
    return y


def gelu_backward(x: Tensor, grad: Tensor) -> Tensor:
    """The gradient of x."""
    grad_x = torch.empty_like(x)
    with _device_of(x):
        epilogues.gelu_backward[(-(-x.numel() // GELU_BLOCK),)](
            x, grad, grad_x, x.numel(), BLOCK=GELU_BLOCK
        )
    return grad_x


def add_scaled(x: Tensor, branch: Tensor, scale: Tensor, keep: Tensor | None, tile: Tile) -> Tensor:
    """x + branch * scale * keep: scale of a channel, keep of an image; in the type of x."""
    count, height, width, channels = x.shape
    pixels = count * height * width
    y = torch.empty_like(x)
    down, across = -(-pixels // tile.rows), -(-channels // tile.channels)
    with _device_of(x):
        epilogues.add_scaled[(down, across)](
            x, branch, scale, keep, y, pixels, height * width, channels,
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return y


def add_scaled_backward(
    branch: Tensor, scale: Tensor, keep: Tensor | None, grad: Tensor, tile: Tile
) -> tuple[Tensor, Tensor]:
    """The gradients of the branch, and of the scale (float32)."""
    count, height, width, channels = branch.shape
    pixels = count * height * width
    grid = _programs(tile, pixels, channels)
    grad_branch = torch.empty_like(branch)
    partial = branch.new_empty((grid[0], channels), dtype=torch.float32)
    with _device_of(branch):
        epilogues.add_scaled_backward[grid](
            branch, scale, keep, grad, grad_branch, partial, pixels, height * width, channels,
            PIXELS=tile.rows, CHANNELS=tile.channels, num_warps=tile.warps,
        )  # fmt: skip
    return grad_branch, partial.sum(0)
