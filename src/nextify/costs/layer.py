"""What one layer costs for one image: the table that all counting goes through."""

from functools import lru_cache

from nextify.blueprint import specs
from nextify.costs.facts import LayerFacts, Shape, values_of
from nextify.costs.tokens import token_facts

_FLOAT32, _INT64 = 4, 8  # bytes


@lru_cache(maxsize=65536)
def layer_facts(layer: specs.Layer, shape: Shape) -> LayerFacts:
    """What a layer that is not a block costs, on an input of `shape`."""
    channels, height, width = shape
    match layer:
        case specs.Conv():
            return _conv(layer, height, width)
        case specs.MaxPool():
            after = (channels, layer.output_side(height), layer.output_side(width))
            return LayerFacts(0, 0, after, keeps_bytes=_INT64 * values_of(after))
        case specs.Norm(kind="batch"):  # mean and deviation of each channel
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=2 * _FLOAT32 * channels)
        case specs.Norm():  # mean and deviation of each position
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=2 * _FLOAT32 * height * width)
        case specs.ResponseNorm():  # norm, relative norm and gain of each channel; the mean norm
            return LayerFacts(2 * channels, 0, shape, keeps_bytes=_FLOAT32 * (3 * channels + 1))
        case specs.LayerScale():
            return LayerFacts(channels, 0, shape)
        case specs.GlobalPool():
            return LayerFacts(0, 0, (channels, 1, 1), keeps_input=False)
        case specs.Linear():
            weights = layer.inputs * layer.outputs
            return LayerFacts(weights + layer.outputs, weights, (layer.outputs, 1, 1))
        case specs.Activation(kind="relu"):
            return LayerFacts(0, 0, shape, keeps_input=False, keeps_output=True, in_place=True)
        case specs.Activation():
            return LayerFacts(0, 0, shape)
        case specs.Block() | specs.EncoderBlock() | specs.WindowBlock() | specs.PatchMerging():
            raise AssertionError("a block is walked, not counted whole")
        case _:
            return token_facts(layer, shape)


def _conv(conv: specs.Conv, height: int, width: int) -> LayerFacts:
    after = (conv.outputs, conv.output_side(height), conv.output_side(width))
    weights = conv.outputs * (conv.inputs // conv.groups) * conv.kernel**2
    return LayerFacts(weights + conv.outputs * conv.bias, weights * after[1] * after[2], after)
