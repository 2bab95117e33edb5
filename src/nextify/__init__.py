"""nextify: from ResNet to ConvNeXt, one design choice at a time.

>>> import nextify as nx
>>> nx.cost(nx.design("convnext-tiny")).params
28589128
"""

from typing import TYPE_CHECKING, Any

from nextify.costs import Cost, cost
from nextify.designs import Design, Path, Recipe, Run, Swin, Vit, design, path, recipe
from nextify.errors import InputError
from nextify.fitting import fit, match_cost, match_width

if TYPE_CHECKING:
    from nextify.measuring import Conditions, bench, measure_latency
    from nextify.network import build, load_weights, save_weights
    from nextify.training import initial_weights, train

__version__ = "0.1.0"
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
    "bench",
    "build",
    "cost",
    "design",
    "fit",
    "initial_weights",
    "load_weights",
    "match_cost",
    "match_width",
    "measure_latency",
    "path",
    "recipe",
    "save_weights",
    "train",
]


def __getattr__(name: str) -> Any:
    """Networks need torch, which takes a second to import; everything else answers at once."""
    if name in ("build", "load_weights", "save_weights"):
        from nextify import network

        return getattr(network, name)
    if name in ("Conditions", "bench", "measure_latency"):
        from nextify import measuring

        return getattr(measuring, name)
    if name in ("initial_weights", "train"):
        from nextify import training

        return getattr(training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
