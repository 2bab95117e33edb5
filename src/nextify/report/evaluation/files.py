"""`write_evaluation`: what a network answers as a page, figures and tables."""

from os import PathLike
from typing import Any

from nextify.findings.confusion import confused
from nextify.report.evaluation import words
from nextify.report.evaluation.content import ClassLine, EvaluationContent, as_values
from nextify.report.evaluation.figures import confusion_figure, reliability_figure
from nextify.report.notebook import as_url
from nextify.report.page import ReportFiles, csv_text, ends_of, json_text, render, write_files
from nextify.words import tidy


def write_evaluation(
    content: EvaluationContent, folder: str | PathLike[str], *, now: str | None = None
) -> ReportFiles:
    """Write the page of an evaluation, its figures, a table of classes, one of confused pairs, and
    JSON.

    Args:
        folder: made if it is not there. now: a date to print on the page; None for no date.

    Raises:
        InputError: the folder cannot be written.
    """
    drawn = [confusion_figure(content), reliability_figure(content)]
    pairs = [
        {"class": content.classes[label], "answer": content.classes[answer], "images": n}
        for label, answer, n in confused(content.counts)
    ] or [{"class": "", "answer": "", "images": 0}]
    texts = {
        "classes.csv": csv_text([_line(each) for each in content.lines]),
        "confusion.csv": csv_text(pairs),
        "report.json": json_text({"written": now, **as_values(content)}),
        "report.html": render("evaluation.html", drawn, now, plan=content, words=words,
                              as_url=as_url),
    }  # fmt: skip
    return write_files(folder, drawn, texts)


def _line(of: ClassLine) -> dict[str, Any]:
    instead, often = of.instead or ("", 0)
    values = {
        "class": of.name,
        "images": of.n,
        "answers": of.answers,
        "right": of.right,
        "recall": of.recall,
        **ends_of("recall", of.interval),
        "precision": of.precision,
        "f1": of.f1,
        "most_often_instead": instead,
        "most_often_instead_images": often,
    }
    return {name: tidy(value) for name, value in values.items()}
