"""What the fields of `Vit` and `Swin` mean: the readers of their fields, as `draw` is of
`Design`'s."""

from nextify.blueprint import specs
from nextify.blueprint.unfold import SWIN_EPS, VIT_EPS
from nextify.designs import Swin, Vit

IMAGE_CHANNELS = 3


def draw_vit(design: Vit, classes: int, image_size: tuple[int, int]) -> specs.Blueprint:
    """A ViT for images of (height, width) pixels: patches, class token and positions; one stage of
    encoder blocks; the head on the class token."""
    height, width = (side // design.patch_size for side in image_size)
    stem: specs.Layers = (
        ("conv", _patches(design)),
        ("embedding", specs.Embedding(design.width, 1 + height * width)),
    )
    block = specs.EncoderBlock(design.width, design.heads, design.inner)
    head: specs.Layers = (
        ("norm", specs.TokenNorm(design.width, VIT_EPS)),
        ("pool", specs.ClassToken()),
        ("classifier", specs.Linear(design.width, classes)),
    )
    return specs.Blueprint(stem, (specs.Stage((), (block,) * design.depth),), head)


def draw_swin(design: Swin, classes: int) -> specs.Blueprint:
    """A Swin: patches; stages of blocks whose windows are shifted in every second one; between
    stages, 2 x 2 tokens merged to one."""
    stem: specs.Layers = (
        ("conv", _patches(design)),
        ("tokens", specs.TokensLast()),
        ("norm", specs.TokenNorm(design.width, SWIN_EPS)),
    )
    stages: list[specs.Stage] = []
    merging: specs.Layers = ()
    for depth, channels, heads in zip(design.depths, design.widths, design.heads, strict=True):
        pair = tuple(
            specs.WindowBlock(channels, heads, design.mlp_ratio, design.window, shift)
            for shift in (0, design.window // 2)
        )
        stages.append(specs.Stage(merging, (pair * depth)[:depth]))
        merging = (("merging", specs.PatchMerging(channels)),)
    head: specs.Layers = (
        ("norm", specs.TokenNorm(channels, SWIN_EPS)),
        ("pool", specs.TokenPool()),
        ("classifier", specs.Linear(channels, classes)),
    )
    return specs.Blueprint(stem, tuple(stages), head)


def _patches(design: Vit | Swin) -> specs.Conv:
    side = design.patch_size
    return specs.Conv(IMAGE_CHANNELS, design.width, kernel=side, stride=side)
