"""The files of an experiment's report: page, figures and tables as bytes."""

from nextify.report.factors.content import FactorContent
from nextify.report.factors.contribution_figure import contribution_figure
from nextify.report.factors.half_normal_figure import half_normal_figure
from nextify.report.factors.interaction_figure import interaction_figure
from nextify.report.factors.lane_figure import rate_figure, ways_figure
from nextify.report.factors.page import factors_page
from nextify.report.factors.tables import as_values, contributions_csv, interactions_csv
from nextify.report.page import json_text
from nextify.report.style import Drawing

_OF_A_VIEW = (ways_figure, interaction_figure, half_normal_figure, rate_figure)


def factor_drawings(content: FactorContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    drawings = [contribution_figure(content)]
    for view in content.views:
        drawings += [made for draw in _OF_A_VIEW if (made := draw(content, view))]
    return drawings


def factor_texts(
    content: FactorContent, drawings: list[Drawing], now: str | None
) -> dict[str, str]:
    """Page and tables by file name."""
    return {
        "contributions.csv": contributions_csv(content),
        "interactions.csv": interactions_csv(content),
        "report.json": json_text({"written": now, **as_values(content)}),
        "report.html": factors_page(content, drawings, now),
    }
