"""An experiment as files for machines: `contributions.csv`, `interactions.csv`, `report.json`.

Scores in their own units: accuracy as a fraction, negative log-likelihood in nats.
"""

import json
from dataclasses import asdict
from typing import Any

from nextify.findings import Attribution
from nextify.findings.answers import Credit, Reading
from nextify.findings.scores import name_of
from nextify.report import details
from nextify.report.factors import caveats, look_words, meaning_words, outcomes, words
from nextify.report.factors.content import FactorContent, View
from nextify.report.page import csv_text, ends_of
from nextify.report.settled import settled

_COSTS = ("params", "macs", "training_bytes")


def contributions_csv(content: FactorContent) -> str:
    """A line per study, score and factor; an empty field where there is no number."""
    lines = [
        _contribution(view, found, at)
        for view in content.views
        for found in view.scores.values()
        for at in range(len(content.names))
    ]
    return csv_text(tidied(lines))


def _contribution(view: View, found: Attribution, at: int) -> dict[str, Any]:
    each, ways, lost = found.contributions[at], found.ways[at], found.failures[at]
    paper = view.paper.increments[at] if view.paper else None
    return {
        "study": view.label,
        "matched": view.plan.matched,
        "score": name_of(found.metric),
        "factor": each.name,
        "choices": " + ".join(view.plan.factors[at].choices),
        "method": found.method,
        "estimand": found.estimand,
        "contribution": each.estimate.value,
        "standard_error": each.estimate.error,
        "df": each.estimate.df,
        **ends_of("own_interval", each.estimate.interval),
        **ends_of("simultaneous", each.simultaneous),
        **ends_of("simultaneous_new_images", each.wide),
        **_shapley(found.shapley[at] if found.shapley else None),
        "p": each.estimate.p,
        "p_adjusted": each.p,
        "answer": each.answer,
        **_by_reading(found, at),
        "chance": found.chance and found.chance.share,
        "learned_nothing": outcomes.unlearned(found),
        "verdict": caveats.verdict(found, each),
        "within_margin": each.within if found.margin else None,
        "level": found.level,
        **_way("added_alone", ways.added),
        **_way("path_increment", ways.path),
        **_way("removed_last", ways.removed),
        **{name: getattr(view.costs, name)[at] if view.costs else None for name in _COSTS},
        "paper_increment_points": paper.points if paper else None,
        "diverged_made": lost.made.diverged,
        "runs_made": lost.made.n,
        "diverged_not_made": lost.not_made.diverged,
        "runs_not_made": lost.not_made.n,
    }


def _by_reading(found: Attribution, at: int) -> dict[str, Any]:
    """Contributions by other readings of the runs; empty fields where there is one reading."""
    known = {each.reading: each.contributions[at] for each in found.readings[1:]}
    fields: dict[str, Any] = {}
    for name, reading in _BESIDE.items():
        each = known.get(reading)
        if reading != "diverged last":  # of ranks the numbers say nothing by themselves
            fields[name] = each.estimate.value if each else None
            fields |= ends_of(f"{name}_simultaneous", each.simultaneous if each else None)
        fields[f"{name}_answer"] = each.answer if each else None
    return fields


_BESIDE: dict[str, Reading] = {
    "finished_only": "finished runs",
    "by_ranks": "diverged last",
    "learned_only": "learned something",
}


def _shapley(credit: Credit | None) -> dict[str, Any]:
    """By the model of all orders; empty where the contribution is the Shapley value."""
    return {
        "shapley_value": credit.estimate.value if credit else None,
        **ends_of("shapley_simultaneous", credit.simultaneous if credit else None),
    }


def _way(name: str, way: Any) -> dict[str, Any]:
    return {
        name: way.estimate.value if way else None,
        **ends_of(name, way.simultaneous if way else None),
        f"{name}_by": way.by if way else None,
    }


def interactions_csv(content: FactorContent) -> str:
    """A line per study, score and pair or sum of pairs."""
    lines = [
        {
            "study": view.label,
            "score": name_of(found.metric),
            "first": each.first,
            "second": each.second,
            "sum": caveats.group(each) if each.aliased else "",
            "interaction": each.estimate.value,
            "standard_error": each.estimate.error,
            **ends_of("own_interval", each.estimate.interval),
            "p": each.estimate.p,
            "q": each.q,
            "found": each.found,
            "rests": each.rests,
            "heredity": each.heredity,
        }
        for view in content.views
        for found in view.scores.values()
        for each in found.interactions
    ]
    return csv_text(tidied(lines)) if lines else "study,score,first,second,sum,interaction\n"


def meaning_csv(content: FactorContent) -> str:
    """A line per study, probe and factor."""
    return csv_text(tidied([line for view in content.views for line in meaning_words.lines(view)]))


def as_values(content: FactorContent) -> dict[str, Any]:
    """The report as plain values, ready for JSON."""
    return {
        "metric": name_of(content.metric),
        "factors": [asdict(factor) for factor in content.views[0].plan.factors],
        "headline": words.headline(content),
        "studies": [tidied(_study(content, view)) for view in content.views],
        **_general(content),
    }


def _general(content: FactorContent) -> dict[str, Any]:
    """What holds on other data sets, where there are several."""
    if not content.general:
        return {}
    each = [asdict(one) for one in content.general]
    return {"general": tidied({"meaning": words.general(content), "contributions": each})}


def _study(content: FactorContent, view: View) -> dict[str, Any]:
    plan, scores = view.plan, view.scores.items()
    return {
        "label": view.label,
        "title": plan.title,
        "path": plan.name,
        "experiment": plan.experiment,
        "matched": plan.matched,
        "crossed": [asdict(each) for each in plan.crossed],
        "rates": {cell.name: cell.rate for cell in plan.cells} if plan.tuned else None,
        **details.facts(plan),
        "seeds": list(plan.seeds),
        "meaning": words.as_texts(content, view),
        "attribution": {name_of(score): caveats.as_values(found) for score, found in scores},
        "costs": asdict(view.costs) if view.costs else None,
        "paper": asdict(view.paper) if view.paper else None,
        "next": [asdict(each) for each in view.next],
        "before_the_data": settled(view.looking.history),
        "look": look_words.as_values(content, view),
        **_probes(content, view),
        **details.as_values(plan, view.runs),
    }


def _probes(content: FactorContent, view: View) -> dict[str, Any]:
    """What choices mean, where probes were measured."""
    if view.meaning is None:
        return {}
    told = meaning_words.as_values(content, view.meaning)
    return {"probes": {**told, "effects": meaning_words.lines(view)}}


def tidied(value: Any) -> Any:
    """A value with all its floats rounded, so that equal records give equal bytes: below six
    significant digits sums differ from machine to machine.

    >>> tidied({"a": [0.12345678, 1]})
    {'a': [0.123457, 1]}
    """
    return json.loads(json.dumps(value), parse_float=lambda text: float(f"{float(text):.6g}"))
