"""What the fields of `Vit` and `Swin` mean: the readers of their fields, as `draw` is of
`Design`'s."""

from nextify.blueprint.specs import (
    Blueprint,
    ClassToken,
    Conv,
    Embedding,
    EncoderBlock,
    Layers,
    Linear,
    PatchMerging,
    Stage,
    TokenNorm,
    TokenPool,
    TokensLast,
    WindowBlock,
)
from nextify.blueprint.unfold import SWIN_EPS, VIT_EPS
from nextify.designs import Swin, Vit

IMAGE_CHANNELS = 3


def draw_vit(design: Vit, classes: int, image_size: tuple[int, int]) -> Blueprint:
    """A ViT for images of (height, width) pixels: patches, class token and positions; one stage of
    encoder blocks; the head on the class token."""
    height, width = (side // design.patch_size for side in image_size)
    stem: Layers = (
        ("conv", _patches(design)),
        ("embedding", Embedding(design.width, 1 + height * width)),
    )
    block = EncoderBlock(design.width, design.heads, design.inner)
    head: Layers = (
        ("norm", TokenNorm(design.width, VIT_EPS)),
        ("pool", ClassToken()),
        ("classifier", Linear(design.width, classes)),
    )
    return Blueprint(stem, (Stage((), (block,) * design.depth),), head)


def draw_swin(design: Swin, classes: int) -> Blueprint:
    """A Swin: patches; stages of blocks whose windows are shifted in every second one; between
    stages, 2 x 2 tokens merged to one."""
    stem: Layers = (
        ("conv", _patches(design)),
        ("tokens", TokensLast()),
        ("norm", TokenNorm(design.width, SWIN_EPS)),
    )
    stages = tuple(
        Stage(_merging(design, at), _blocks(design, at)) for at in range(len(design.depths))
    )
    channels = design.widths[-1]
    head: Layers = (
        ("norm", TokenNorm(channels, SWIN_EPS)),
        ("pool", TokenPool()),
        ("classifier", Linear(channels, classes)),
    )
    return Blueprint(stem, stages, head)


def _patches(design: Vit | Swin) -> Conv:
    side = design.patch_size
    return Conv(IMAGE_CHANNELS, design.width, kernel=side, stride=side)


def _merging(design: Swin, stage: int) -> Layers:
    return (("merging", PatchMerging(design.widths[stage - 1])),) if stage > 0 else ()


def _blocks(design: Swin, stage: int) -> tuple[WindowBlock, ...]:
    plain, shifted = (
        WindowBlock(
            design.widths[stage], design.heads[stage], design.mlp_ratio, design.window, shift
        )
        for shift in (0, design.window // 2)
    )
    return tuple(plain if at % 2 == 0 else shifted for at in range(design.depths[stage]))
