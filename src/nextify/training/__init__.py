"""Training a run: optimiser, schedule, loop, evaluation, checkpoint."""

from nextify.machine.facts import environment
from nextify.training.ema import WeightAverage, effective_decay
from nextify.training.evaluate import Scores, calibration_error, evaluate
from nextify.training.initial import InitialWeights, as_seen, design_of, initial_weights
from nextify.training.loop import (
    Settings,
    augmentation,
    default_loaders,
    train,
    train_with_network,
    update,
)
from nextify.training.machine import default_device
from nextify.training.optimizer import layer_groups, make_optimizer, parameter_groups
from nextify.training.schedule import learning_rate_at
from nextify.training.state import State, generator_for

__all__ = [
    "InitialWeights",
    "Scores",
    "Settings",
    "State",
    "WeightAverage",
    "as_seen",
    "augmentation",
    "calibration_error",
    "default_device",
    "default_loaders",
    "design_of",
    "effective_decay",
    "environment",
    "evaluate",
    "generator_for",
    "initial_weights",
    "layer_groups",
    "learning_rate_at",
    "make_optimizer",
    "parameter_groups",
    "train",
    "train_with_network",
    "update",
]
