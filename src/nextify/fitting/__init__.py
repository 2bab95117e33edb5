"""Designs for a budget, and designs of equal cost. No torch."""

from nextify.fitting.budgets import BUDGETS, Measure, budgets_of
from nextify.fitting.fill import can_fill, fill_budget, narrowest, use_of
from nextify.fitting.fit import Fitted, fit
from nextify.fitting.match import match_cost
from nextify.fitting.widen import match_width
