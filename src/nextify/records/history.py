"""What was settled before the first run, what of it changed since, and every look at the verdicts.

A study file keeps both as rows that are only ever added. Files from before there were such rows
have none, and get none: what was settled after the runs was not settled before them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any

from nextify.designs.run import telling, what_ran
from nextify.designs.values import Count, Positive, Share
from nextify.records.digests import digest
from nextify.records.plan import Cell, Plan
from nextify.records.record import Record
from nextify.requests import Study
from nextify.requests.commands import Metric

_DESCRIBING = {"title", "data_source", "command", "requests", "where", "probes"}  # of a plan
_DESCRIBING |= {"changed", "recipe_name", "params", "macs", "paper"}  # of a cell


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """What is settled of a study at one time.

    Attributes:
        hash: of the plan (`plan_hash`). recorded: runs that were recorded by then: of the first
            row 0.
        score: the primary one, as `--score` spells it. margin: the smallest effect of interest:
            points of accuracy, or the score's own units; None: none was given.
        looks: how many are planned; None: as many as will be.
        experiment, cells, seeds, runs: of the plan, to say what has changed.
        at: when, in UTC; the study file says it.
    """

    hash: str
    recorded: Count
    score: Metric = "accuracy"
    margin: float | None = None
    looks: Positive | None = None
    experiment: str
    cells: Count
    seeds: Count
    runs: Count
    at: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A reading of verdicts.

    Attributes:
        number: 1 for the first; readings of the same runs are the same look.
        data: what was read (`data_hash`). runs: how many had a score.
        score: see `Registered`. verdicts: by factor.
        level: of the simultaneous intervals.
        reached: of planned looks, which this is; 0 where looks are not planned. share: of the
            planned runs; bound: of |z| of one contrast, for planned looks.
        at: when, in UTC; the study file says it.
    """

    number: Count
    data: str
    runs: Count
    score: str
    verdicts: Mapping[str, Any]
    level: Share
    reached: Count = 0
    share: Share = 0.0
    bound: float = 0.0
    at: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What a study file says of both.

    Attributes:
        registered: what was settled, the first before any run; empty in files from before.
        looks: as they came. lost: how many of both are damaged; a look that is lost is one, too.
        last: the number of the last look, of those that are lost as well.
    """

    registered: tuple[Registered, ...] = ()
    looks: tuple[Look, ...] = ()
    lost: int = 0
    last: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether looks are kept: of studies that were registered before their first run."""
        first = self.registered[:1]
        return bool(self.looks or self.lost or (first and first[0].recorded == 0))


NO_HISTORY = History()  # of runs without a study file


def plan_hash(plan: Plan) -> str:
    """64 hexadecimal digits: the SHA-256 of a plan as canonical JSON, without what only describes.

    Fields at their defaults are left out, so that later versions find the same.
    """
    values = {**_told(plan), "data": telling(plan.data), "cells": [*map(_cell, plan.cells)]}
    told = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()


def _told(of: Plan | Cell) -> dict[str, Any]:
    values = {each.name: (getattr(of, each.name), each.default) for each in fields(of)}
    known = {name: value for name, value in values.items() if name not in _DESCRIBING}
    return {name: _plain(value) for name, (value, usual) in known.items() if value != usual}


def _plain(value: Any) -> Any:
    """Dataclasses in a tuple, as factors, as tables of their fields."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _cell(cell: Cell) -> dict[str, Any]:
    told = _told(cell)
    parts = [name for name in ("design", "recipe", "initial") if name in told]
    ran = what_ran({name: told.pop(name) for name in parts})
    return {**told, "ran": ran}


def data_hash(records: Iterable[Record]) -> str:
    """What tells the runs of one look from those of another: their keys and what became of them."""
    return digest(*sorted(f"{each.key} {each.outcome}" for each in records))


def settled_by(plan: Plan, there: Registered | None, recorded: int) -> Registered | None:
    """What a plan and the request for it settle; None where that is what was settled there.

    What the request does not say stays as it was.
    """
    asked = [each for each in plan.requests if isinstance(each, Study)]
    options = asked[-1].experiment if asked else None
    given = {name: getattr(options, name, None) for name in ("score", "margin", "looks")}
    if there is not None:
        given = {name: value or getattr(there, name) for name, value in given.items()}
    here = Registered(
        hash=plan_hash(plan),
        recorded=recorded,
        experiment=plan.experiment,
        cells=len(plan.cells),
        seeds=len(plan.seeds),
        runs=plan.count,
        **{name: value for name, value in given.items() if value is not None},
    )
    if there is not None and replace(there, at="", recorded=recorded) == here:
        return None
    return here
