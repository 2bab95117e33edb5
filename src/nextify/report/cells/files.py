"""The files of a report on cells against a reference: figures, page and tables."""

from collections.abc import Sequence
from string import ascii_lowercase

from nextify.report.cells import comparison_words, step_words
from nextify.report.cells.content import CellsContent, ComparisonContent, StepsContent
from nextify.report.cells.cost_figure import cost_figure
from nextify.report.cells.curve_figure import curve_figure
from nextify.report.cells.designs import in_words
from nextify.report.cells.line_figure import line_figure
from nextify.report.cells.recipes import split_recipes
from nextify.report.cells.sentences import between, progress
from nextify.report.cells.table_figure import row_figure, step_figure
from nextify.report.cells.tables import (
    comparison_json,
    gain_lines,
    network_lines,
    step_lines,
    steps_json,
)
from nextify.report.page import csv_text, render
from nextify.report.style import Drawing

Texts = dict[str, str]


def drawings(content: StepsContent | ComparisonContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    match content:
        case StepsContent():
            drawn = [step_figure(content), cost_figure(content), curve_figure(content)]
        case ComparisonContent():
            draw = line_figure if content.several else row_figure
            drawn = [draw(content), curve_figure(content)]
    return [drawing for drawing in drawn if drawing]


def step_texts(content: StepsContent, drawn: Sequence[Drawing], now: str | None) -> Texts:
    """The files of a path's report by name."""
    return {
        "steps.csv": csv_text(step_lines(content)),
        "report.json": steps_json(content, now),
        "report.html": steps_page(content, drawn, now),
    }


def steps_page(content: StepsContent, drawn: Sequence[Drawing], now: str | None) -> str:
    """The page of a path as HTML text."""
    notes = [row for row in content.rows if row.cell.paper and row.cell.paper.note]
    return render(
        "steps.html",
        drawn,
        now,
        **_shared(content),
        headline=step_words.headline(content),
        paragraphs=step_words.meaning(content),
        notes=notes,
        note_marks={row.at: mark for row, mark in zip(notes, ascii_lowercase, strict=False)},
    )


def comparison_texts(
    content: ComparisonContent, drawn: Sequence[Drawing], now: str | None
) -> Texts:
    """The files of a comparison's report by name."""
    gains = {"gains.csv": csv_text(gain_lines(content))} if content.gains else {}
    return {
        "comparison.csv": csv_text(network_lines(content)),
        **gains,
        "report.json": comparison_json(content, now),
        "report.html": comparison_page(content, drawn, now),
    }


def comparison_page(content: ComparisonContent, drawn: Sequence[Drawing], now: str | None) -> str:
    """The page of a comparison as HTML text."""
    return render(
        "comparison.html",
        drawn,
        now,
        **_shared(content),
        found=content.found,
        headline=comparison_words.headline(content),
        paragraphs=comparison_words.meaning(content),
        in_words=in_words,
        recipes=split_recipes(content.plan),
    )


def _shared(content: CellsContent) -> dict[str, object]:
    told = {"progress": progress(content), "span": between}
    return {"content": content, "plan": content.plan, **told}
