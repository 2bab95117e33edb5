"""`build`: from a mixer to its torch module."""

import torch
from torch import nn

from nextify.scaling.laws import mixers as data
from nextify.scaling.mixers import modules
from nextify.scaling.mixers.windows import windows


def build(
    mixer: data.Mixer,
    *,
    tokens: int | tuple[int, int],
    width: int,
    seed: int = 0,
) -> nn.Module:
    """A module that maps (B, N, D) to the same. Its weights are drawn from the seed alone.

    >>> build(data.Recurrence(), tokens=5, width=4)(torch.zeros(2, 5, 4)).shape
    torch.Size([2, 5, 4])

    Args:
        tokens: N, or (rows, columns) of a mixer in the plane.

    Raises:
        InputError: sizes that the mixer cannot take.
    """
    grid = data.require_shape(mixer, tokens, width)
    module = _module(mixer, grid, width)
    draw = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=draw)
    return module


def _module(mixer: data.Mixer, grid: tuple[int, int], width: int) -> nn.Module:
    match mixer:
        case data.MatrixProduct():
            return modules.MatrixProduct(width)
        case data.Attention(projected=False):
            return modules.AttentionCore()
        case data.Attention():
            causal = grid[1] if mixer.causal else 0
            return modules.Attention(width, mixer.heads, causal_tokens=causal, fused=mixer.fused)
        case data.WindowAttention():
            shape = (mixer.window if mixer.plane else 1, mixer.window)
            return modules.WindowAttention(width, mixer.heads, windows(grid, shape, mixer.shift))
        case data.Recurrence():
            return modules.Recurrence(width)
        case data.Convolution():
            kernel = (mixer.kernel if mixer.plane else 1, mixer.kernel)
            kind = modules.separable if mixer.depthwise else modules.Convolution
            return kind(width, kernel, grid)
        case data.FeedForward():
            return modules.FeedForward(width, mixer.ratio)
