"""What was settled of a study before its first run, and what of it has changed, in sentences."""

from collections.abc import Iterator
from itertools import pairwise

from nextify.records import History, Registered
from nextify.report.factors.content import SPELLED
from nextify.report.factors.units import amount_of
from nextify.words import plural

_NONE = (
    "No plan hash, no looks kept: nothing says what was settled before the first run. Intervals "
    "hold 95 times in 100 each time they are read: who adds runs and reads again has more chances "
    "to be wrong (at one of five looks: 16 in 100)."
)


def settled(history: History) -> list[str]:
    """What was settled before the first run, and what has changed since."""
    if not history.is_kept or not history.registered:
        return [_NONE]
    first, *_ = history.registered
    when = f"Settled {time_of(first.at)}, before the first run: "
    told = [f"{when}plan {first.hash}; {'; '.join(_choices(first))}."]
    for before, after in pairwise(history.registered):
        changes = [*_changes(before, after)] or [f"plan now {after.hash}"]
        told.append(f"Changed after {plural(after.recorded, 'run')}: {'; '.join(changes)}.")
    if history.lost:
        told.append(f"{plural(history.lost, 'row')} of this are damaged in the study file.")
    return told


def _choices(of: Registered) -> Iterator[str]:
    yield f"primary score {of.score}"
    yield f"margin {_margin(of)}"
    yield f"looks: {of.looks or 'as many as will be'}"


def _margin(of: Registered) -> str:
    return "none" if of.margin is None else amount_of(of.margin, SPELLED[of.score])


def _changes(before: Registered, after: Registered) -> Iterator[str]:
    values = {
        "experiment": (before.experiment, after.experiment),
        "cells": (before.cells, after.cells),
        "seeds": (before.seeds, after.seeds),
        "primary score": (before.score, after.score),
        "margin": (_margin(before), _margin(after)),
        "looks": (before.looks or "open", after.looks or "open"),
    }
    for name, (old, new) in values.items():
        if old != new:
            yield f"{name} {old} -> {new}"


def time_of(at: str) -> str:
    """A time of a study file.

    >>> time_of("2026-11-26T22:49:45+00:00")
    '2026-11-26 22:49 UTC'
    """
    return f"{at[:16].replace('T', ' ')} UTC"
