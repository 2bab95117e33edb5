"""Designs for a budget, and designs of equal cost. No torch."""

from nextify.fitting.fit import BUDGETS, Fitted, Measure, fit
from nextify.fitting.match import match_cost
from nextify.fitting.space import Space

__all__ = ["BUDGETS", "Fitted", "Measure", "Space", "fit", "match_cost"]
