"""What the fields of `Vit` and `Swin` mean: the readers of their fields, as `draw` is of
`Design`'s; and `unfold`: what torchvision's blocks of them are made of, layer by layer."""

from functools import lru_cache

from nextify.blueprint import specs
from nextify.designs import Swin, Vit

IMAGE_CHANNELS = 3
VIT_EPS, SWIN_EPS = 1e-6, 1e-5  # of torchvision's norms


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


@lru_cache(maxsize=16384)
def unfold(layer: specs.Composite, height: int, width: int) -> specs.Layers:
    """The layers of a block on a map of height x width tokens.

    >>> from nextify.blueprint.specs import EncoderBlock
    >>> [name for name, _ in unfold(EncoderBlock(64, 4, 128), 1, 65)]
    ['attention', 'mlp']
    """
    channels = layer.channels
    core: specs.Layer
    before: specs.Layers = ()
    after: specs.Layers = ()
    match layer:
        case specs.PatchMerging():
            return (
                ("gather", specs.Gather()),
                ("norm", specs.TokenNorm(4 * channels, SWIN_EPS)),
                # A linear layer without bias on each token.
                ("reduction", specs.Conv(4 * channels, 2 * channels, bias=False)),
            )
        case specs.EncoderBlock():
            eps, core = VIT_EPS, specs.Attention(channels, layer.heads)
        case specs.WindowBlock():
            # An axis of one window is not shifted.
            is_shifted = layer.shift > 0 and max(height, width) > layer.window
            core = specs.WindowAttention(channels, layer.heads, layer.window, is_shifted)
            eps, before = SWIN_EPS, (("windows", specs.Windows(layer.window)),)
            after = (("map", specs.Unwindow(height, width)),)
    attention = (
        ("norm", specs.TokenNorm(channels, eps)),
        *before,
        ("qkv", specs.Linear(channels, 3 * channels)),
        ("core", core),
        ("project", specs.Linear(channels, channels)),
        *after,
    )
    mlp = (
        ("norm", specs.TokenNorm(channels, eps)),
        ("expand", specs.Linear(channels, layer.inner)),
        ("act", specs.Activation("gelu")),
        ("contract", specs.Linear(layer.inner, channels)),
    )
    return (("attention", specs.Block(attention)), ("mlp", specs.Block(mlp)))
