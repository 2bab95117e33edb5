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
from nextify.network.weights import (
    NAMINGS,
    Loaded,
    Preprocessing,
    convert_weights,
    load_weights,
    save_weights,
)

__all__ = [
    "NAMINGS",
    "Card",
    "DepthwiseConv2d",
    "Loaded",
    "Network",
    "Preprocessing",
    "StochasticDepth",
    "WeightInit",
    "assemble",
    "build",
    "convert_weights",
    "depthwise_weight_gradient",
    "initialise",
    "load_network",
    "load_weights",
    "save_network",
    "save_weights",
    "weight_gradient_method",
]
