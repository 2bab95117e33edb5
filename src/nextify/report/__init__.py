"""A study as a page, figures and tables. Reads records; never imports torch.

>>> from nextify.report import write_report
>>> write_report("study.db", "report")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nextify.report.write import write_report


def __getattr__(name: str) -> object:
    """What draws is imported when it is asked for: words alone need no matplotlib."""
    if name != "write_report":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from nextify.report.write import write_report

    return write_report
