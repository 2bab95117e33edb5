"""The report of a comparison: which network is better, on how many images, and who gains more."""

from nextify.report.comparison.content import ComparisonContent, comparison_content
from nextify.report.comparison.words import headline

__all__ = ["ComparisonContent", "comparison_content", "headline"]
