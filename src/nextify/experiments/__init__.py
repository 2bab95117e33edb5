"""Arithmetic before the runs: which of the 2^k subsets of k factors to train, what they tell
apart, how precisely. No torch.

Modules here and in `findings` write `scipy.stats.…` in full: scipy then imports it at its
first use and not in every worker of a study, which starts a second sooner.
"""

from nextify.experiments.aliases import AliasSet, alias_sets, estimable, partial_aliases
from nextify.experiments.fractions import Fraction, fold_over, fraction, full, regular, with_ends
from nextify.experiments.optimal import augment, d_efficiency, multi_level
from nextify.experiments.permutations import (
    add_one_in,
    cells_of_orders,
    leave_one_out,
    path_cells,
    sampled_orders,
)
from nextify.experiments.precision import one_at_a_time_error, standard_error

__all__ = [
    "AliasSet",
    "Fraction",
    "add_one_in",
    "alias_sets",
    "augment",
    "cells_of_orders",
    "d_efficiency",
    "estimable",
    "fold_over",
    "fraction",
    "full",
    "leave_one_out",
    "multi_level",
    "one_at_a_time_error",
    "partial_aliases",
    "path_cells",
    "regular",
    "sampled_orders",
    "standard_error",
    "with_ends",
]
