"""The report of an experiment as one HTML file, from a template."""

from collections.abc import Sequence

from nextify.findings import Contribution, Interaction, Score
from nextify.findings.scores import ATTRIBUTED, BETTER
from nextify.report.factors import caveats, words
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.interaction_figure import tiles
from nextify.report.factors.lane_figure import way_lanes
from nextify.report.factors.units import unit
from nextify.report.page import render
from nextify.report.style import Drawing
from nextify.words import MISSING

_MOST_PAIRS = 8  # in the table, beyond those found


def factors_page(content: FactorContent, drawings: Sequence[Drawing], now: str | None) -> str:
    """The page as HTML text; any figure may be missing, and the date."""
    return render(
        "factors.html",
        drawings,
        now,
        content=content,
        views=content.views,
        plan=content.views[0].plan,
        unit=content.unit,
        words=words,
        caveats=caveats,
        scores=[(score, unit(score)) for score in ATTRIBUTED],
        agreement=agreement,
        lanes=way_lanes,
        pairs=pairs_to_show,
        letter=letter,
    )


def pairs_to_show(view: View) -> list[Interaction]:
    """The interactions found, and the largest of the others; all of them if they are sums."""
    ordered = sorted(view.found.interactions, key=lambda each: -abs(each.estimate.value or 0.0))
    if any(each.aliased for each in ordered):
        return ordered
    found = [each for each in ordered if each.found]
    return [*found, *[each for each in ordered if not each.found][:_MOST_PAIRS]]


def letter(view: View, pair: Interaction) -> str:
    """The letter under which a sum of interactions stands in the matrix."""
    return tiles(view.found.interactions)[frozenset((pair.first, pair.second))].letter


def agreement(view: View, at: int) -> str:
    """Whether the three scores agree on a factor: in the sign, and in what is decided.

    `"yes"` if all three are decided alike, `"in sign"` if only their signs agree, else `"no"`.
    """
    each = [(score, found.contributions[at]) for score, found in view.scores.items()]
    signs = {_sign(score, one) for score, one in each}
    if 0 in signs:
        return MISSING
    answers = {one.answer for _, one in each}
    if len(signs) > 1:
        return "no"
    return "yes" if len(answers) == 1 and answers <= {"helps", "hurts"} else "in sign"


def _sign(score: Score, each: Contribution) -> int:
    value = each.estimate.value
    return 0 if value is None or value == 0 else (1 if value > 0 else -1) * BETTER[score]
