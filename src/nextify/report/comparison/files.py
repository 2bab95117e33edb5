"""The files of a comparison's report: page, figures and tables as bytes."""

from nextify.report.comparison.content import ComparisonContent
from nextify.report.comparison.line_figure import line_figure
from nextify.report.comparison.page import comparison_page
from nextify.report.comparison.row_figure import row_figure
from nextify.report.comparison.tables import comparison_csv, comparison_json, gains_csv
from nextify.report.curve_figure import Curves, draw_curves
from nextify.report.style import Drawing
from nextify.words import plural, whole


def comparison_drawings(content: ComparisonContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    main = line_figure(content) if content.several else row_figure(content)
    curves = _curves(content)
    return [main, curves] if curves else [main]


def _curves(content: ComparisonContent) -> Drawing | None:
    """A pair of panels for each network on the most images, the baseline in grey."""
    rows = content.rows_on(content.found.images[-1])
    runs = [content.runs_of(row) for row in rows]
    panels = [
        Curves(row.network, own, row.trouble, () if row.network == content.baseline else runs[0])
        for row, own in zip(rows, runs, strict=True)
    ]
    return draw_curves(
        panels,
        f"Training loss and {content.score} against the epoch for each of "
        f"{plural(len(rows), 'network')} on {whole(rows[0].images)} images, a line a seed; "
        f"{content.baseline} in grey.",
    )


def comparison_files(
    content: ComparisonContent, drawings: list[Drawing], now: str | None
) -> dict[str, bytes]:
    """Page and tables by file name."""
    shown = {drawing.name: drawing for drawing in drawings}
    files = {
        "comparison.csv": comparison_csv(content),
        "report.json": comparison_json(content, now),
        "report.html": comparison_page(content, shown, now),
    }
    if content.gains:
        files["gains.csv"] = gains_csv(content)
    return {name: text.encode() for name, text in files.items()}
