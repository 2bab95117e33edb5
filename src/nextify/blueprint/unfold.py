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
