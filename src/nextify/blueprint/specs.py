"""What a network is made of: frozen layer specs, no framework.

A layer's name and its spec stand beside each other in a tuple (`Layers`); the names become the
names of parameters in the built network, so that every intermediate has one.
"""

from dataclasses import dataclass
from typing import Literal

NormKind = Literal["batch", "layer"]
ActivationKind = Literal["relu", "gelu"]


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution, (N, inputs, H, W) to (N, outputs, H', W')."""

    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True

    def output_side(self, side: int) -> int:
        """The height (or width) of the output map for that of the input map, in pixels."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Max pooling, 3 x 3 with stride 2 and padding 1 (ResNet's stem)."""

    kernel: int = 3
    stride: int = 2
    padding: int = 1

    def output_side(self, side: int) -> int:
        """The height (or width) of the output map for that of the input map, in pixels."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch normalisation, or layer normalisation over the channels of each position."""

    kind: NormKind
    channels: int

    @property
    def eps(self) -> float:
        """1e-5 for batch norm (ResNet), 1e-6 for layer norm (ConvNeXt)."""
        return {"batch": 1e-5, "layer": 1e-6}[self.kind]


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function."""

    kind: ActivationKind


@dataclass(frozen=True, slots=True)
class LayerScale:
    """A learned factor per channel, with its initial value (arXiv 2103.17239)."""

    channels: int
    initial: float


@dataclass(frozen=True, slots=True)
class ResponseNorm:
    """Global response normalisation over the positions of each channel (arXiv 2301.00808)."""

    channels: int


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """The mean over all positions: (N, C, H, W) to (N, C, 1, 1)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer with bias on flattened input: (N, inputs) to (N, outputs)."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Block:
    """A residual block: after(shortcut(x) + branch(x)). An empty shortcut is the identity."""

    branch: "Layers"
    shortcut: "Layers" = ()
    after: "Layers" = ()


Layer = Conv | MaxPool | Norm | Activation | LayerScale | ResponseNorm | GlobalPool | Linear | Block
Layers = tuple[tuple[str, Layer], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The blocks that work at one resolution, and what leads there (may be empty)."""

    downsample: Layers
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole network: stem, stages, head. Input (N, 3, H, W), output (N, classes)."""

    stem: Layers
    stages: tuple[Stage, ...]
    head: Layers

    @property
    def classes(self) -> int:
        """How many outputs the classifier has."""
        last = self.head[-1][1]
        assert isinstance(last, Linear)
        return last.outputs

    def sections(self) -> tuple[tuple[str, Layers], ...]:
        """The parts in the order in which they run: stem, each stage, head."""
        stages = tuple(
            (
                f"stages.{at}",
                (
                    *((f"downsample.{name}", layer) for name, layer in stage.downsample),
                    *((f"blocks.{index}", block) for index, block in enumerate(stage.blocks)),
                ),
            )
            for at, stage in enumerate(self.stages)
        )
        return (("stem", self.stem), *stages, ("head", self.head))
