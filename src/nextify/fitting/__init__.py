"""Designs for a budget, and designs of equal cost. No torch."""

from nextify.fitting.fill import can_fill, fill_budget, use_of
from nextify.fitting.fit import BUDGETS, Fitted, Measure, budgets_of, fit
from nextify.fitting.match import match_cost
from nextify.fitting.space import Space
from nextify.fitting.widen import Widened, match_width

__all__ = [
    "BUDGETS",
    "Fitted",
    "Measure",
    "Space",
    "Widened",
    "budgets_of",
    "can_fill",
    "fill_budget",
    "fit",
    "match_cost",
    "match_width",
    "use_of",
]
