"""What the layers of transformers cost for one image.

MACs of attention are those of its two products: of queries with keys, and of the maps with values.
Padding to whole windows is computed, and counted.

Memory is that of the operators that run. ViT's attention is torch's fused one, which never stores
the maps; its logarithms of sums, one for each head and token, are kept. Swin's is torchvision's of
plain operators: scores and maps are stored, and the product of matrices copies queries, keys and
values of several heads into an order of its own. The bias of relative positions and the mask of
shifted windows are made once a batch.
"""

from nextify.blueprint import specs
from nextify.costs.facts import LayerFacts, Shape, values_of

_FLOAT32 = 4  # bytes


def token_facts(layer: specs.TokenLayer, shape: Shape) -> LayerFacts:
    """What a layer costs on a map of `shape`: (channels, height, width) in tokens."""
    channels, height, width = shape
    match layer:
        case specs.TokensLast():
            return LayerFacts(0, 0, shape, keeps_input=False, in_place=True)
        case specs.Embedding():
            after = (channels, 1, layer.tokens)
            params, alive = channels + values_of(after), 2 * values_of(after)
            return LayerFacts(params, 0, after, keeps_input=False, alive=alive)
        case specs.TokenNorm():  # mean and deviation of each token
            statistics = 2 * _FLOAT32 * height * width
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=statistics)
        case specs.TokenLinear():
            weights = layer.inputs * layer.outputs
            after = (layer.outputs, height, width)
            return LayerFacts(weights + layer.outputs * layer.bias, weights * height * width, after)
        case specs.Attention():
            return _attention(layer, height * width)
        case specs.WindowAttention():
            return _window_attention(layer, height, width)
        case specs.Windows():
            after = (channels, _whole(height, layer.window), _whole(width, layer.window))
            return LayerFacts(0, 0, after, keeps_input=False, alive=2 * values_of(after))
        case specs.Unwindow():
            after = (channels, layer.height, layer.width)
            return LayerFacts(0, 0, after, keeps_input=False, alive=2 * values_of(shape))
        case specs.Gather():
            after = (4 * channels, -(-height // 2), -(-width // 2))
            return LayerFacts(0, 0, after, keeps_input=False, alive=2 * values_of(after))
        case specs.ClassToken():  # a view: what keeps it keeps all tokens
            return LayerFacts(0, 0, (channels, 1, 1), keeps_output=True, in_place=True)
        case specs.TokenPool():
            return LayerFacts(0, 0, (channels, 1, 1), keeps_input=False)


def _attention(layer: specs.Attention, tokens: int) -> LayerFacts:
    after = (layer.channels, 1, tokens)
    sums = layer.heads * tokens
    return LayerFacts(
        params=0,
        macs=2 * tokens**2 * layer.channels,
        shape=after,
        keeps_output=True,
        keeps_values=values_of(after),
        keeps_bytes=_FLOAT32 * sums,
        alive=4 * values_of(after) + sums,
    )


def _window_attention(layer: specs.WindowAttention, height: int, width: int) -> LayerFacts:
    after = (layer.channels, height, width)
    values, size = values_of(after), layer.window**2
    maps = layer.heads * height * width * size
    several = layer.heads > 1
    bias = layer.heads * size**2
    copies = 2 if several and height * width > size else 1  # of queries and keys; scaled queries
    mask = height * width * size if layer.is_masked else 0
    return LayerFacts(
        params=layer.heads * (2 * layer.window - 1) ** 2,
        macs=2 * height * width * size * layer.channels,
        shape=after,
        keeps_input=not several,  # where nothing is copied, the product keeps views of it
        keeps_values=(3 if several else 1) * values + maps,
        alive=3 * values + max(copies * values + maps + bias, 2 * maps + max(bias, mask)),
    )


def _whole(side: int, window: int) -> int:
    """A side padded to whole windows."""
    return -(-side // window) * window
