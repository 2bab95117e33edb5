"""Training a run: optimiser, schedule, loop, evaluation, folder; and what was trained, at work."""

from nextify.training.ema import WeightAverage, effective_decay
from nextify.training.evaluate import Scores, calibration_error, evaluate
from nextify.training.folder import Prepared, Trained, prepare, train_in_folder
from nextify.training.initial import InitialWeights, initial_weights
from nextify.training.loop import Settings, train, train_with_network
from nextify.training.machine import default_device
from nextify.training.optimizer import layer_groups, make_optimizer, parameter_groups
from nextify.training.schedule import learning_rate_at
