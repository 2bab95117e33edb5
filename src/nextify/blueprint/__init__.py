"""What a design means: `draw` turns choices into layer specs, once for counting and building."""

from nextify.blueprint.draw import draw, draw_sized
from nextify.blueprint.fit import require_fit
from nextify.blueprint.specs import (
    Activation,
    Block,
    Blueprint,
    Conv,
    GlobalPool,
    Layer,
    Layers,
    LayerScale,
    Linear,
    MaxPool,
    Norm,
    ResponseNorm,
    Stage,
)
from nextify.blueprint.text import as_text

__all__ = [
    "Activation",
    "Block",
    "Blueprint",
    "Conv",
    "GlobalPool",
    "Layer",
    "LayerScale",
    "Layers",
    "Linear",
    "MaxPool",
    "Norm",
    "ResponseNorm",
    "Stage",
    "as_text",
    "draw",
    "draw_sized",
    "require_fit",
]
