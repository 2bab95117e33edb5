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
from nextify.version import __version__ as __version__

if TYPE_CHECKING:
    from nextify.commands import attribute, choose, compare, evaluate, predict, study, train
    from nextify.measuring import Conditions, bench, measure_latency
    from nextify.network import build, load_weights, save_weights
    from nextify.training import initial_weights

__all__ = [
    "Conditions",
    "Cost",
    "Design",
    "InputError",
    "Path",
    "Recipe",
    "Run",
    "Swin",
    "Vit",
    "attribute",
    "bench",
    "build",
    "choose",
    "compare",
    "cost",
    "design",
    "evaluate",
    "fit",
    "initial_weights",
    "load_weights",
    "match_cost",
    "match_width",
    "measure_latency",
    "path",
    "predict",
    "recipe",
    "save_weights",
    "study",
    "train",
]

# Where what needs torch is, which takes a second to import; everything else answers at once.
_LATER = {
    **dict.fromkeys(("build", "load_weights", "save_weights"), "network"),
    **dict.fromkeys(("Conditions", "bench", "measure_latency"), "measuring"),
    "initial_weights": "training",
    **dict.fromkeys(
        ("attribute", "choose", "compare", "evaluate", "predict", "study", "train"),
        "commands",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"nextify.{_LATER[name]}"), name)
