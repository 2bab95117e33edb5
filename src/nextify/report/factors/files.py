"""The files of an experiment's report: page, figures and tables as bytes."""

from collections.abc import Sequence

from nextify.findings import Interaction
from nextify.findings.scores import ProbeScore, better_of
from nextify.report.evaluation.words import Answers
from nextify.report.factors import caveats, look_words, meaning_words, outcomes, sides, words
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.contribution_figure import contribution_figure
from nextify.report.factors.half_normal_figure import half_normal_figure
from nextify.report.factors.interaction_figure import interaction_figure, tiles
from nextify.report.factors.lane_figure import data_figure, rate_figure, way_lanes, ways_figure
from nextify.report.factors.meaning_figure import meaning_figure, probe_figures
from nextify.report.factors.tables import (
    as_values,
    contributions_csv,
    interactions_csv,
    meaning_csv,
)
from nextify.report.factors.units import UNITS, unit_of
from nextify.report.page import json_text, render
from nextify.report.settled import settled
from nextify.report.style import Drawing
from nextify.words import MISSING

_OF_A_VIEW = (ways_figure, interaction_figure, half_normal_figure, rate_figure, meaning_figure)
_MOST_PAIRS = 8  # in the table, beyond those found


def factor_drawings(content: FactorContent) -> list[Drawing]:
    """Every figure that the runs allow."""
    of_views = (draw(content, view) for view in content.views for draw in _OF_A_VIEW)
    of_probes = (drawing for view in content.views for drawing in probe_figures(view))
    return [
        contribution_figure(content),
        *filter(None, [data_figure(content), *of_views]),
        *of_probes,
    ]


def factor_texts(
    content: FactorContent,
    drawings: Sequence[Drawing],
    now: str | None,
    answers: Answers | None = None,
) -> dict[str, str]:
    """Page and tables by file name."""
    return {
        "contributions.csv": contributions_csv(content),
        "interactions.csv": interactions_csv(content),
        **({"meaning.csv": meaning_csv(content)} if any(e.meaning for e in content.views) else {}),
        "report.json": json_text({"written": now, **as_values(content)}),
        "report.html": factors_page(content, drawings, now, answers),
    }


def factors_page(
    content: FactorContent,
    drawings: Sequence[Drawing],
    now: str | None,
    answers: Answers | None = None,
) -> str:
    """The page as HTML text; any figure may be missing, and the date."""
    told = {
        "words": words,
        "looks": look_words,
        "settled": settled,
        "caveats": caveats,
        "outcomes": outcomes,
        "agreement": agreement,
        "lanes": way_lanes,
        "sides": sides,
        "meanings": meaning_words,
        "unit_of": unit_of,
    }
    shown = {"content": content, "views": content.views, "plan": content.views[0].plan,
             "answers": answers}  # fmt: skip
    pairs = {"pairs": pairs_to_show, "letter": letter}
    every = [view.scores.keys() for view in content.views]
    scores = [(s, UNITS[s]) for s in UNITS if all(s in each for each in every)]
    numbers = {"unit": content.unit, "scores": scores}
    return render("factors.html", drawings, now, **told, **shown, **pairs, **numbers)


def pairs_to_show(view: View) -> list[Interaction]:
    """The interactions found, and the largest of the others; all of them if they are sums."""
    ordered = sorted(view.found.interactions, key=lambda each: -abs(each.estimate.value or 0.0))
    if any(each.aliased for each in ordered):
        return ordered
    found = [each for each in ordered if each.found]
    return found + [each for each in ordered if not each.found][:_MOST_PAIRS]


def letter(view: View, pair: Interaction) -> str:
    """The letter under which a sum of interactions stands in the matrix."""
    return tiles(view.found.interactions)[frozenset((pair.first, pair.second))].letter


def agreement(view: View, at: int) -> str:
    """Whether a study's scores agree on a factor: in the sign, and in what is decided.

    `"yes"` if all are decided alike, `"in sign"` if only their signs agree, else `"no"`.
    """
    each = {
        score: found.contributions[at]
        for score, found in view.scores.items()
        if not isinstance(score, ProbeScore)
    }
    gains = [better_of(score) * (one.estimate.value or 0.0) for score, one in each.items()]
    answers = {one.answer for one in each.values()}
    if 0 in gains:
        return MISSING
    if min(gains) < 0 < max(gains):
        return "no"
    return "yes" if answers in ({"helps"}, {"hurts"}) else "in sign"
