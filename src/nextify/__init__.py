"""nextify: from ResNet to ConvNeXt, one design choice at a time.

>>> import nextify as nx
>>> nx.cost(nx.design("convnext-tiny")).params
28589128
"""

from typing import TYPE_CHECKING, Any

from nextify.costs import Cost, cost
from nextify.designs import Design, Path, Recipe, Run, design, path, recipe
from nextify.errors import InputError

if TYPE_CHECKING:
    from nextify.network import build

__version__ = "0.1.0"
__all__ = [
    "Cost",
    "Design",
    "InputError",
    "Path",
    "Recipe",
    "Run",
    "build",
    "cost",
    "design",
    "path",
    "recipe",
]


def __getattr__(name: str) -> Any:
    """`build` needs torch, which takes a second to import; everything else answers at once."""
    if name == "build":
        from nextify.network import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
