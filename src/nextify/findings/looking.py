"""Which look a reading of verdicts is, and at what level its intervals have to be.

Looks that nobody planned spend 0.05 * 6 / (pi look)^2 each. Planned ones are equally far apart in
seeds of every cell, and spend what O'Brien and Fleming's boundaries do: a look that comes late
spends what it would have spent in time, and one before its time, or after the last, gives no
verdict. Study files from before looks were kept have 95 % each time they are read.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nextify.experiments import looks
from nextify.experiments.intervals import LEVEL
from nextify.records.history import NO_HISTORY, History, Look, data_hash
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Record

_LATER = 1e-6  # of all information: the least between two looks


@dataclass(frozen=True, kw_only=True, slots=True)
class Looking:
    """A reading of verdicts, before they are read.

    Attributes:
        history: of the study file, this look not yet in it.
        number: which look it is; 0 where looks are not kept, or it is none.
        level: of its simultaneous intervals; 1: no verdicts. following: of the look after it;
            None where none is left.
        data: see `Look`. planned: the seeds a cell at which each planned look is due; empty
            where looks are not planned. reached: how many of these are. share, bound: see `Look`.
        failed: runs that the next planned look waits for, because they can be tried again.
        is_saved: whether the study file has it now.
    """

    history: History = NO_HISTORY
    number: int = 0
    level: float = LEVEL
    following: float | None = LEVEL
    data: str = ""
    planned: tuple[int, ...] = ()
    reached: int = 0
    share: float = 0.0
    bound: float = 0.0
    failed: int = 0
    is_saved: bool = False

    def before(self, score: str) -> Look | None:
        """The look before this one at a score."""
        earlier = [each for each in self.history.looks if each.score == score]
        earlier = [each for each in earlier if not self.number or each.number < self.number]
        return earlier[-1] if earlier else None


def looking_at(
    plan: Plan, records: Iterable[Record], history: History, without_failed: bool = False
) -> Looking:
    """Which look it is to read a study's verdicts now.

    Args:
        without_failed: failed runs are lost for good, so that a planned look waits for none.
    """
    if not history.is_kept:
        return Looking(history=history)
    given = tuple(records)
    data, last = data_hash(given), history.looks[-1] if history.looks else None
    planned = due(history)
    if planned:
        return _planned(plan, given, history, planned, data, without_failed)
    number = history.last + (last is None or last.data != data)
    level, following = looks.unplanned(number), looks.unplanned(number + 1)
    return Looking(history=history, number=number, level=level, following=following, data=data)


def due(history: History) -> tuple[int, ...]:
    """The seeds of every cell at which planned looks are due; what was settled first holds.

    >>> [math.ceil(look * 10 / 4) for look in range(1, 5)]
    [3, 5, 8, 10]
    """
    first = history.registered[0] if history.is_kept and history.registered else None
    if first is None or first.looks is None:
        return ()
    return tuple(math.ceil(at * first.seeds / first.looks) for at in range(1, first.looks + 1))


def recorded_looks(plan: Plan, records: Iterable[Record], planned: Sequence[int]) -> int:
    """How many planned looks have all their runs recorded."""
    there = set(places(plan, records))
    names = [cell.name for cell in plan.cells]
    for reached, seeds in enumerate(planned):
        if not all((name, seed) in there for name in names for seed in plan.seeds[:seeds]):
            return reached
    return len(planned)


def tried(records: Iterable[Record]) -> tuple[Record, ...]:
    """Those of runs that did not fail, and are not to be tried again."""
    return tuple(each for each in records if each.outcome != "failed")


def _planned(
    plan: Plan,
    records: tuple[Record, ...],
    history: History,
    planned: tuple[int, ...],
    data: str,
    without_failed: bool,
) -> Looking:
    """The look at planned ones: none before it is due, none after the last."""
    taken = {each.number: each for each in history.looks}
    last = taken[max(taken)] if taken else None
    again = last is not None and last.data == data
    before = [each for each in taken.values() if not (again and each is last)]
    spent = _Spent(planned, len(plan.factors), tuple((e.share, e.bound) for e in before))
    done, there = tried(records), recorded_looks(plan, records, planned)
    reached = there if without_failed else recorded_looks(plan, done, planned)
    if again and last is not None:  # it was taken, whether or not runs had failed
        reached = max(reached, last.reached)
    failed = len(records) - len(done) if there > reached else 0
    found = Looking(
        history=history, data=data, planned=planned, reached=reached, level=1.0, failed=failed
    )
    if reached > max((each.reached for each in before), default=0):
        share, bound = spent.following(reached, _share(plan, records, planned[-1]))
        level, number = looks.level_of(bound, spent.count), history.last + (not again)
        found = replace(found, number=number, level=level, share=share, bound=bound)
        spent = replace(spent, taken=(*spent.taken, (share, bound)))
    if reached == len(planned):
        return replace(found, following=None)
    _, bound = spent.following(reached + 1)
    return replace(found, following=looks.level_of(bound, spent.count))


@dataclass(frozen=True, slots=True)
class _Spent:
    """What looks have spent of what they may.

    Attributes:
        planned: see `Looking`. count: of contrasts. taken: (share, bound) of looks so far.
    """

    planned: tuple[int, ...]
    count: int
    taken: tuple[tuple[float, float], ...]

    def following(self, reached: int, share: float = 0.0) -> tuple[float, float]:
        """The share and the boundary of the next look, which reaches a planned one."""
        times = [seeds / self.planned[-1] for seeds in self.planned]
        bounds = looks.planned(times, looks.chance_of_one(1 - LEVEL, self.count))
        may = float(looks.crossings(times, bounds.tolist())[:reached].sum())
        shares, heights = [share for share, _ in self.taken], [bound for _, bound in self.taken]
        share = max(share, times[reached - 1], *(each + _LATER for each in shares))
        left = may - float(looks.crossings(shares, heights).sum())
        return share, looks.following(shares, heights, share, left)


def _share(plan: Plan, records: Iterable[Record], seeds: int) -> float:
    """Of the runs that were planned, how many are recorded."""
    there, common = places(plan, records), set(plan.seeds[:seeds])
    return sum(seed in common for _, seed in there) / (len(plan.cells) * seeds)
