"""An experiment as files for machines: `contributions.csv`, `interactions.csv`, `report.json`.

Scores in their own units: accuracy as a fraction, negative log-likelihood in nats.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nextify.findings import Attribution, Contribution, Interval
from nextify.report import details
from nextify.report.factors import caveats, words
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.costs import FactorCosts
from nextify.report.tables import csv_text, json_text

_DIGITS = 6  # significant ones kept: below this, sums differ from machine to machine


def contributions_csv(content: FactorContent) -> str:
    """A line per study, score and factor; an empty field where there is no number."""
    return _csv(
        [
            _contribution(view, found, at, each)
            for view in content.views
            for found in view.scores.values()
            for at, each in enumerate(found.contributions)
        ]
    )


def _contribution(view: View, found: Attribution, at: int, each: Contribution) -> dict[str, Any]:
    ways = found.ways[at]
    return {
        "study": view.label,
        "matched": view.plan.matched,
        "score": found.metric,
        "factor": each.name,
        "choices": " + ".join(view.plan.factors[at].choices),
        "method": found.method,
        "contribution": each.estimate.value,
        "standard_error": each.estimate.error,
        "df": each.estimate.df,
        **_ends("own_interval", each.estimate.interval),
        **_ends("simultaneous", each.simultaneous),
        **_ends("simultaneous_new_images", each.wide),
        "p": each.estimate.p,
        "p_adjusted": each.p,
        "answer": each.answer,
        "verdict": caveats.verdict(found, each),
        "seeds_needed": each.needed.seeds if each.needed else None,
        **_way("added_alone", ways.added),
        **_way("path_increment", ways.path),
        **_way("removed_last", ways.removed),
        **_cost(view.costs, at),
        "paper_increment_points": _paper(view, at),
        "diverged_made": found.failures[at].made.diverged,
        "runs_made": found.failures[at].made.n,
        "diverged_not_made": found.failures[at].not_made.diverged,
        "runs_not_made": found.failures[at].not_made.n,
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    return {
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
    }


def _way(name: str, way: Any) -> dict[str, Any]:
    return {
        name: way.estimate.value if way else None,
        **_ends(name, way.estimate.interval if way else None),
        f"{name}_predicted": way.predicted if way else None,
    }


def _cost(costs: FactorCosts | None, at: int) -> dict[str, float | None]:
    return {
        "params": costs.params[at] if costs else None,
        "macs": costs.macs[at] if costs else None,
        "training_bytes": costs.training_bytes[at] if costs else None,
    }


def _paper(view: View, at: int) -> float | None:
    each = view.paper.increments[at] if view.paper else None
    return each.points if each else None


def interactions_csv(content: FactorContent) -> str:
    """A line per study, score and pair or sum of pairs."""
    lines = [
        {
            "study": view.label,
            "score": found.metric,
            "first": each.first,
            "second": each.second,
            "sum": words.group(each) if each.aliased else "",
            "interaction": each.estimate.value,
            "standard_error": each.estimate.error,
            **_ends("own_interval", each.estimate.interval),
            "p": each.estimate.p,
            "q": each.q,
            "found": each.found,
            "heredity": each.heredity,
        }
        for view in content.views
        for found in view.scores.values()
        for each in found.interactions
    ]
    return _csv(lines) if lines else "study,score,first,second,sum,interaction\n"


def _csv(lines: Sequence[Mapping[str, Any]]) -> str:
    return csv_text([tidied(line) for line in lines])


def factors_json(content: FactorContent, now: str | None) -> str:
    """Everything on the page as one object."""
    values = {"written": now, **as_values(content)}
    return json_text(values)


def as_values(content: FactorContent) -> dict[str, Any]:
    """The report as plain values, ready for JSON."""
    return {
        "metric": content.metric,
        "factors": [asdict(factor) for factor in content.views[0].plan.factors],
        "headline": words.headline(content),
        "studies": [_study(content, view) for view in content.views],
    }


def _study(content: FactorContent, view: View) -> dict[str, Any]:
    plan = view.plan
    values = {
        "label": view.label,
        "title": plan.title,
        "path": plan.name,
        "experiment": plan.experiment,
        "matched": plan.matched,
        "command": plan.command,
        "data": dict(plan.data),
        "data_source": plan.data_source,
        "precision": plan.precision,
        "seeds": list(plan.seeds),
        "meaning": words.as_texts(content, view),
        "attribution": {score: caveats.as_values(found) for score, found in view.scores.items()},
        "costs": asdict(view.costs) if view.costs else None,
        "paper": asdict(view.paper) if view.paper else None,
        "next": [asdict(each) for each in view.next],
        "without_score": [asdict(each) for each in details.troubles(plan, view.runs)],
        "recipes": [asdict(each) for each in details.recipes(plan)],
        "environments": [asdict(each) for each in details.environments(view.runs)],
    }
    return {name: tidied(value) for name, value in values.items()}


def tidied(value: Any) -> Any:
    """A value with all its floats rounded, so that equal records give equal bytes.

    >>> tidied({"a": [0.12345678, 1]})
    {'a': [0.123457, 1]}
    """
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}")
        case Mapping():
            return {name: tidied(each) for name, each in value.items()}
        case list() | tuple():
            return [tidied(each) for each in value]
    return value
