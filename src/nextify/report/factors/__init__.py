"""The report of an experiment: which factor made the difference, how sure that is, at what cost."""

from nextify.report.factors.content import FactorContent, View, factor_content
