"""Mixers as torch modules: (B, N, D) to the same. Each `forward` reads like its equation.

They are written plainly, so that formulas can be exact about their memory: every copy is explicit,
and no tensor outlives its use.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.scaling.mixers.windows import Windows

Pair = tuple[int, int]  # rows and columns


class MatrixProduct(nn.Module):
    """A B: (B, N, D) times (D, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = _weight(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


class AttentionCore(nn.Module):
    """softmax(X X^T / sqrt(D)) X: attention without any weight."""

    def forward(self, x: Tensor) -> Tensor:
        return attend(x, x, x)


class Attention(nn.Module):
    """Multi-head attention with projections; with a mask it is causal.

    Shape: (B, N, D) to the same; with `causal_tokens`, N is at most that.
    """

    def __init__(self, width: int, heads: int, *, causal_tokens: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.causal = causal_tokens > 0
        self.qkv = _weight(3 * width, width)
        self.out = _weight(width, width)
        if self.causal and not fused:  # the fused kernel leaves out what is masked by itself
            later = torch.full((causal_tokens, causal_tokens), -torch.inf).triu(1)
            self.register_buffer("later", later, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(_together(self._attend(*_apart(x, self.qkv, self.heads))), self.out)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        tokens = q.shape[2]
        mask = self.get_buffer("later")[None, None, :tokens, :tokens] if self.causal else None
        return attend(q, k, v, mask)


class WindowAttention(nn.Module):
    """Attention within windows of a fixed line or plane of tokens, shifted or not.

    Shape: (B, N, D) to the same, N the tokens of `windows`.
    """

    def __init__(self, width: int, heads: int, windows: Windows) -> None:
        super().__init__()
        self.heads, self.count, self.size = heads, windows.count, windows.size
        self.qkv = _weight(3 * width, width)
        self.out = _weight(width, width)
        self.register_buffer("place", torch.tensor(windows.place), persistent=False)
        self.register_buffer("mask", _window_mask(windows), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = _apart(self._in_windows(x), self.qkv, self.heads)
        mask = self.mask[:, None] if isinstance(self.mask, Tensor) else None  # for all heads
        found = F.linear(_together(attend(q, k, v, mask)), self.out)
        return found.view(x.shape[0], -1, x.shape[2]).index_select(1, self.get_buffer("place"))

    def _in_windows(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B windows, size, D): padding, shift and partition are one placement."""
        padded = x.new_zeros(len(x), self.count * self.size, x.shape[2])
        padded[:, self.get_buffer("place")] = x
        return padded.view(-1, self.size, x.shape[2])


class Recurrence(nn.Module):
    """h(t) = tanh(U x(t) + W h(t-1)), h(0) = 0. U x is one product for all tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = _weight(width, width)
        self.hidden = _weight(width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), x.shape[2])
        states = []
        for u in F.linear(x, self.input).unbind(1):
            h = torch.tanh(u + F.linear(h, self.hidden))
            states.append(h)
        return torch.stack(states, 1)


class Convolution(nn.Module):
    """A convolution over a line or plane of tokens, with zeros beyond its borders.

    A line is a plane of one row. Tokens are the rows of memory: channels_last.

    Shape: (B, rows x columns, D) to the same.
    """

    def __init__(self, width: int, kernel: Pair, grid: Pair, groups: int = 1) -> None:
        super().__init__()
        self.grid, self.padding = grid, (kernel[0] // 2, kernel[1] // 2)
        self.groups = groups
        self.weight = _weight(width, width // groups, *kernel)

    def forward(self, x: Tensor) -> Tensor:
        image = x.reshape(len(x), *self.grid, -1).permute(0, 3, 1, 2)
        found = F.conv2d(image, self.weight, padding=self.padding, groups=self.groups)
        return found.permute(0, 2, 3, 1).flatten(1, 2)


def separable(width: int, kernel: Pair, grid: Pair) -> nn.Module:
    """A depthwise convolution, then a matrix product that mixes channels."""
    depthwise = Convolution(width, kernel, grid, groups=width)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=MatrixProduct(width)))


class FeedForward(nn.Module):
    """GELU(x E) C, with E from D to r D and C back."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.expand = _weight(ratio * width, width)
        self.contract = _weight(width, ratio * width)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.gelu(F.linear(x, self.expand)), self.contract)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d) + mask) v: (..., N, d) each to the same.

    A mask of (windows, 1, N, N), or of one for all, is added in place.
    """
    weights: Tensor = (q * q.shape[-1] ** -0.5) @ k.mT
    if mask is not None:
        weights.view(-1, len(mask), *weights.shape[1:]).add_(mask)
    weights = weights.softmax(-1)  # the scores are freed here
    return weights @ v


def _apart(x: Tensor, weight: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of each head: (B, N, D) to three of (B, heads, N, D / heads)."""
    joint = F.linear(x, weight).view(*x.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = joint.clone(memory_format=torch.contiguous_format)
    return q, k, v


def _together(x: Tensor) -> Tensor:
    """(B, heads, N, d) to (B, N, D)."""
    return x.transpose(1, 2).clone(memory_format=torch.contiguous_format).flatten(2)


def _window_mask(windows: Windows) -> Tensor | None:
    """(windows, size, size): minus infinity between tokens that a shift brought together."""
    if windows.region is None:
        return None
    region = torch.tensor(windows.region).view(windows.count, windows.size)
    strange = region[:, :, None] != region[:, None, :]
    return torch.zeros(strange.shape).masked_fill(strange, -torch.inf)


def _weight(*shape: int) -> nn.Parameter:
    """Empty; `build` fills it."""
    return nn.Parameter(torch.empty(shape))
