"""Arithmetic on records: what a choice did to a score, and how sure that is. No torch.

`measure_steps` is the paper's path: each step against the one before.
"""

from nextify.attribution.blocks import BlockModel, Interval, fit
from nextify.attribution.grid import Grid, Metric, correctness, grid, scores
from nextify.attribution.images import crossed_bootstrap, image_variance
from nextify.attribution.spread import Spread, Uneven, spread
from nextify.attribution.steps import CellMean, Difference, Steps, measure_steps

__all__ = [
    "BlockModel",
    "CellMean",
    "Difference",
    "Grid",
    "Interval",
    "Metric",
    "Spread",
    "Steps",
    "Uneven",
    "correctness",
    "crossed_bootstrap",
    "fit",
    "grid",
    "image_variance",
    "measure_steps",
    "scores",
    "spread",
]
