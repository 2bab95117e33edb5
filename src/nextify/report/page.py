"""`report.html`, from a template: one file, with its style and figures inside."""

from collections.abc import Mapping
from functools import cache
from string import ascii_lowercase

from jinja2 import Environment, PackageLoader, StrictUndefined

from nextify import words as number_words
from nextify.report import details, words
from nextify.report.content import Content
from nextify.report.style import Drawing


def page(content: Content, drawings: Mapping[str, Drawing], now: str | None) -> str:
    """The page as HTML text.

    Args:
        drawings: figures by name: steps, costs, curves; any may be missing.
        now: a date to print; None for no date.
    """
    notes = [row for row in content.rows if row.paper_note]
    return (
        templates()
        .get_template("report.html")
        .render(
            content=content,
            plan=content.plan,
            rows=content.rows,
            figures={name: drawing.inline for name, drawing in drawings.items()},
            now=now,
            words=words,
            notes=notes,
            note_marks={row.step: mark for row, mark in zip(notes, ascii_lowercase, strict=False)},
            troubles=details.troubles(content.plan, content.runs),
            recipes=details.recipes(content.plan),
            environments=details.environments(content.runs),
        )
    )


@cache
def templates() -> Environment:
    """The templates of all pages."""
    made = Environment(
        loader=PackageLoader("nextify.report"),
        autoescape=True,  # names and messages come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["n"] = number_words
    return made
