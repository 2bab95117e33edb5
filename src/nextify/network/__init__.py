"""Networks in torch, built from blueprints."""

from nextify.network.build import assemble, build
from nextify.network.depthwise import (
    DepthwiseConv2d,
    depthwise_weight_gradient,
    weight_gradient_method,
)
from nextify.network.initialise import WeightInit, initialise
from nextify.network.modules import Network, StochasticDepth

__all__ = [
    "DepthwiseConv2d",
    "Network",
    "StochasticDepth",
    "WeightInit",
    "assemble",
    "build",
    "depthwise_weight_gradient",
    "initialise",
    "weight_gradient_method",
]
