"""What to run next: commands that settle what these runs leave open, with their number of runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextify.designs import Factor
from nextify.experiments.fractions import ATTRIBUTE, crossing, full, with_ends
from nextify.experiments.intervals import LEVEL
from nextify.findings import Attribution
from nextify.findings.advice import Settling, seeds_to_settle, settling
from nextify.findings.answers import DECIDED
from nextify.findings.looking import Looking
from nextify.records import Plan
from nextify.report.factors.outcomes import lower_rate_for
from nextify.report.factors.units import amount
from nextify.requests import Request, changed, command_line, entries, given
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


def next_runs(
    plan: Plan, found: Attribution, file: str = "", looking: Looking | None = None
) -> tuple[NextRuns, ...]:
    """What would settle the undecided factors, the most useful first; empty if nothing is open.

    Args:
        file: of the study, to be named in the commands that continue it; empty for its usual
            place.
        looking: which look this is; without it the intervals of the next are as these.
    """
    asked = _Advice(plan, found, {"file": file} if file else {}, looking or Looking())
    if asked.looking.planned:
        return tuple(asked.next_look())
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
    looking: Looking

    def next_look(self) -> Iterator[NextRuns]:
        """The next planned look, as long as one is left and something is open."""
        reached, planned, failed = self.looking.reached, self.looking.planned, self.looking.failed
        if failed:
            why = f"Look {reached + 1} of {len(planned)} waits for runs that failed: once more."
            yield self._next(why, {"retry_failed": True}, failed)
            return
        if reached == len(planned) or self._is_settled:
            return
        seeds, there = planned[reached], planned[reached - 1] if reached else 0
        why = f"Look {reached + 1} of {len(planned)} is due at {seeds} seeds a cell."
        if there and (then := self._then(there, seeds)):
            why = f"{why} {_says(then, self.found)}"
        more = sum(len(cell.more_seeds) for cell in self.plan.cells) if not reached else 0
        yield self._next(why, {}, (seeds - there) * len(self.plan.cells) + more)

    @property
    def _is_settled(self) -> bool:
        settled = (*DECIDED, "negligible", "no effect")
        return all(each.answer in settled for each in self.found.contributions)

    def _then(self, there: int, seeds: int) -> Settling | None:
        level = self.looking.following
        return settling(self.found, there, seeds, LEVEL if level is None else level)

    def finish(self) -> NextRuns:
        missing = self.found.counts.missing
        why = f"Finish the study: {plural(missing, 'planned run')} not recorded yet."
        return self._next(why, {}, missing)

    def lower_rate(self) -> Iterator[NextRuns]:
        """Where no run has a score because all diverged: the same study in a file of its own, which
        a study that was added to comes to by all its requests in turn."""
        rates = {cell.recipe.learning_rate for cell in self.plan.cells}
        rest = lower_rate_for(self.found)
        if not (self.found.counts.diverged or rest) or not self.plan.requests:
            return
        lower, file = f"learning_rate={min(rates) / 3:.2g}", self._beside("lower-rate")
        lines = []
        for request in self.plan.requests:
            there = given(request).get("changes", ())
            kept = [each for each in there if not each.startswith("learning_rate=")]
            lines.append(_line(request, {"changes": (*kept, lower), "file": file}))
        why = rest or "Every run that could be carried out diverged: a third of the learning rate."
        tuning = len(self.plan.cells) * len(self.plan.tuned)
        yield NextRuns(why, " && ".join(lines), self.plan.count + tuning)

    def sharper_plan(self) -> Iterator[NextRuns]:
        """From a screen to resolution V."""
        if self.plan.experiment not in _SCREENS or len(self.plan.factors) < 3:
            return
        why = "Tell contributions from two-factor interactions, and these from each other:"
        kept = "" if self.plan.matched else ", which keeps the runs that it shares with this plan"
        levels = crossing(len(self.plan.factors), len(self.plan.crossed), ATTRIBUTE)
        seeds = max(2, len(self.plan.seeds))
        change = {"experiment": "resolution-5", "seeds": seeds}
        yield self._next(f"{why} resolution V{kept}.", change, self._new(levels, seeds))

    def second_seed(self) -> Iterator[NextRuns]:
        plan = self.plan  # where things are crossed, some cells have a second seed
        if len(plan.seeds) == 1 and not plan.crossed and plan.experiment not in _SCREENS:
            why = "Measure the noise instead of guessing it: a second seed for every cell."
            yield self._seeds(2, why)

    def more_seeds(self) -> Iterator[NextRuns]:
        """As many as settle what is undecided, if that is known; twice as many where no margin
        says what that means."""
        there, level = len(self.plan.seeds), self.looking.following or LEVEL
        if there == 1:  # the noise comes first
            return
        if self.found.margin is None:
            then = settling(self.found, there, 2 * there, level)
        else:
            then = seeds_to_settle(self.found, there, level, _MOST_TIMES * there)
        if then:
            yield self._seeds(then.seeds, _says(then, self.found))

    def all_subsets(self) -> Iterator[NextRuns]:
        """Where the two-factor model is seen to fail."""
        gap, lack, count = self.found.gap, self.found.lack_of_fit, len(self.plan.columns)
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
        acting = {c.name for c in self.found.contributions if c.answer in DECIDED}
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
        cells = 1 << (len(live) + len(self.plan.crossed))
        yield NextRuns(why, command, self._runs(cells, seeds))

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
        return _line(self.plan.requests[-1], {**cells, **change}, last=tuple(change))

    def _beside(self, what: str) -> str:
        """A file of its own."""
        return f"runs/{self.plan.name}-{self.plan.data['name']}-{what}.study"

    def _runs(self, cells: int, seeds: int) -> int:
        """Of so many new cells at each learning rate, and of single cells' further seeds; to tune
        a cell takes a run at each rate."""
        tuned = self.plan.tuned
        rates = 1 if tuned else len({cell.rate for cell in self.plan.cells})
        more = sum(len(cell.more_seeds) for cell in self.plan.cells)
        return cells * (seeds * rates + len(tuned)) + more

    def _new(self, levels: Levels, seeds: int) -> int:
        """Runs of these cells that the plan has not. Matched cells change with the plan."""
        made = (with_ends(levels, len(self.plan.crossed)) > 0).tolist()
        wanted = {tuple(compress(self.plan.columns, row)) for row in made}
        cells = () if self.plan.matched else self.plan.cells
        kept = [cell for cell in cells if cell.on in wanted]
        each = min(seeds, len(self.plan.seeds))
        there = sum(each + len(cell.more_seeds) + len(self.plan.tuned) for cell in kept)
        return self._runs(len(wanted), seeds) - there


def _line(request: Request, change: Mapping[str, Any], last: Sequence[str] = ()) -> str:
    """A request's command with some options set; these stand last, or those that are named."""
    known = {entry.key for entry in entries(type(request))}  # `choose` has no file, say
    values = {name: value for name, value in change.items() if name in known}
    return command_line(changed(request, **values), last=last or tuple(change))


def _says(then: Settling, found: Attribution) -> str:
    """What more seeds are for, and how often they settle it."""
    half = amount(then.half, found.metric)
    names = listed([c.name for c in found.contributions if c.answer == "not resolved"])
    if found.margin is None:
        return (
            f"{then.seeds} seeds a cell bring the intervals to ± {half}. Say with --margin what "
            f"size of effect matters: the number of seeds that settles {names} follows from it."
        )
    size = amount(found.margin, found.metric)
    return (
        f"{then.seeds} seeds a cell for {names} (intervals of ± {half}): an effect of {size} is "
        f"then found in {100 * then.found:.0f} of 100; where there is none, it is shown to be "
        f"smaller than {size} in {100 * then.missing:.0f} of 100."
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
