"""Which look a page is, and what looks before it said, in sentences."""

import math
from dataclasses import asdict
from typing import Any, get_args

from nextify.findings.answers import Answer
from nextify.findings.looking import Looking
from nextify.records import Look
from nextify.report.factors import outcomes
from nextify.report.factors.content import SPELLED, FactorContent, View, spelled
from nextify.report.factors.units import unit_of
from nextify.report.settled import time_of
from nextify.words import listed, plural


def this_look(content: FactorContent, view: View) -> list[str]:
    """Which look this is, and what looks before it said; nothing where looks are not kept."""
    looking = view.looking
    if not looking.history.is_kept:
        return []
    told = [_which(looking, view)]
    told += [_said(each) for each in _earlier(looking)]
    if changed := _changed(content, view):
        told.append(changed)
    return told


def _which(looking: Looking, view: View) -> str:
    planned = len(looking.planned)
    if view.found.level >= 1:
        if looking.failed:
            return (
                f"No look: look {looking.reached + 1} of {planned} waits for "
                f"{plural(looking.failed, 'run')} that failed. nextify study --retry-failed tries "
                "them again; nextify attribute --without-failed takes the look without them."
            )
        if looking.reached == planned:
            return f"All {planned} planned looks have been taken: what the last said stands."
        seeds = looking.planned[looking.reached]
        next_ = f"look {looking.reached + 1} of {planned}"
        return f"No look: {next_} is due when every cell has {plural(seeds, 'seed')}."
    which = f"{looking.reached} of {planned} planned" if planned else str(looking.number)
    kept = "" if looking.is_saved else " It is not kept: the study file cannot be written."
    return (
        f"Look {which}, at {plural(outcomes.scored(view.found), 'run')}: its intervals hold "
        f"together at {_percent(looking.level)} %, so that those of all looks do at 95 %.{kept}"
    )


def _earlier(looking: Looking) -> list[Look]:
    return [each for each in looking.history.looks if each.number != looking.number]


def _said(look: Look) -> str:
    """What a look said: factors by verdict."""
    groups = {answer: [n for n, v in look.verdicts.items() if v == answer] for answer in _ANSWERS}
    told = [f"{answer}: {listed(names)}" for answer, names in groups.items() if names]
    start = f"Look {look.number} ({time_of(look.at)}, {plural(look.runs, 'run')}, {look.score})"
    return f"{start}: {'; '.join(told)}."


def _percent(level: float) -> str:
    """Never rounded to all.

    >>> _percent(0.9696), _percent(1 - 5e-9)
    ('96.96', 'more than 99.99')
    """
    return "more than 99.99" if level > 0.9999 else f"{100 * level:.2f}"


_ANSWERS = get_args(Answer)


def _changed(content: FactorContent, view: View) -> str:
    """Where a verdict is another one than at the look before."""
    before = view.looking.before(spelled(content.metric))
    if before is None or view.found.level >= 1:
        return ""
    pairs = [(c.name, before.verdicts.get(c.name), c.answer) for c in view.found.contributions]
    changes = [f"{name}: {old}, now {new}" for name, old, new in pairs if old and old != new]
    if not changes:
        return f"No verdict has changed since look {before.number}."
    return f"Changed since look {before.number}: {'; '.join(changes)}."


def margin_note(view: View) -> str:
    """That the margin was chosen after the data, where it was; empty where not."""
    found, registered = view.found, view.looking.history.registered
    if found.margin is None:
        return ""
    size = found.margin * unit_of(found.metric).scale
    before = [each for each in registered if each.recorded == 0]
    told = [each.margin for each in before if SPELLED[each.score] == found.metric and each.margin]
    if any(math.isclose(each, size) for each in told):
        return ""
    return "The margin was chosen after the data: it was not settled before the first run."


def as_values(content: FactorContent, view: View) -> dict[str, Any]:
    """The look as plain values, ready for JSON."""
    looking = view.looking
    return {
        "number": looking.number,
        "level": looking.level,
        "planned": list(looking.planned),
        "registered": [asdict(each) for each in looking.history.registered],
        "looks": [asdict(each) for each in looking.history.looks],
        "told": this_look(content, view),
    }
