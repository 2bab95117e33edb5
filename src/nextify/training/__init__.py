"""Training a run: optimiser, schedule, loop, evaluation, folder; and what was trained, at work."""

from nextify.machine.facts import environment
from nextify.training.classify import Classified, classify, image_files, load_for, score
from nextify.training.ema import WeightAverage, effective_decay
from nextify.training.evaluate import Scores, calibration_error, evaluate
from nextify.training.folder import Prepared, Trained, design_to_train, prepare, train_in_folder
from nextify.training.initial import InitialWeights, as_seen, design_of, initial_weights
from nextify.training.loop import Settings, settings_on, train, train_with_network
from nextify.training.machine import (
    default_device,
    default_precision,
    usable_device,
)
from nextify.training.optimizer import layer_groups, make_optimizer, parameter_groups
from nextify.training.schedule import learning_rate_at
from nextify.training.state import State, generator_for

__all__ = [
    "Classified",
    "InitialWeights",
    "Prepared",
    "Scores",
    "Settings",
    "State",
    "Trained",
    "WeightAverage",
    "as_seen",
    "calibration_error",
    "classify",
    "default_device",
    "default_precision",
    "design_of",
    "design_to_train",
    "effective_decay",
    "environment",
    "evaluate",
    "generator_for",
    "image_files",
    "initial_weights",
    "layer_groups",
    "learning_rate_at",
    "load_for",
    "make_optimizer",
    "parameter_groups",
    "prepare",
    "score",
    "settings_on",
    "train",
    "train_in_folder",
    "train_with_network",
    "usable_device",
]
