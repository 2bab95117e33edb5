"""The report of cells against a reference: a path's steps against the step before, a comparison's
networks against the first."""

from nextify.report.cells.comparison_words import headline
from nextify.report.cells.content import ComparisonContent, comparison_content, steps_content
