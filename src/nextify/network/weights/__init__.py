"""Weights in and out, in the namings of the official code, of timm and of torchvision."""

from nextify.network.weights.convert import Converted, convert_weights
from nextify.network.weights.load import Loaded, load_weights
from nextify.network.weights.save import save_weights
