"""A study as a page, figures and tables. Reads records; never imports torch.

>>> from nextify.report import write_report
>>> write_report("study.db", "report")  # doctest: +SKIP
"""

from nextify.report.write import ReportFiles, write_report

__all__ = ["ReportFiles", "write_report"]
