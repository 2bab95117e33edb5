"""What can be chosen: designs, the paths between them, recipes and runs. Pure data.

>>> design("convnext-tiny").kernel_size
7
"""

from nextify.designs.design import Design
from nextify.designs.factor import Factor, Nuisance, default_factors, read_crossed, read_factors
from nextify.designs.families import FAMILIES, NAMED, design, known_design
from nextify.designs.path import Paper, Path, Step
from nextify.designs.paths import PATHS, path
from nextify.designs.recipe import RECIPES, Recipe, recipe
from nextify.designs.run import Initial, Precision, Run
from nextify.designs.transformers import (
    AnyDesign,
    Swin,
    Transformer,
    Vit,
    require_convolutional,
)
