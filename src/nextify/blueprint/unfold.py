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
                ("qkv", specs.Linear(layer.channels, 3 * layer.channels)),
                ("core", specs.Attention(layer.channels, layer.heads)),
                ("project", specs.Linear(layer.channels, layer.channels)),
            )
            mlp = _mlp(layer.channels, layer.inner, VIT_EPS)
        case specs.WindowBlock():
            mlp = _mlp(layer.channels, layer.inner, SWIN_EPS)
            attention = _windows(layer, height, width)
        case specs.PatchMerging():
            four = 4 * layer.channels
            return (
                ("gather", specs.Gather()),
                ("norm", specs.TokenNorm(four, SWIN_EPS)),
                ("reduction", specs.Conv(four, 2 * layer.channels, bias=False)),  # 1 x 1: linear
            )
    return (("attention", specs.Block(attention)), ("mlp", specs.Block(mlp)))


def _mlp(channels: int, inner: int, eps: float) -> specs.Layers:
    return (
        ("norm", specs.TokenNorm(channels, eps)),
        ("expand", specs.Linear(channels, inner)),
        ("act", specs.Activation("gelu")),
        ("contract", specs.Linear(inner, channels)),
    )


def _windows(layer: specs.WindowBlock, height: int, width: int) -> specs.Layers:
    # An axis of one window is not shifted.
    is_shifted = layer.shift > 0 and max(height, width) > layer.window
    return (
        ("norm", specs.TokenNorm(layer.channels, SWIN_EPS)),
        ("windows", specs.Windows(layer.window)),
        ("qkv", specs.Linear(layer.channels, 3 * layer.channels)),
        ("core", specs.WindowAttention(layer.channels, layer.heads, layer.window, is_shifted)),
        ("project", specs.Linear(layer.channels, layer.channels)),
        ("map", specs.Unwindow(height, width)),
    )
