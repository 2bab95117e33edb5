"""What a network is made of: frozen layer specs, no framework.

A layer's name and its spec stand beside each other in a tuple (`Layers`); the names become the
names of parameters in the built network, so that every intermediate has one.
"""

from dataclasses import dataclass
from operator import index
from typing import Literal, dataclass_transform

from nextify.errors import InputError
from nextify.words import in_short


@dataclass_transform(frozen_default=True)
class Layer:
    """What is told of a layer; every kind of it is a frozen dataclass."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)


class Conv(Layer):
    """A convolution, (N, inputs, H, W) to (N, outputs, H', W')."""

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True


class MaxPool(Layer):
    """Max pooling, 3 x 3 with stride 2 and padding 1 (ResNet's stem)."""

    kernel: int = 3
    stride: int = 2
    padding: int = 1


def output_side(layer: Conv | MaxPool, side: int) -> int:
    """The height (or width) of the output map for that of the input map, in pixels."""
    return (side + 2 * layer.padding - layer.kernel) // layer.stride + 1


def sides_of(image_size: int | tuple[int, int]) -> tuple[int, int]:
    """The height and width of images, in pixels, of one side or of both.

    >>> sides_of(224), sides_of((64, 96))
    ((224, 224), (64, 96))

    Raises:
        InputError: it is neither, or below 1.
    """
    given = image_size if isinstance(image_size, list | tuple) else (image_size, image_size)
    try:
        height, width = map(index, given)
    except (TypeError, ValueError):
        raise InputError(
            f"image size is {in_short(image_size)}; give pixels, as 224 or (224, 320)"
        ) from None
    if min(height, width) < 1:
        raise InputError(f"image size is {image_size}; it must be at least 1 pixel")
    return height, width


class Norm(Layer):
    """Batch normalisation, or layer normalisation over the channels of each position."""

    kind: Literal["batch", "layer"]
    channels: int


class Activation(Layer):
    """An activation function."""

    kind: Literal["relu", "gelu"]


class LayerScale(Layer):
    """A learned factor per channel, with its initial value (arXiv 2103.17239)."""

    channels: int
    initial: float


class ResponseNorm(Layer):
    """Global response normalisation over the positions of each channel (arXiv 2301.00808)."""

    channels: int


class GlobalPool(Layer):
    """The mean over all positions: (N, C, H, W) to (N, C, 1, 1)."""


class Linear(Layer):
    """A linear layer with bias on flattened input, (N, inputs) to (N, outputs), or each token."""

    inputs: int
    outputs: int


class Block(Layer):
    """A residual block: after(shortcut(x) + branch(x)). An empty shortcut is the identity."""

    branch: "Layers"
    shortcut: "Layers" = ()
    after: "Layers" = ()


# Of transformers. A token is a position of a map; ViT's tokens lie in a line, a map of height 1.


class TokensLast(Layer):
    """A map with the channels last: (N, C, H, W) to (N, H, W, C), in the same memory."""


class Embedding(Layer):
    """A map's positions as a line of tokens, a learned class token before them, and a learned
    position added to each: (N, channels, H, W) to (N, tokens, channels)."""

    channels: int
    tokens: int


class TokenNorm(Layer):
    """Layer normalisation of each token."""

    channels: int
    eps: float


class Attention(Layer):
    """softmax(Q K^T / sqrt(d)) V of each head, among all tokens: 3 x channels to channels."""

    channels: int
    heads: int


class Windows(Layer):
    """Padding to whole windows, the cyclic shift if there is one, and the cut into windows."""

    window: int


class WindowAttention(Layer):
    """Attention within windows, with a learned bias for each relative position; where they are
    shifted, tokens that were brought together from opposite borders are masked."""

    channels: int
    heads: int
    window: int
    is_masked: bool


class Unwindow(Layer):
    """Back from windows to a map of (height, width)."""

    height: int
    width: int


class Gather(Layer):
    """2 x 2 neighbours as one token, a border of zeros where a side is odd: (C, H, W) to
    (4 C, H / 2, W / 2), rounded up."""


class ClassToken(Layer):
    """The first token alone."""


class TokenPool(Layer):
    """The mean over all tokens of a plane: (N, H, W, C) to (N, C, 1, 1)."""


class EncoderBlock(Layer):
    """An encoder block of ViT, torchvision's `EncoderBlock`; `unfold` tells its layers."""

    channels: int
    heads: int
    inner: int


class WindowBlock(Layer):
    """A block of Swin, torchvision's `SwinTransformerBlock`; `unfold` tells its layers."""

    channels: int
    heads: int
    ratio: float
    window: int
    shift: int

    @property
    def inner(self) -> int:
        """Channels inside the MLP."""
        return int(self.channels * self.ratio)


class PatchMerging(Layer):
    """What leads from one stage of Swin to the next, torchvision's `PatchMerging`: half the sides,
    twice the channels; `unfold` tells its layers."""

    channels: int


Composite = EncoderBlock | WindowBlock | PatchMerging
"""Modules of torchvision, built whole; `nextify.blueprint.unfold` says what they are made of."""

AnyBlock = Block | EncoderBlock | WindowBlock
Layers = tuple[tuple[str, Layer], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The blocks that work at one resolution, and what leads there (may be empty)."""

    downsample: Layers
    blocks: tuple[AnyBlock, ...]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole network: stem, stages, head. Input (N, 3, H, W), output (N, classes)."""

    stem: Layers
    stages: tuple[Stage, ...]
    head: Layers

    def sections(self) -> tuple[tuple[str, Layers], ...]:
        """The parts in the order in which they run: stem, each stage, head."""
        stages = []
        for at, stage in enumerate(self.stages):
            downsample = ((f"downsample.{name}", layer) for name, layer in stage.downsample)
            blocks = ((f"blocks.{index}", block) for index, block in enumerate(stage.blocks))
            stages.append((f"stages.{at}", (*downsample, *blocks)))
        return (("stem", self.stem), *stages, ("head", self.head))
