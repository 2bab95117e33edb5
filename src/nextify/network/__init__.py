"""Networks in torch, built from blueprints."""

from nextify.network.build import assemble, build, copy_of, stack_of
from nextify.network.files import Card, load_network, save_network
from nextify.network.initialise import WeightInit, initialise
from nextify.network.modules import Network
from nextify.network.stack import Stack
from nextify.network.weights.class_names import read_class_names
from nextify.network.weights.convert import convert_weights
from nextify.network.weights.load import Loaded, load_weights
from nextify.network.weights.save import save_weights
