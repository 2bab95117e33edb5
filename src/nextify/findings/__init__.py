"""Arithmetic after the runs: what a choice did to a score, and how sure that is. Values and verdict
codes, no sentences. No torch.

`measure_steps` is of the path: each step against the one before. `measure_comparison` is of
networks against a baseline, on several numbers of training images. `attribute` reads an experiment
in factors. `choice.choose` reads the finals of a choice.
"""

from nextify.experiments.intervals import Interval
from nextify.findings.answers import Attribution, Contribution, Interaction
from nextify.findings.attribute import attribute
from nextify.findings.blocks import BlockModel
from nextify.findings.comparison import Comparison, Crossing, Standings, measure_comparison
from nextify.findings.differences import CellMean, Difference, Verdict
from nextify.findings.scores import Grid, Score, grid, scores, sigma_of
from nextify.findings.shapley import exact_shapley
from nextify.findings.steps import Steps, measure_steps
