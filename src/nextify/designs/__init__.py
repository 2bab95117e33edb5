"""What can be chosen: designs, the paths between them, recipes and runs. Pure data.

>>> design("convnext-tiny").kernel_size
7
"""

from nextify.designs.design import Design
from nextify.designs.factor import Factor, default_factors, read_factors
from nextify.designs.families import FAMILIES, design
from nextify.designs.path import Choice, Paper, Path, Step
from nextify.designs.paths import PATHS, path
from nextify.designs.recipe import RECIPES, Recipe, recipe
from nextify.designs.run import Initial, Precision, Run, run_from_dict

__all__ = [
    "FAMILIES",
    "PATHS",
    "RECIPES",
    "Choice",
    "Design",
    "Factor",
    "Initial",
    "Paper",
    "Path",
    "Precision",
    "Recipe",
    "Run",
    "Step",
    "default_factors",
    "design",
    "path",
    "read_factors",
    "recipe",
    "run_from_dict",
]
