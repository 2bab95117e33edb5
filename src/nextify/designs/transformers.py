"""`Vit` and `Swin`: transformers as designs, beside the convolutional `Design`."""

from dataclasses import dataclass
from typing import Literal

from nextify.designs.design import Design, require_blocks, require_stages
from nextify.designs.fields import check
from nextify.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Vit:
    """A Vision Transformer (arXiv 2010.11929), as torchvision builds it. The defaults are ViT-B/16.

    >>> Vit().head_size
    64.0
    >>> Vit(heads=5)
    Traceback (most recent call last):
    ...
    nextify.errors.InputError: vit field 'width' is 768; it must be a multiple of its 5 heads

    The image size is no field. As with the number of classes, a network is built for that of its
    data: it has a learned position for each patch, and sees images of no other size.

    Fields (sections of the paper):
        kind: tells designs apart in JSON.
        patch_size: side of the square patches, in pixels, each of which becomes a token (3.1).
        depth: encoder blocks. width: channels of a token. heads: of the attention.
        mlp_ratio: width of the MLP's inside over that of a token, rounded down.
    """

    kind: Literal["vit"] = "vit"
    patch_size: int = 16
    depth: int = 12
    width: int = 768
    heads: int = 12
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        check(self, positive=("patch_size", "depth", "width", "heads", "mlp_ratio"))
        _require_heads("vit", self.width, self.heads)
        require_blocks("vit", "depth", self.depth)
        _require_inside("vit", self.width, self.mlp_ratio)

    @property
    def head_size(self) -> float:
        """Channels of a head."""
        return self.width / self.heads

    @property
    def inner(self) -> int:
        """Channels inside the MLP."""
        return int(self.width * self.mlp_ratio)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swin:
    """A Swin Transformer (arXiv 2103.14030), as torchvision builds it. The defaults are Swin-T.

    >>> Swin().widths
    (96, 192, 384, 768)

    Fields (sections of the paper):
        kind: tells designs apart in JSON.
        patch_size: side of the square patches, in pixels (3.1). What is left of an image at its
            right and lower border when patches do not divide it is not looked at.
        width: channels in the first stage; each later stage has twice as many (3.1).
        depths: blocks in each stage. Every second one has shifted windows (3.2).
        heads: of the attention in each stage.
        window: side of the square windows in tokens (3.2). Maps that windows do not divide are
            padded.
        mlp_ratio: width of an MLP's inside over that of a token, rounded down.
    """

    kind: Literal["swin"] = "swin"
    patch_size: int = 4
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        check(self, positive=("patch_size", "width", "depths", "heads", "window", "mlp_ratio"))
        require_stages("swin", self.depths, "heads", self.heads)
        if len(self.depths) > 32:
            raise InputError(f"swin field 'depths' has {len(self.depths)} stages; at most 32")
        for width, heads in zip(self.widths, self.heads, strict=True):
            _require_heads("swin", width, heads)
        _require_inside("swin", self.width, self.mlp_ratio)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels in each stage."""
        return tuple(self.width * 2**stage for stage in range(len(self.depths)))

    @property
    def head_size(self) -> float:
        """Channels of a head in the first stage."""
        return self.width / self.heads[0]


def _require_heads(kind: str, width: int, heads: int) -> None:
    if width % heads:
        raise InputError(
            f"{kind} field 'width' is {width}; it must be a multiple of its {heads} heads"
        )


def _require_inside(kind: str, width: int, ratio: float) -> None:
    if width * ratio < 1:
        raise InputError(
            f"{kind} field 'mlp_ratio' is {ratio:g}; it leaves an MLP no channel, give at least "
            f"{1 / width:.3g}"
        )


Transformer = Vit | Swin
AnyDesign = Design | Vit | Swin
"""A network, as one value per choice: convolutional, or a transformer."""


def require_convolutional(design: AnyDesign, what: str) -> Design:
    """The design, if it is a convolutional one.

    Raises:
        InputError: it is a transformer, which `what` does not work with.
    """
    match design:
        case Design():
            return design
        case Vit() | Swin():
            raise InputError(
                f"{what} works with convolutional designs, and this one is a transformer "
                f"({design.kind}); choose one with depths and widths (`nextify designs` lists both)"
            )
