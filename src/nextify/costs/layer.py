"""What one layer costs for one image: the table that all counting goes through.

MACs of attention are those of its two products: of queries with keys, and of the maps with values.
Padding to whole windows is computed, and counted.

Memory is that of the operators that run. ViT's attention is torch's fused one, which never stores
the maps; its logarithms of sums, one for each head and token, are kept. Swin's is torchvision's of
plain operators: scores and maps are stored, and the product of matrices copies queries, keys and
values of several heads into an order of its own. The bias of relative positions and the mask of
shifted windows are made once a batch.
"""

from functools import lru_cache
from typing import NamedTuple

from nextify.blueprint import specs

_FLOAT32, _INT64 = 4, 8  # bytes

Shape = tuple[int, int, int]
"""Of a map: (channels, height, width)."""


class LayerFacts(NamedTuple):
    """What one layer costs for one image.

    Attributes:
        params: learned numbers. macs: multiply-accumulates.
        shape: of its output.
        keeps_input, keeps_output: whether the backward pass reads that map. An output that is not
            in the memory of the input is counted in `keeps_values`.
        keeps_bytes: what it keeps besides: statistics (float32), indices (int64).
        in_place: its output overwrites its input, or is a view of it.
        keeps_values: values that it keeps besides (copies, maps of attention).
        alive: values that are alive at once while it runs; None: its input and its output.
    """

    params: int
    macs: int
    shape: Shape
    keeps_input: bool = True
    keeps_output: bool = False
    keeps_bytes: int = 0
    in_place: bool = False
    keeps_values: int = 0
    alive: int | None = None


def values_of(shape: Shape) -> int:
    """How many values a map has."""
    channels, height, width = shape
    return channels * height * width


@lru_cache(maxsize=65536)
def layer_facts(layer: specs.Layer, shape: Shape) -> LayerFacts:
    """What a layer that is not a block costs, on an input of `shape`, of positions or tokens."""
    channels, height, width = shape
    match layer:
        case specs.Conv():
            after = (
                layer.outputs,
                specs.output_side(layer, height),
                specs.output_side(layer, width),
            )
            weights = layer.outputs * (layer.inputs // layer.groups) * layer.kernel**2
            params = weights + layer.outputs * layer.bias
            return LayerFacts(params, weights * after[1] * after[2], after)
        case specs.MaxPool():
            after = (channels, specs.output_side(layer, height), specs.output_side(layer, width))
            return LayerFacts(0, 0, after, keeps_bytes=_INT64 * values_of(after))
        case specs.Norm(kind="batch"):  # mean and deviation of each channel
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=2 * _FLOAT32 * channels)
        case specs.Norm() | specs.TokenNorm():  # mean and deviation of each position
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=2 * _FLOAT32 * height * width)
        case specs.ResponseNorm():  # norm, relative norm and gain of each channel; the mean norm
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=_FLOAT32 * (3 * channels + 1))
        case specs.LayerScale():
            return LayerFacts(channels, 0, shape)
        case specs.GlobalPool() | specs.TokenPool():
            return LayerFacts(0, 0, (channels, 1, 1), keeps_input=False)
        case specs.Linear():
            weights, after = layer.inputs * layer.outputs, (layer.outputs, height, width)
            return LayerFacts(weights + layer.outputs, weights * height * width, after)
        case specs.Activation(kind="relu"):
            return LayerFacts(0, 0, shape, keeps_input=False, keeps_output=True, in_place=True)
        case specs.Activation():
            return LayerFacts(0, 0, shape)
        case _:
            return _token_facts(layer, shape)


def _token_facts(layer: specs.Layer, shape: Shape) -> LayerFacts:
    channels, height, width = shape
    match layer:
        case specs.TokensLast():
            return LayerFacts(0, 0, shape, keeps_input=False, in_place=True)
        case specs.Embedding():
            after = (channels, 1, layer.tokens)
            return _copied(after, values_of(after), params=channels + values_of(after))
        case specs.Attention():
            return _attention(layer, height * width)
        case specs.WindowAttention():
            return _window_attention(layer, height, width)
        case specs.Windows():  # padded to whole windows
            down, across = (-(-side // layer.window) * layer.window for side in (height, width))
            after = (channels, down, across)
            return _copied(after, values_of(after))
        case specs.Unwindow():
            return _copied((channels, layer.height, layer.width), values_of(shape))
        case specs.Gather():
            after = (4 * channels, -(-height // 2), -(-width // 2))
            return _copied(after, values_of(after))
        case specs.ClassToken():  # a view: what keeps it keeps all tokens
            return LayerFacts(0, 0, (channels, 1, 1), keeps_output=True, in_place=True)
    raise AssertionError("a block is walked, not counted whole")


def _copied(after: Shape, values: int, params: int = 0) -> LayerFacts:
    """Of a layer that only moves values: two maps of so many are alive at once."""
    return LayerFacts(params, 0, after, keeps_input=False, alive=2 * values)


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
