"""Networks in torch, built from blueprints."""

from nextify.network.build import assemble, build
from nextify.network.files import Card, load_network, save_network
from nextify.network.initialise import WeightInit, initialise
from nextify.network.modules import Network
from nextify.network.weights import Loaded, convert_weights, load_weights, save_weights
