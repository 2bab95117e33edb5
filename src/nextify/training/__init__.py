"""Training a run: optimiser, schedule, loop, evaluation, folder; and what was trained, at work."""

from nextify.training.evaluate import Scores, evaluate
from nextify.training.folder import Prepared, Trained, prepare, train_in_folder
from nextify.training.initial import InitialWeights, initial_weights
from nextify.training.loop import Settings, train, train_with_network
from nextify.training.machine import default_device
from nextify.training.stacked import stackable, train_stack
