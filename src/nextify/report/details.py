"""What all pages tell of the runs: how many there are, which gave no score, how they were made."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import Any, TypeVar

from nextify.designs import RECIPES, Recipe
from nextify.designs.run import REVISION
from nextify.errors import InputError
from nextify.findings import CellMean, Difference, Grid, Interval, outcomes
from nextify.findings.choice import Finalist
from nextify.records import Cell, Plan
from nextify.words import listed, percent, plural, tidy

_Found = TypeVar("_Found", CellMean, Difference, Finalist)
_SCORES = {"values", "mean", "value", "interval", "wide", "own"}
_SCORES |= {"predicted", "predicted_sd", "behind", "behind_wide"}  # of finalists


MOSTLY_LARGE = "accuracy is mostly that of the large classes"
"""What follows of unequal classes (`nextify.records.is_unequal`)."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A run that diverged or failed."""

    step: int
    name: str
    seed: int
    outcome: str
    message: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a recipe: the value trained with, and the named recipe's where it differs."""

    value: str
    named: str | None


@dataclass(frozen=True, slots=True)
class UsedRecipe:
    """A recipe of the study, the steps that used it, and its settings by field."""

    name: str
    steps: str
    settings: Mapping[str, Setting]


def nothing_recorded(plan: Plan) -> InputError:
    """What to say where there is nothing to report."""
    return InputError(
        f"no run of study {plan.title!r} is recorded yet; run the study first"
        + (f": {plan.command}" if plan.command else "")
    )


def progress(planned: int, missing: int, diverged: int, failed: int) -> str:
    """How much of a plan is recorded, and what became of it.

    >>> progress(planned=4, missing=1, diverged=2, failed=0)
    '3 of 4 runs recorded so far; 2 diverged.'
    """
    runs = plural(planned, "run")
    text = f"{planned - missing} of {runs} recorded so far" if missing else f"All {runs} recorded"
    trouble = lost(diverged, failed)
    return f"{text}; {listed(trouble)}." if trouble else f"{text}."


def lost(diverged: int, failed: int) -> list[str]:
    """Runs without a score.

    >>> lost(diverged=2, failed=0)
    ['2 diverged']
    """
    parts = ((diverged, "diverged"), (failed, "failed"))
    return [f"{number} {what}" for number, what in parts if number]


CHANGE = "a lower learning_rate, more warmup_epochs or more epochs"


def chance(plan: Plan) -> str:
    """What always answering the largest class scores, in a sentence; empty where it is not known.

    >>> chance(plan)  # doctest: +SKIP
    'Always to answer the largest class scores 25.00 %.'
    """
    found = outcomes.chance_of(plan)
    return f"{upper_first(chance_words(found))}." if found else ""


def chance_words(of: outcomes.Chance | None) -> str:
    """What always answering the largest class scores."""
    if of is None:
        return "what always answering one class scores is not known"
    share = f"{percent(100 * of.share)} %"
    if of.known:
        return f"always to answer the largest class scores {share}"
    return (
        f"always to answer one of equal classes scores {share} (1 / classes: this study file does "
        "not keep the share of the largest class)"
    )


def upper_first(text: str) -> str:
    """With its first letter large."""
    return text[:1].upper() + text[1:]


def unlearned(plan: Plan, grid: Grid) -> list[str]:
    """The runs that learned nothing, in the plan's order, each with its accuracy."""
    found = outcomes.chance_of(plan)
    return [
        f"{cell.name}, seed {seed} ({percent(100 * run.result.accuracy)} %)"
        for cell, runs in zip(plan.cells, grid, strict=True)
        for seed, run in zip(plan.all_seeds, runs, strict=True)
        if run and run.result and outcomes.learned_nothing(run.result, found)
    ]


def learned_nothing(plan: Plan, grid: Grid, most: int = 6) -> str:
    """Which runs learned nothing and what to change, in sentences; empty where none.

    Args:
        most: that are named; of more, the rest is counted.
    """
    names = unlearned(plan, grid)
    if not names:
        return ""
    finished = sum(bool(run and run.result) for row in grid for run in row)
    every = (
        f"all {plural(finished, 'finished run')}"
        if len(names) == finished
        else (f"{len(names)} of {plural(finished, 'finished run')}")
    )
    shown = "; ".join(names[:most]) + f"; and {len(names) - most} more" * (len(names) > most)
    known = outcomes.chance_of(plan)
    return (
        f"{upper_first(every)} learned nothing. They answer one class only, or cannot be told "
        f"apart from guesses: {chance_words(known)}. What rests on them says nothing of a design; "
        f"change how they are trained: {CHANGE}. These runs learned nothing: {shown}."
    )


def facts(plan: Plan) -> dict[str, Any]:
    """Where a plan's numbers come from, for a file."""
    return {
        "command": plan.command,
        "data": dict(plan.data),
        "data_source": plan.data_source,
        "precision": plan.precision,
        **({"copies": plan.copies} if plan.copies > 1 else {}),
        "chance": _chance_values(plan),
    }


