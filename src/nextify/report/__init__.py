"""A study as a page, figures and tables. Reads records; never imports torch.

>>> from nextify.report import write_report
>>> write_report("study.db", "report")  # doctest: +SKIP
"""

from nextify.report.page import ReportFiles
from nextify.report.write import write_report

__all__ = ["ReportFiles", "write_report"]
