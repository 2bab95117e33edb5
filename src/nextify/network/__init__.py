"""Networks in torch, built from blueprints."""

from nextify.network.build import assemble, build
from nextify.network.depthwise import (
    DepthwiseConv2d,
    depthwise_weight_gradient,
    weight_gradient_method,
)
from nextify.network.files import Card, load_network, save_network
from nextify.network.initialise import WeightInit, initialise
from nextify.network.modules import Network, StochasticDepth

__all__ = [
    "Card",
    "DepthwiseConv2d",
    "Network",
    "StochasticDepth",
    "WeightInit",
    "assemble",
    "build",
    "depthwise_weight_gradient",
    "initialise",
    "load_network",
    "save_network",
    "weight_gradient_method",
]
