"""`Design`: a network, as one value per architectural choice."""

from dataclasses import dataclass, fields
from typing import Literal

from nextify.designs.fields import check
from nextify.errors import InputError

MOST_BLOCKS = 10_000


def require_stages(kind: str, depths: tuple[int, ...], name: str, values: tuple[int, ...]) -> None:
    """Raises `InputError` for depths with too many blocks, or another number of values."""
    if len(depths) != len(values):
        raise InputError(
            f"{kind} field {name!r} is {values!r}, {len(values)} stages, but 'depths' is "
            f"{depths!r}, {len(depths)}; give one of each per stage"
        )
    require_blocks(kind, "depths", sum(depths))


def require_blocks(kind: str, field: str, blocks: int) -> None:
    """Raises `InputError` for too many blocks."""
    if blocks > MOST_BLOCKS:
        raise InputError(f"{kind} field {field!r} has {blocks:,} blocks; at most {MOST_BLOCKS:,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """A network, as one value per choice. The defaults are ResNet-50.

    Every combination of values is a legal network. What a value means for the layers is said
    in one place, `nextify.blueprint.draw`; this class only holds and checks the values.

    >>> Design().depths
    (3, 4, 6, 3)
    >>> Design(kernel_size=4)
    Traceback (most recent call last):
    ...
    nextify.errors.InputError: design field 'kernel_size' is 4; it must be odd (3 or 5)

    Fields (section of arXiv 2201.03545 that varies each):
        depths: residual blocks in each stage (2.2).
        widths: channels of the *narrow* part of the blocks in each stage (2.3, 2.4).
        stem: 7 x 7 convolution and max pooling, or a convolution of non-overlapping patches (2.2).
        stem_stride: how much smaller the stem makes the image. 2 and 1 adapt a design to small
            images; 16, with one stage, is the isotropic form (3.2 of ConvNeXt's paper).
        block: three convolutions, one of them spatial; or two spatial ones (basic, as in
            ResNet-18), which has none of the choices within a bottleneck.
        spatial: the block's spatial convolution mixes channels (dense) or not (2.3).
        bottleneck: which part of the block is narrow: its inside, or the residual stream (2.4).
        ratio: width of the wide part of a block over that of the narrow part.
        spatial_position: where in the block the spatial convolution stands (2.5).
        kernel_size: of the spatial convolution; odd (2.5).
        activation: which activation function (2.6).
        activations: after every convolution, or one in a block (2.6).
        norms: after every convolution, or one in a block (2.6).
        norm: which normalisation (2.6).
        downsampling: by the first block of a stage, or by a layer of its own between stages (2.6).
        layer_scale: initial value of a learned factor per channel on each block's output; None
            for no factor (arXiv 2103.17239; used by the paper's recipe at 1e-6).
        response_norm: global response normalisation before a block's last pointwise convolution
            (ConvNeXt V2, arXiv 2301.00808, section 3.2), there in place of layer scale.
    """

    depths: tuple[int, ...] = (3, 4, 6, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: Literal["conv_pool", "patchify"] = "conv_pool"
    stem_stride: Literal[16, 4, 2, 1] = 4
    block: Literal["bottleneck", "basic"] = "bottleneck"
    spatial: Literal["dense", "depthwise"] = "dense"
    bottleneck: Literal["narrow", "inverted"] = "narrow"
    ratio: int = 4
    spatial_position: Literal["middle", "first"] = "middle"
    kernel_size: int = 3
    activation: Literal["relu", "gelu"] = "relu"
    activations: Literal["every", "one"] = "every"
    norms: Literal["every", "one"] = "every"
    norm: Literal["batch", "layer"] = "batch"
    downsampling: Literal["in_block", "separate"] = "in_block"
    layer_scale: float | None = None
    response_norm: Literal["none", "global"] = "none"

    def __post_init__(self) -> None:
        check(self, positive=("depths", "widths", "ratio", "kernel_size"),
              not_negative=("layer_scale",))  # fmt: skip
        require_stages("design", self.depths, "widths", self.widths)
        if self.block == "basic":
            self._require_no_bottleneck()
        if self.kernel_size % 2 == 0:
            raise InputError(
                f"design field 'kernel_size' is {self.kernel_size}; it must be odd "
                f"({self.kernel_size - 1} or {self.kernel_size + 1})"
            )

    def _require_no_bottleneck(self) -> None:
        """Refuse choices that a basic block does not have, rather than ignore them."""
        for name in _OF_BOTTLENECKS:
            value, default = getattr(self, name), _DEFAULTS[name]
            if value != default:
                raise InputError(
                    f"design field {name!r} is {value!r}, a choice that a basic block does not "
                    f"have; use block=bottleneck, or {name}={default}"
                )


_OF_BOTTLENECKS = (
    "spatial", "bottleneck", "ratio", "spatial_position", "activations", "norms", "response_norm",
)  # fmt: skip
_DEFAULTS = {field.name: field.default for field in fields(Design)}
