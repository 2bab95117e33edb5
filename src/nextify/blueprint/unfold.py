"""`unfold`: what torchvision's blocks of transformers are made of, layer by layer."""

from functools import lru_cache

from nextify.blueprint.specs import (
    Activation,
    Attention,
    Block,
    Composite,
    EncoderBlock,
    Gather,
    Layers,
    PatchMerging,
    TokenLinear,
    TokenNorm,
    Unwindow,
    WindowAttention,
    WindowBlock,
    Windows,
)

VIT_EPS, SWIN_EPS = 1e-6, 1e-5  # of torchvision's norms


@lru_cache(maxsize=16384)
def unfold(layer: Composite, height: int, width: int) -> Layers:
    """The layers of a block on a map of height x width tokens.

    >>> from nextify.blueprint.specs import EncoderBlock
    >>> [name for name, _ in unfold(EncoderBlock(64, 4, 128), 1, 65)]
    ['attention', 'mlp']
    """
    match layer:
        case EncoderBlock():
            attention: Layers = (
                ("norm", TokenNorm(layer.channels, VIT_EPS)),
                ("qkv", TokenLinear(layer.channels, 3 * layer.channels)),
                ("core", Attention(layer.channels, layer.heads)),
                ("project", TokenLinear(layer.channels, layer.channels)),
            )
            mlp = _mlp(layer.channels, layer.inner, VIT_EPS)
            return (("attention", Block(attention)), ("mlp", Block(mlp)))
        case WindowBlock():
            mlp = _mlp(layer.channels, layer.inner, SWIN_EPS)
            return (("attention", Block(_windows(layer, height, width))), ("mlp", Block(mlp)))
        case PatchMerging():
            four = 4 * layer.channels
            return (
                ("gather", Gather()),
                ("norm", TokenNorm(four, SWIN_EPS)),
                ("reduction", TokenLinear(four, 2 * layer.channels, bias=False)),
            )


def _mlp(channels: int, inner: int, eps: float) -> Layers:
    return (
        ("norm", TokenNorm(channels, eps)),
        ("expand", TokenLinear(channels, inner)),
        ("act", Activation("gelu")),
        ("contract", TokenLinear(inner, channels)),
    )


def _windows(layer: WindowBlock, height: int, width: int) -> Layers:
    # An axis of one window is not shifted.
    is_shifted = layer.shift > 0 and max(height, width) > layer.window
    return (
        ("norm", TokenNorm(layer.channels, SWIN_EPS)),
        ("windows", Windows(layer.window, layer.shift if is_shifted else 0)),
        ("qkv", TokenLinear(layer.channels, 3 * layer.channels)),
        ("core", WindowAttention(layer.channels, layer.heads, layer.window, is_shifted)),
        ("project", TokenLinear(layer.channels, layer.channels)),
        ("map", Unwindow(height, width, is_shifted)),
    )
