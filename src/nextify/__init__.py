"""nextify: from ResNet to ConvNeXt, one design choice at a time.

>>> import nextify as nx
>>> nx.cost(nx.design("convnext-tiny")).params
28589128
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nextify.costs import Cost, cost
from nextify.designs import Design, Path, Recipe, Run, Swin, Vit, design, path, recipe
from nextify.errors import InputError
from nextify.fitting import fit, match_cost, match_width
from nextify.machine import limit_threads
from nextify.version import __version__ as __version__

if TYPE_CHECKING:
    from nextify.commands import (
        attribute,
        choose,
        classifier,
        compare,
        evaluate,
        export,
        load,
        predict,
        probe,
        study,
        train,
    )
    from nextify.measuring import Conditions, bench, measure_latency
    from nextify.network import build, load_weights, save_weights
    from nextify.training import initial_weights

# Where what needs torch is, which takes a second to import; everything else answers at once.
_LATER = {
    "network": ("build", "load_weights", "save_weights"),
    "measuring": ("Conditions", "bench", "measure_latency"),
    "training": ("initial_weights",),
    "commands": (
        "attribute",
        "choose",
        "classifier",
        "compare",
        "evaluate",
        "export",
        "load",
        "predict",
        "probe",
        "study",
        "train",
    ),
}


limit_threads()  # before anybody imports torch, which reads it then


def __getattr__(name: str) -> Any:
    for room, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"nextify.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
