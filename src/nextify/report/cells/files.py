"""The files of a report on cells against a reference: figures, page and"""

from collections.abc import Sequence
from string import ascii_lowercase

from nextify.records import NO_HISTORY, History
from nextify.report.cells import probe_tables
from nextify.report.cells.content import AnyContent, ComparisonContent, StepsContent
from nextify.report.cells.cost_figure import cost_figure
from nextify.report.cells.curve_figure import curve_figure
from nextify.report.cells.designs import in_words
from nextify.report.cells.line_figure import line_figure
from nextify.report.cells.recipes import split_recipes
from nextify.report.cells.sentences import between, progress
from nextify.report.cells.table_figure import row_figure, step_figure
from nextify.report.cells.tables import cells_json, lines_of, words_of
from nextify.report.evaluation.words import Answers
from nextify.report.factors.units import unit_of
from nextify.report.page import csv_text, render
from nextify.report.settled import settled
from nextify.report.style import Drawing


def drawings(content: AnyContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    match content:
        case StepsContent():
            drawn = [step_figure(content), cost_figure(content), curve_figure(content)]
        case ComparisonContent():
            drawn = [main_figure(content), curve_figure(content)]
    return [drawing for drawing in drawn if drawing]


def main_figure(content: ComparisonContent) -> Drawing:
    """Of a comparison: accuracies, by the number of training images where there are several."""
    return (line_figure if content.several else row_figure)(content)


def texts(
    content: AnyContent,
    drawn: Sequence[Drawing],
    now: str | None,
    history: History = NO_HISTORY,
    answers: Answers | None = None,
) -> dict[str, str]:
    """The files of a report by name."""
    return {
        **{name: csv_text(lines) for name, lines in lines_of(content).items() if lines},
        "report.json": cells_json(content, now),
        "report.html": page(content, drawn, now, history, answers),
    }


def page(
    content: AnyContent,
    drawn: Sequence[Drawing],
    now: str | None,
    history: History = NO_HISTORY,
    answers: Answers | None = None,
) -> str:
    """The page of a path or of a comparison as HTML text."""
    match content:
        case StepsContent():
            notes = [row for row in content.rows if row.cell.paper and row.cell.paper.note]
            marks = {row.at: mark for row, mark in zip(notes, ascii_lowercase, strict=False)}
            own: dict[str, object] = {"notes": notes, "note_marks": marks}
        case ComparisonContent():
            recipes = split_recipes(content.plan)
            own = {"found": content.found, "in_words": in_words, "recipes": recipes}
    words = words_of(content)
    return render(
        "steps.html" if isinstance(content, StepsContent) else "comparison.html",
        drawn,
        now,
        content=content,
        plan=content.plan,
        progress=progress(content),
        span=between,
        headline=words.headline(content),
        paragraphs=words.meaning(content),
        settled=settled(history),
        answers=answers,
        probes=probe_tables,
        unit_of=unit_of,
        **own,
    )
