"""`unfold`: what torchvision's blocks of transformers are made of, layer by layer."""

from functools import lru_cache

from nextify.blueprint import specs

VIT_EPS, SWIN_EPS = 1e-6, 1e-5  # of torchvision's norms


@lru_cache(maxsize=16384)
def unfold(layer: specs.Composite, height: int, width: int) -> specs.Layers:
    """The layers of a block on a map of height x width tokens.

    >>> from nextify.blueprint.specs import EncoderBlock
    >>> [name for name, _ in unfold(EncoderBlock(64, 4, 128), 1, 65)]
    ['attention', 'mlp']
    """
    match layer:
        case specs.EncoderBlock():
            attention: specs.Layers = (
                ("norm", specs.TokenNorm(layer.channels, VIT_EPS)),
                ("qkv", specs.TokenLinear(layer.channels, 3 * layer.channels)),
                ("core", specs.Attention(layer.channels, layer.heads)),
                ("project", specs.TokenLinear(layer.channels, layer.channels)),
            )
            mlp = _mlp(layer.channels, layer.inner, VIT_EPS)
            return (("attention", specs.Block(attention)), ("mlp", specs.Block(mlp)))
        case specs.WindowBlock():
            mlp = _mlp(layer.channels, layer.inner, SWIN_EPS)
            return (
                ("attention", specs.Block(_windows(layer, height, width))),
                ("mlp", specs.Block(mlp)),
            )
        case specs.PatchMerging():
            four = 4 * layer.channels
            return (
                ("gather", specs.Gather()),
                ("norm", specs.TokenNorm(four, SWIN_EPS)),
                ("reduction", specs.TokenLinear(four, 2 * layer.channels, bias=False)),
            )


def _mlp(channels: int, inner: int, eps: float) -> specs.Layers:
    return (
        ("norm", specs.TokenNorm(channels, eps)),
        ("expand", specs.TokenLinear(channels, inner)),
        ("act", specs.Activation("gelu")),
        ("contract", specs.TokenLinear(inner, channels)),
    )


def _windows(layer: specs.WindowBlock, height: int, width: int) -> specs.Layers:
    # An axis of one window is not shifted.
    is_shifted = layer.shift > 0 and max(height, width) > layer.window
    return (
        ("norm", specs.TokenNorm(layer.channels, SWIN_EPS)),
        ("windows", specs.Windows(layer.window, layer.shift if is_shifted else 0)),
        ("qkv", specs.TokenLinear(layer.channels, 3 * layer.channels)),
        ("core", specs.WindowAttention(layer.channels, layer.heads, layer.window, is_shifted)),
        ("project", specs.TokenLinear(layer.channels, layer.channels)),
        ("map", specs.Unwindow(height, width, is_shifted)),
    )
