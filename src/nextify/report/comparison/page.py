"""The report of a comparison as one HTML file, from a template."""

from collections.abc import Mapping

from nextify.report import details
from nextify.report import words as common
from nextify.report.comparison import words
from nextify.report.comparison.content import ComparisonContent
from nextify.report.comparison.meaning import meaning
from nextify.report.comparison.networks import in_words
from nextify.report.comparison.recipes import split_recipes
from nextify.report.page import templates
from nextify.report.style import Drawing


def comparison_page(
    content: ComparisonContent, drawings: Mapping[str, Drawing], now: str | None
) -> str:
    """The page as HTML text.

    Args:
        drawings: figures by name; any may be missing.
        now: a date to print; None for no date.
    """
    plan = content.plan
    return (
        templates()
        .get_template("comparison.html")
        .render(
            content=content,
            plan=plan,
            found=content.found,
            figures={name: drawing.inline for name, drawing in drawings.items()},
            now=now,
            words=words,
            paragraphs=meaning(content),
            progress=common.progress(content),
            in_words=in_words,
            troubles=details.troubles(plan, content.runs),
            recipes=split_recipes(plan),
            environments=details.environments(content.runs),
        )
    )
