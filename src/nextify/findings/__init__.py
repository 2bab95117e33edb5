"""Arithmetic after the runs: what a choice did to a score, and how sure that is. Values and verdict
codes, no sentences. No torch.

`measure_steps` is of the path: each step against the one before. `measure_comparison` is of
networks against a baseline, on several numbers of training images. `attribute` reads an experiment
in factors.
"""

from nextify.findings.advice import Needed, runs_needed
from nextify.findings.answers import (
    Attribution,
    Contribution,
    Gap,
    Interaction,
    NoiseSummary,
    Way,
    Ways,
    amount,
)
from nextify.findings.attribute import attribute
from nextify.findings.blocks import BlockModel, Interval, fit
from nextify.findings.comparison import Comparison, Crossing, Gains, Standings, measure_comparison
from nextify.findings.differences import CellMean, Difference, Verdict
from nextify.findings.experiment import Experiment, Score, experiment
from nextify.findings.grid import Grid, Metric, correctness, grid, scores
from nextify.findings.images import crossed_bootstrap, image_variance
from nextify.findings.shapley import exact_shapley
from nextify.findings.spread import Spread, Uneven, spread
from nextify.findings.steps import Steps, measure_steps

__all__ = [
    "Attribution",
    "BlockModel",
    "CellMean",
    "Comparison",
    "Contribution",
    "Crossing",
    "Difference",
    "Experiment",
    "Gains",
    "Gap",
    "Grid",
    "Interaction",
    "Interval",
    "Metric",
    "Needed",
    "NoiseSummary",
    "Score",
    "Spread",
    "Standings",
    "Steps",
    "Uneven",
    "Verdict",
    "Way",
    "Ways",
    "amount",
    "attribute",
    "correctness",
    "crossed_bootstrap",
    "exact_shapley",
    "experiment",
    "fit",
    "grid",
    "image_variance",
    "measure_comparison",
    "measure_steps",
    "runs_needed",
    "scores",
    "spread",
]
