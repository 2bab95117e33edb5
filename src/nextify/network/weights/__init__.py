"""Weights in and out, in the namings of the official code, of timm and of torchvision."""

from nextify.network.weights.convert import Converted, convert_weights
from nextify.network.weights.load import Loaded, load_weights
from nextify.network.weights.namings import NAMINGS, NamingName
from nextify.network.weights.preprocessing import Preprocessing
from nextify.network.weights.recognise import Recognised, read_design
from nextify.network.weights.save import foreign_entries, save_weights
from nextify.network.weights.source import Weights, open_weights

__all__ = [
    "NAMINGS",
    "Converted",
    "Loaded",
    "NamingName",
    "Preprocessing",
    "Recognised",
    "Weights",
    "convert_weights",
    "foreign_entries",
    "load_weights",
    "open_weights",
    "read_design",
    "save_weights",
]
