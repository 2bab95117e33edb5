"""The files of an experiment's report: page, figures and tables as bytes."""

from nextify.report.factors.content import FactorContent
from nextify.report.factors.contribution_figure import contribution_figure
from nextify.report.factors.half_normal_figure import half_normal_figure
from nextify.report.factors.interaction_figure import interaction_figure
from nextify.report.factors.lane_figure import rate_figure, ways_figure
from nextify.report.factors.page import factors_page
from nextify.report.factors.tables import contributions_csv, factors_json, interactions_csv
from nextify.report.style import Drawing

_OF_A_VIEW = (ways_figure, interaction_figure, half_normal_figure, rate_figure)


def factor_drawings(content: FactorContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    drawings = [contribution_figure(content)]
    for view in content.views:
        drawings += [made for draw in _OF_A_VIEW if (made := draw(content, view))]
    return drawings


def factor_files(
    content: FactorContent, drawings: list[Drawing], now: str | None
) -> dict[str, bytes]:
    """Page and tables by file name."""
    shown = {drawing.name: drawing for drawing in drawings}
    return {
        "contributions.csv": contributions_csv(content).encode(),
        "interactions.csv": interactions_csv(content).encode(),
        "report.json": factors_json(content, now).encode(),
        "report.html": factors_page(content, shown, now).encode(),
    }
