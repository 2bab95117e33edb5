"""What to run next: commands that settle what these runs leave open, with their number of runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextify.designs import Factor
from nextify.experiments.fractions import ATTRIBUTE, fraction, full, with_ends
from nextify.findings import Attribution
from nextify.records import Plan
from nextify.report.factors.outcomes import lower_rate_for
from nextify.requests import changed, command_line, entries, given
from nextify.words import listed, plural

Levels = NDArray[np.int8]  # a row per cell, +1 where a factor is made

_SCREENS = ("leave-one-out", "add-one-in", "resolution-4")
_LIVE = range(2, 6)  # factors of which all subsets are few
_MOST_FULL = 8  # factors
_MOST_TIMES = 12  # as many seeds as there are; more is no advice
_SURE = 0.05


@dataclass(frozen=True, slots=True)
class NextRuns:
    """A command and why.

    Attributes:
        why: in a sentence. command: empty where the study's own is not known.
        runs: new ones; those that are recorded are kept.
    """

    why: str
    command: str
    runs: int


def next_runs(plan: Plan, found: Attribution, file: str = "") -> tuple[NextRuns, ...]:
    """What would settle the undecided factors, the most useful first; empty if nothing is open.

    Args:
        file: of the study, to be named in the commands that continue it; empty for its usual
            place.
    """
    asked = _Advice(plan, found, {"file": file} if file else {})
    if found.counts.missing:  # what is open is not known yet
        return (asked.finish(),)
    if not found.counts.finished or lower_rate_for(found):
        return tuple(asked.lower_rate())
    seeds = (*asked.second_seed(), *asked.more_seeds())
    return (*asked.sharper_plan(), *seeds, *asked.all_subsets(), *asked.live_factors())


@dataclass(frozen=True, slots=True)
class _Advice:
    plan: Plan
    found: Attribution
    file: Mapping[str, Any]

    def finish(self) -> NextRuns:
        missing = self.found.counts.missing
        why = f"Finish the study: {plural(missing, 'planned run')} not recorded yet."
        return self._next(why, {}, missing)

    def lower_rate(self) -> Iterator[NextRuns]:
        """Where no run has a score because all diverged."""
        rates = {cell.recipe.learning_rate for cell in self.plan.cells}
        rest = lower_rate_for(self.found)
        if not (self.found.counts.diverged or rest) or not self.plan.requests:
            return
        there = given(self.plan.requests[-1]).get("changes", ())
        kept = [each for each in there if not each.startswith("learning_rate=")]
        changes = (*kept, f"learning_rate={min(rates) / 3:.2g}")
        change = {"changes": changes, "file": self._beside("lower-rate")}
        why = rest or "Every run that could be carried out diverged: a third of the learning rate."
        yield NextRuns(why, self._command(change), self.plan.count)

    def sharper_plan(self) -> Iterator[NextRuns]:
        """From a screen to resolution V."""
        if self.plan.experiment not in _SCREENS or len(self.plan.factors) < 3:
            return
        why = "Tell contributions from two-factor interactions, and these from each other:"
        kept = "" if self.plan.matched else ", which keeps the runs that it shares with this plan"
        levels = fraction(len(self.plan.factors), ATTRIBUTE)
        seeds = max(2, len(self.plan.seeds))
        change = {"experiment": "resolution-5", "seeds": seeds}
        yield self._next(f"{why} resolution V{kept}.", change, self._new(levels, seeds))

    def second_seed(self) -> Iterator[NextRuns]:
        if len(self.plan.seeds) == 1 and self.plan.experiment not in _SCREENS:
            why = "Measure the noise instead of guessing it: a second seed for every cell."
            yield self._seeds(2, why)

    def more_seeds(self) -> Iterator[NextRuns]:
        """For the cheapest undecided factor, and for all that can be settled."""
        there = len(self.plan.seeds)
        needed = {
            each.name: each.needed.seeds
            for each in self.found.contributions
            if each.needed and there < each.needed.seeds <= _MOST_TIMES * there
        }
        ends = {pick(needed.values()) for pick in (min, max) if needed}
        return (self._seeds(seeds, _settled(seeds, needed)) for seeds in sorted(ends))

    def all_subsets(self) -> Iterator[NextRuns]:
        """Where the two-factor model is seen to fail."""
        gap, lack, count = self.found.gap, self.found.lack_of_fit, len(self.plan.factors)
        within = gap.estimate.interval if gap and not gap.by_construction else None
        fails = (within and within.excludes_zero) or (lack and lack.p < _SURE)
        if not fails or count > _MOST_FULL or self.plan.experiment in ("full", *_SCREENS):
            return
        why = "Interactions of three or more factors are there:"
        new = self._new(full(count), len(self.plan.seeds))
        give = f"all {1 << count} subsets give exact Shapley values."
        yield self._next(f"{why} {give}", {"experiment": "full"}, new)

    def live_factors(self) -> Iterator[NextRuns]:
        """All subsets of the few factors that do something."""
        acting = {c.name for c in self.found.contributions if c.answer in ("helps", "hurts")}
        pairs = [pair for pair in self.found.interactions if pair.found and not pair.aliased]
        live = acting.union(*((pair.first, pair.second) for pair in pairs))
        if len(live) not in _LIVE or len(live) == len(self.plan.factors):
            return
        text = ",".join(_as_option(f) for f in self.plan.factors if f.name in live)
        seeds = max(4, len(self.plan.seeds))
        why = (
            f"Look closely at the {len(live)} factors that do something, in all subsets; the "
            "others stay as at the start."
        )
        change = {"experiment": "full", "factors": text, "seeds": seeds}
        command = self._command({**change, "file": self._beside("live")})
        yield NextRuns(why, command, self._runs(1 << len(live), seeds))

    def _seeds(self, seeds: int, why: str) -> NextRuns:
        added = (seeds - len(self.plan.seeds)) * len(self.plan.cells)
        return self._next(why, {"seeds": seeds}, added)

    def _next(self, why: str, change: Mapping[str, Any], runs: int) -> NextRuns:
        if self.plan.experiment == "augmented":  # of several requests, one that takes all cells
            change = {"experiment": "augmented", **change}
        return NextRuns(why, self._command({**change, **self.file}), runs)

    def _command(self, change: Mapping[str, Any]) -> str:
        """The study's own command with some options set, which stand last."""
        if not self.plan.requests:
            return ""
        if not change:
            return self.plan.command
        cells = _CELLS if "experiment" in change else {}  # they belong to the cells of one plan
        request = self.plan.requests[-1]
        known = {entry.key for entry in entries(type(request))}  # `choose` has no file, say
        values = {name: value for name, value in {**cells, **change}.items() if name in known}
        return command_line(changed(request, **values), last=tuple(change))

    def _beside(self, what: str) -> str:
        """A file of its own."""
        return f"runs/{self.plan.name}-{self.plan.data['name']}-{what}.study"

    def _runs(self, cells: int, seeds: int) -> int:
        """Of so many cells at each learning rate, and of the end cells' further seeds."""
        rates = len({cell.rate for cell in self.plan.cells})
        return cells * seeds * rates + sum(len(cell.more_seeds) for cell in self.plan.cells)

    def _new(self, levels: Levels, seeds: int) -> int:
        """Runs of these cells that the plan has not. Matched cells change with the plan."""
        names = [factor.name for factor in self.plan.factors]
        made = (with_ends(levels) > 0).tolist()
        wanted = {tuple(compress(names, row)) for row in made}
        cells = () if self.plan.matched else self.plan.cells
        kept = [cell for cell in cells if tuple(cell.made or ()) in wanted]
        each = min(seeds, len(self.plan.seeds))
        there = sum(each + len(cell.more_seeds) for cell in kept)
        return self._runs(len(wanted), seeds) - there


def _settled(seeds: int, needed: Mapping[str, int]) -> str:
    """What more seeds are for."""
    names = [name for name, least in needed.items() if least <= seeds]
    effect, as_large = ("effects", "they are") if names[1:] else ("effect", "it is")
    return (
        f"To see the {effect} of {listed(names)} with 80 % probability, if {as_large} as large as "
        f"measured: {seeds} seeds a cell."
    )


def _as_option(factor: Factor) -> str:
    """A factor as `--factors` reads it.

    >>> _as_option(Factor("kernel, first", ("spatial conv first", "kernel size 7")))
    'kernel first = spatial conv first + kernel size 7'
    """
    choices = " + ".join(factor.choices)
    name = factor.name.replace(",", "").replace("=", "")
    return choices if name == choices else f"{name} = {choices}"


_CELLS = {"fold_over": None, "add_cells": None, "orders": 8, "target": None}
