"""What is damaged in a study file, and the runs that are left out for it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nextify.records.contents import Contents
from nextify.records.digests import PLAN
from nextify.records.plan import Plan
from nextify.records.record import Record

_LOST = "its record in the study file is damaged; the study's command trains it again"


@dataclass(frozen=True, slots=True)
class Damage:
    """What is damaged in a study file.

    Attributes:
        runs: the runs that are left out, as runs that failed. unknown: how many more there are, of
            which no more than the key is known.
        has_plan: whether the plan can be believed. is_broken: the file's structure is damaged.
        history: how many looks, or settlements before them, are lost. probes: how many
            measurements of networks.
    """

    runs: tuple[Record, ...]
    unknown: int
    has_plan: bool
    is_broken: bool
    history: int = 0
    probes: int = 0


def damage_of(contents: Contents, plan: Plan | None) -> Damage | None:
    """The damage of a file; None if there is none."""
    if not (contents.damaged or contents.is_broken):
        return None
    keys = {place.removeprefix("run ") for place in contents.damaged if place.startswith("run ")}
    at = {(row.values[0], row.values[1]): str(row.values[2]) for row in contents.cells}
    runs = tuple(_lost(keys, at, plan)) if plan and keys else ()
    has_plan = PLAN not in contents.damaged
    history, probes = (
        sum(place.startswith(table) for place in contents.damaged)
        for table in ("history ", "probe ")
    )
    return Damage(runs, len(keys) - len(runs), has_plan, contents.is_broken, history, probes)


def _lost(keys: Iterable[str], at: Mapping[tuple[str, int], str], plan: Plan) -> Iterator[Record]:
    """A record that says so for each run of the plan whose own is damaged, in the plan's order."""
    left = set(keys)
    for cell, seed in plan.places():
        run = plan.run(cell, seed)
        key = at.get((cell.name, seed), run.key)
        if key in left:
            left.discard(key)
            yield Record(
                key=key, run=run.as_dict(), outcome="failed", message=_LOST, cells=(cell.name,)
            )
