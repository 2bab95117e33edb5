"""Arithmetic on records: what a choice did to a score, and how sure that is. No torch.

`measure_steps` is the paper's path: each step against the one before. `measure_comparison` is of
networks against a baseline, on several numbers of training images. `fractions`, `optimal` and
`permutations` say which of the 2^k subsets of k factors to run, `aliases` and `precision` what can
be learned from them. `attribute` reads the records of such a study.

Modules here write `scipy.stats.…` in full: scipy then imports it at its first use and not in every
worker of a study, which starts a second sooner.
"""

from nextify.attribution.advice import Needed, runs_needed
from nextify.attribution.aliases import AliasSet, alias_sets, estimable, partial_aliases
from nextify.attribution.answers import (
    Attribution,
    Contribution,
    Gap,
    Interaction,
    NoiseSummary,
    Way,
    Ways,
    amount,
)
from nextify.attribution.attribute import attribute
from nextify.attribution.blocks import BlockModel, Interval, fit
from nextify.attribution.comparison import (
    Comparison,
    Crossing,
    Gains,
    Standings,
    measure_comparison,
)
from nextify.attribution.differences import CellMean, Difference, Verdict
from nextify.attribution.experiment import Experiment, Score, experiment
from nextify.attribution.fractions import Fraction, fold_over, fraction, full, regular, with_ends
from nextify.attribution.grid import Grid, Metric, correctness, grid, scores
from nextify.attribution.images import crossed_bootstrap, image_variance
from nextify.attribution.optimal import augment, d_efficiency, multi_level
from nextify.attribution.permutations import (
    add_one_in,
    cells_of_orders,
    leave_one_out,
    path_cells,
    sampled_orders,
)
from nextify.attribution.precision import one_at_a_time_error, standard_error
from nextify.attribution.shapley import exact_shapley
from nextify.attribution.spread import Spread, Uneven, spread
from nextify.attribution.steps import Steps, measure_steps

__all__ = [
    "AliasSet",
    "Attribution",
    "BlockModel",
    "CellMean",
    "Comparison",
    "Contribution",
    "Crossing",
    "Difference",
    "Experiment",
    "Fraction",
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
    "add_one_in",
    "alias_sets",
    "amount",
    "attribute",
    "augment",
    "cells_of_orders",
    "correctness",
    "crossed_bootstrap",
    "d_efficiency",
    "estimable",
    "exact_shapley",
    "experiment",
    "fit",
    "fold_over",
    "fraction",
    "full",
    "grid",
    "image_variance",
    "leave_one_out",
    "measure_comparison",
    "measure_steps",
    "multi_level",
    "one_at_a_time_error",
    "partial_aliases",
    "path_cells",
    "regular",
    "runs_needed",
    "sampled_orders",
    "scores",
    "spread",
    "standard_error",
    "with_ends",
]