def _chance_values(plan: Plan) -> dict[str, Any] | None:
    found = outcomes.chance_of(plan)
    if found is None:
        return None
    return {"percent": tidy(100 * found.share), "is_the_largest_class": found.known}


def as_values(plan: Plan, grid: Grid) -> dict[str, Any]:
    """Troubles, recipes and environments, for a file."""
    return {
        "learned_nothing": unlearned(plan, grid),
        "without_score": [asdict(each) for each in troubles(plan, grid)],
        "recipes": [asdict(each) for each in recipes(plan)],
        "environments": environments(grid),
    }


def troubles(plan: Plan, grid: Grid) -> list[Trouble]:
    """Runs without a score, in the plan's order."""
    return [
        Trouble(step, cell.name, seed, run.outcome, run.message)
        for step, (cell, runs) in enumerate(zip(plan.cells, grid, strict=True))
        for seed, run in zip(plan.all_seeds, runs, strict=True)
        if run and run.outcome != "finished"
    ]


def starts_from(cell: Cell) -> str:
    """The weights that a cell's runs start from, in words.

    >>> starts_from(cell)  # doctest: +SKIP
    'runs/mine (fingerprint 1a2b3c4d), with a new head'
    """
    of = cell.initial
    if of is None:
        return "random weights"
    head = "a new head" if of.head_is_new else "its head"
    return f"{of.source} (fingerprint {of.fingerprint[:8]}), with {head}"


def recipes(plan: Plan) -> list[UsedRecipe]:
    """Each recipe once, in the order of the steps."""
    return [
        UsedRecipe(name, _ranges(steps), _settings(name, recipe))
        for (name, recipe), steps in by_recipe(plan).items()
    ]


def by_recipe(plan: Plan) -> dict[tuple[str, Recipe], list[int]]:
    """The cells that use each recipe, by index."""
    used: dict[tuple[str, Recipe], list[int]] = {}
    for step, cell in enumerate(plan.cells):
        used.setdefault((cell.recipe_name, cell.recipe), []).append(step)
    return used


def _settings(name: str, recipe: Recipe) -> dict[str, Setting]:
    named = asdict(RECIPES[name]) if name in RECIPES else {}
    return {
        field: Setting(
            _text(value), _text(named[field]) if named.get(field, value) != value else None
        )
        for field, value in asdict(recipe).items()
        if field not in _WHERE_SET or value != getattr(_USUAL, field)
    }


_USUAL = Recipe()
_WHERE_SET = {
    "balance",
    "accumulate",
    "patience",
    "average_epochs",
    "crop_area",
}  # shown where a recipe has it


def _ranges(steps: list[int]) -> str:
    """Ascending numbers in words.

    >>> _ranges([0, 1, 2, 5])
    '0–2, 5'
    """
    runs = groupby(enumerate(steps), lambda placed: placed[1] - placed[0])
    parts = [[step for _, step in run] for _, run in runs]
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}–{p[-1]}" for p in parts)


def environments(grid: Grid) -> list[dict[str, Any]]:
    """Each environment once, the most used first: versions and machine, and how many runs."""
    made = [run.environment for row in grid for run in row if run and run.environment]
    keys = [json.dumps(each, sort_keys=True, default=str) for each in made]
    first = dict(zip(reversed(keys), reversed(made), strict=True))
    return [{"runs": n, "values": in_text(first[key])} for key, n in Counter(keys).most_common()]


def in_text(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a page shows them."""
    return {name: _text(value) for name, value in values.items()}


def older(grid: Grid) -> str:
    """How many results an older revision of the training code made; empty where none."""
    runs = {run.key: run.revision for row in grid for run in row if run}.values()
    old = [revision for revision in runs if revision < REVISION]
    if not old:
        return ""
    which = f"revision{'s' * (len(set(old)) > 1)} {listed([str(at) for at in sorted(set(old))])}"
    return (
        f"{len(old)} of {plural(len(runs), 'result')} {'was' if len(old) == 1 else 'were'} made by "
        f"{which} of the training code; this version is at revision {REVISION}: the same run would "
        "train to other bits."
    )


def _text(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(_text(item) for item in value)
        case Mapping():
            return ", ".join(f"{name}: {_text(item)}" for name, item in value.items())
        case None:
            return "none"
    return str(value)


def hundredfold(found: _Found) -> _Found:
    """The same with its fractions in per cent, or their differences in points."""
    scores = [each.name for each in fields(found) if each.name in _SCORES]
    return replace(found, **{name: _hundred(getattr(found, name)) for name in scores})


def _hundred(value: Any) -> Any:
    match value:
        case float():
            return 100 * value
        case Interval():
            return Interval(100 * value.low, 100 * value.high)
        case tuple():
            return tuple(map(_hundred, value))
    return value
