"""A network rebuilt of plain operators, for tracing: what a runtime knows and fuses.

The same numbers come out, up to rounding. Nothing branches on the device or on gradients, factors
and shifts are folded (`folding`), and a map has its channels where the next operator wants them:
first for convolutions, last for layer norms and for the products that 1 x 1 convolutions then are.
It is turned only where that changes, so that the body of a ConvNeXt block stands between one pair
of transpositions; and between these it is one matrix of positions by channels, since runtimes fuse
a bias, and OpenVINO an activation, into products of two dimensions better than into others. ONNX
Runtime is faster still where 1 x 1 convolutions of large maps stay what they are.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from itertools import groupby
from math import inf

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.swin_transformer import PatchMerging, ShiftedWindowAttention
from torchvision.ops import Permute

from nextify.network.export.folding import Affine, convolution, folded, linear
from nextify.network.modules import Network, ResidualBlock, ResponseNorm2d, Scale
from nextify.network.transformers import TokenEmbedding, TokenMean, VitBlock, WindowBlock

Sides = tuple[int, int]  # height and width, in pixels or positions

CONVOLVED_FROM = 14 * 14
"""Positions of a map from which ONNX Runtime convolves faster than it multiplies (measured:
docs/export.md); OpenVINO does not."""


class Turn(nn.Module):
    """The channels of a map to their other place: (N, C, H, W) to (N, H, W, C), or back."""

    def __init__(self, *, last: bool) -> None:
        super().__init__()
        self.order = (0, 2, 3, 1) if last else (0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.order)


class Mean(nn.Module):
    """The mean over all positions of a map: to (N, C)."""

    def __init__(self, *, last: bool) -> None:
        super().__init__()
        self.positions = (1, 2) if last else (2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.positions)


class Response(nn.Module):
    """`ResponseNorm2d` without its shift, which is folded, on a map with its channels anywhere."""

    def __init__(self, weight: Tensor, eps: float, last: bool = False) -> None:
        super().__init__()
        self.weight, self.eps, self.last = nn.Parameter(weight, False), eps, last

    def forward(self, x: Tensor) -> Tensor:
        positions, channels = ((1, 2), 3) if self.last else ((2, 3), 1)
        norm = (x * x).sum(positions, keepdim=True).sqrt()
        relative = norm / (norm.mean(channels, keepdim=True) + self.eps)
        weight = self.weight if self.last else self.weight.view(-1, 1, 1)
        return x * (1 + weight * relative)


class Sum(nn.Module):
    """A residual block: after(shortcut(x) + branch(x)), to a map of a size."""

    def __init__(
        self,
        size: Sides,
        branch: Iterable[nn.Module],
        shortcut: Iterable[nn.Module] = (),
        after: Iterable[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.size = size
        self.branch, self.shortcut, self.after = (
            nn.Sequential(*part) for part in (branch, shortcut, after)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.after(self.shortcut(x) + self.branch(x))
        return y


class Rows(nn.Module):
    """Parts that work on each position by itself, on all of them as one matrix: (..., C) to
    (..., C')."""

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.parts(x.flatten(0, -2))
        return y.view(*x.shape[:-1], y.shape[-1])


class Tokens(nn.Module):
    """The class token, and positions: (N, H, W, D) to (N, 1 + H W, D)."""

    def __init__(self, embedding: TokenEmbedding) -> None:
        super().__init__()
        first = embedding.class_token + embedding.positions[:, :1]
        self.first, self.rest = (
            nn.Parameter(first, False),
            nn.Parameter(embedding.positions[:, 1:], False),
        )

    def forward(self, x: Tensor) -> Tensor:
        patches = x.flatten(1, 2) + self.rest
        return torch.cat([self.first.expand(x.shape[0], -1, -1), patches], 1)


class Attend(nn.Module):
    """softmax(Q K^T + bias) V of each head, the queries divided already: Q, K and V one after the
    other in (..., L, 3 C) to (..., L, C). The bias is (..., heads, L, L)."""

    bias: Tensor | None

    def __init__(self, heads: int, bias: Tensor | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        each = x.view(*x.shape[:-1], 3 * self.heads, -1).transpose(-3, -2)
        query, key, value = torch.split(each, self.heads, -3)  # (..., heads, L, d)
        scores = query @ key.transpose(-1, -2)
        shares = torch.softmax(scores if self.bias is None else scores + self.bias, -1)
        return (shares @ value).transpose(-3, -2).flatten(-2)


class Cut(nn.Module):
    """A map, padded to whole windows of W x W positions and shifted, cut into these:
    (N, H, W, C) to (N, windows, W W, C)."""

    def __init__(self, window: int, shift: Sides) -> None:
        super().__init__()
        self.window, self.shift = window, shift

    def forward(self, x: Tensor) -> Tensor:
        side = self.window
        x = F.pad(x, (0, 0, 0, -x.shape[2] % side, 0, -x.shape[1] % side))
        if any(self.shift):
            x = x.roll([-by for by in self.shift], (1, 2))
        down, across = x.shape[1] // side, x.shape[2] // side
        cut = x.view(x.shape[0], down, side, across, side, -1).transpose(2, 3)
        return cut.reshape(x.shape[0], down * across, side * side, -1)


class Uncut(nn.Module):
    """Back from windows to a map of a size: (N, windows, W W, C) to (N, H, W, C)."""

    def __init__(self, window: int, shift: Sides, size: Sides) -> None:
        super().__init__()
        self.window, self.shift, self.size = window, shift, size

    def forward(self, x: Tensor) -> Tensor:
        side = self.window
        down, across = (-(-length // side) for length in self.size)
        cut = x.view(x.shape[0], down, across, side, side, -1).transpose(2, 3)
        whole = cut.reshape(x.shape[0], down * side, across * side, -1)
        if any(self.shift):
            whole = whole.roll(self.shift, (1, 2))
        return whole[:, : self.size[0], : self.size[1]]


class Gather(nn.Module):
    """2 x 2 neighbours as one token, a border of zeros where a side is odd: (N, H, W, C) to
    (N, H / 2, W / 2, 4 C), rounded up."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)


def plain(
    network: Network,
    image_size: Sides,
    colours: Affine | None = None,
    *,
    convolved_from: float = inf,
) -> nn.Module:
    """The network in evaluation mode, in float32 on the CPU, of plain operators: images
    (N, 3, H, W) to logits (N, classes).

    Args:
        image_size: of the images, which alone a ViT and a Swin then take.
        colours: what is done to the colours of an image before.
        convolved_from: positions of a map, from which its 1 x 1 convolutions stay convolutions.
    """
    source = deepcopy(network).cpu().double().eval().requires_grad_(False)
    first = [] if colours is None else [colours.double().requires_grad_(False)]
    stages = (
        layer for stage in source.stages for part in stage.children() for layer in part.children()
    )
    every = [*first, *source.stem.children(), *stages, *source.head.children()]
    made = nn.Sequential(*_Arranged(image_size, convolved_from).sequence(every)).float()
    return made.to(memory_format=torch.contiguous_format).requires_grad_(False).eval()


class _Arranged:
    """Puts parts one after another, and knows of the map at the place that it has come to whether
    its channels are last, and its size."""

    def __init__(self, size: Sides, convolved_from: float, last: bool = False) -> None:
        self.size, self.convolved_from, self.last = size, convolved_from, last

    def sequence(self, modules: Iterable[nn.Module]) -> list[nn.Module]:
        """These modules as plain parts, folded."""
        every = folded(part for module in modules for part in self._parts(module))
        return list(_in_rows(placed for part in every for placed in self._placed(part)))

    def _parts(self, module: nn.Module) -> Iterator[nn.Module]:
        """What a module does, step by step: each linear layer, norm, factor and shift by itself."""
        match module:
            case nn.Conv2d() | nn.MaxPool2d():
                self.size = _after(module, self.size)
                yield convolution(module) if isinstance(module, nn.Conv2d) else module
            case nn.Linear():
                yield linear(module.weight, module.bias)
            case nn.BatchNorm2d():
                yield Affine.of_batch_norm(module)
            case nn.LayerNorm():
                yield nn.LayerNorm(module.normalized_shape, module.eps, elementwise_affine=False)
                yield Affine(module.weight, module.bias)
            case Scale():
                yield Affine(module.weight, torch.zeros_like(module.weight))
            case ResponseNorm2d():
                yield Response(module.weight, module.eps)
                yield Affine(torch.ones_like(module.bias), module.bias)
            case nn.ReLU() | nn.GELU():
                yield nn.ReLU() if isinstance(module, nn.ReLU) else nn.GELU()
            case ResidualBlock():
                self.size = _behind(module.branch, self.size)
                yield Sum(self.size, module.branch.children(), module.shortcut.children(),
                          module.after.children())  # fmt: skip
            case TokenEmbedding():
                yield Tokens(module)
            case VitBlock():
                yield Sum(self.size, [module.ln_1, *_attention(module.self_attention)])
                yield Sum(self.size, [module.ln_2, *module.mlp])
            case WindowBlock():
                yield Sum(self.size, _windowed(module.norm1, module.attn, self.size))
                yield Sum(self.size, [module.norm2, *module.mlp])
            case PatchMerging():
                yield from self._merged(module)
            case nn.Dropout() | Permute():  # channels go where they are wanted
                return
            case _:
                yield module

    def _merged(self, module: PatchMerging) -> Iterator[nn.Module]:
        height, width = self.size
        self.size = -(-height // 2), -(-width // 2)
        yield Gather()
        for part in (module.norm, module.reduction):
            yield from self._parts(part)

    def _placed(self, part: nn.Module) -> list[nn.Module]:
        """A part, as it works where the channels are, or behind a turn."""
        match part:
            case nn.Conv2d(kernel_size=(1, 1), stride=(1, 1), groups=1) if (
                self.last and not self._is_large(self.size)
            ):
                return [linear(part.weight.flatten(1), part.bias)]
            case nn.Conv2d() | nn.MaxPool2d():
                return [*self._turned(last=False), part]
            case nn.LayerNorm() | nn.Linear() | Tokens() | Cut() | Gather():
                return [*self._turned(last=True), part]
            case Affine() | Response():
                part.last = self.last
            case nn.AdaptiveAvgPool2d() | TokenMean():
                mean, self.last = Mean(last=self.last), True
                return [mean]
            case Sum():
                return self._sum(part)
        return [part]

    def _sum(self, block: Sum) -> list[nn.Module]:
        """Both ways through a block end with their channels at one place; where all is convolved,
        they begin there, too."""
        is_convolved = any(isinstance(part, nn.Conv2d) for part in block.branch)
        before = self._turned(last=False) if is_convolved and self._is_large(block.size) else []
        ways = [_Arranged(block.size, self.convolved_from, self.last) for _ in range(2)]
        branch, shortcut = (
            own.sequence(way) for own, way in zip(ways, (block.branch, block.shortcut), strict=True)
        )
        if shortcut:
            shortcut += ways[1]._turned(last=ways[0].last)
        else:
            branch += ways[0]._turned(last=ways[1].last)
        self.last = ways[0].last
        return [*before, Sum(block.size, branch, shortcut, self.sequence(block.after))]

    def _is_large(self, size: Sides) -> bool:
        return size[0] * size[1] >= self.convolved_from

    def _turned(self, *, last: bool) -> list[nn.Module]:
        before, self.last = self.last, last
        return [] if before == last else [Turn(last=last)]


def _in_rows(parts: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """A sequence, in which linear layers and what stands among them are `Rows`."""
    for by_position, group in groupby(parts, _works_by_position):
        found = list(group)
        has_product = any(isinstance(part, nn.Linear) for part in found)
        yield from [Rows(found)] if by_position and has_product else found


def _works_by_position(part: nn.Module) -> bool:
    return isinstance(part, nn.LayerNorm | nn.Linear | nn.GELU | nn.ReLU)


def _after(part: nn.Conv2d | nn.MaxPool2d, size: Sides) -> Sides:
    """The size of a map behind a convolution or a pooling, whose window is square."""
    length, stride, padding = (
        each if isinstance(each, int) else int(each[0])
        for each in (part.kernel_size, part.stride, part.padding)
    )
    height, width = ((side + 2 * padding - length) // stride + 1 for side in size)
    return height, width


def _behind(branch: nn.Module, size: Sides) -> Sides:
    """The size of a map behind all convolutions of a branch."""
    for part in branch.modules():
        if isinstance(part, nn.Conv2d):
            size = _after(part, size)
    return size


def _attention(module: nn.MultiheadAttention) -> list[nn.Module]:
    """ViT's attention. Queries are divided by the root of their length in their weights."""
    joint = linear(module.in_proj_weight, module.in_proj_bias)
    return [_divided(joint, module.num_heads), Attend(module.num_heads), module.out_proj]


def _divided(joint: nn.Linear, heads: int) -> nn.Linear:
    channels = joint.in_features
    joint.weight[:channels] *= (channels // heads) ** -0.5
    joint.bias[:channels] *= (channels // heads) ** -0.5
    return joint


def _windowed(
    norm: nn.LayerNorm, attention: ShiftedWindowAttention, size: Sides
) -> list[nn.Module]:
    """Swin's norm and its attention within windows, on a map of a size.

    What fills windows up that the map does not is zero behind the norm, and stands in the
    attention: only where there is none of it is the norm's shift that of the layer behind.
    """
    window, heads = attention.window_size[0], attention.num_heads
    whole = [-(-side // window) * window for side in size]
    down, across = (
        0 if window >= side else by for side, by in zip(whole, attention.shift_size, strict=True)
    )
    cut, back = Cut(window, (down, across)), Uncut(window, (down, across), size)
    bias = attention.get_relative_position_bias()[None]  # (1, 1, heads, L, L)
    if down or across:
        bias = bias + _masked(cut, (whole[0], whole[1])).to(bias)[None, :, None]
    joint = _divided(linear(attention.qkv.weight, attention.qkv.bias), heads)
    before = [cut, norm] if whole == [*size] else [norm, cut]
    return [*before, joint, Attend(heads, bias[0]), attention.proj, back]


def _masked(cut: Cut, size: Sides) -> Tensor:
    """-100 between tokens of a window that were brought together from opposite borders, else 0:
    (windows, L, L)."""
    rows, columns = (
        (torch.arange(side) >= side - by).long() if by else torch.zeros(side).long()
        for side, by in zip(size, cut.shift, strict=True)
    )
    places = Cut(cut.window, (0, 0))((2 * rows[:, None] + columns)[None, :, :, None])[0, :, :, 0]
    return torch.ne(places[:, :, None], places[:, None, :]) * -100.0
