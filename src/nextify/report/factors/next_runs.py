"""What to run next: commands that settle what these runs leave open, with their number of runs."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextify.designs import Factor
from nextify.experiments import fraction, full, with_ends
from nextify.findings import Attribution, Contribution
from nextify.records import Plan
from nextify.words import listed, plural

Levels = NDArray[np.int8]  # a row per cell, +1 where a factor is made

_SCREENS = ("leave-one-out", "add-one-in", "resolution-4")
_LIVE = range(2, 6)  # factors of which all subsets are few
_MOST_FULL = 8  # factors
_MOST_TIMES = 12  # as many seeds as there are
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
    asked = _Advice(plan, found, {"--file": file} if file else {})
    unfinished = asked.finish()
    if unfinished:  # what is open then, is not known yet
        return (unfinished,)
    if not found.counts.finished:
        return tuple(filter(None, [asked.lower_rate()]))
    return tuple(
        one
        for one in (
            asked.sharper_plan(),
            asked.second_seed(),
            *asked.more_seeds(),
            asked.all_subsets(),
            asked.live_factors(),
        )
        if one
    )


@dataclass(frozen=True, slots=True)
class _Advice:
    plan: Plan
    found: Attribution
    file: Mapping[str, str]

    def finish(self) -> NextRuns | None:
        missing = self.found.counts.missing
        if not missing:
            return None
        why = f"Finish the study: {plural(missing, 'planned run')} not recorded yet."
        return self._next(why, {}, missing)

    def lower_rate(self) -> NextRuns | None:
        """Where no run has a score because all diverged."""
        rates = {cell.recipe.learning_rate for cell in self.plan.cells}
        if not self.found.counts.diverged or not self.plan.command:
            return None
        words = [w for w in shlex.split(self.plan.command) if not w.startswith("learning_rate=")]
        name = f"runs/{self.plan.name}-{self.plan.data['name']}-lower-rate.study"
        changed = [*words, f"learning_rate={min(rates) / 3:.2g}"]
        return NextRuns(
            "Every run that could be carried out diverged: a third of the learning rate.",
            _changed(shlex.join(changed), {"--file": name}),
            len(self.plan.runs()),
        )

    def sharper_plan(self) -> NextRuns | None:
        """From a screen to resolution V."""
        if self.plan.experiment not in _SCREENS or len(self.plan.factors) < 3:
            return None
        why = (
            "Tell contributions from two-factor interactions, and these from each other: "
            "resolution V, which keeps the runs that it shares with this plan."
        )
        if self.plan.matched:
            why = why.replace(", which keeps the runs that it shares with this plan", "")
        levels = fraction(len(self.plan.factors), 5).levels
        seeds = max(2, len(self.plan.seeds))
        return self._next(
            why,
            {"--experiment": "resolution-5", "--seeds": str(seeds)},
            self._new(levels.tolist(), seeds),
        )

    def second_seed(self) -> NextRuns | None:
        if len(self.plan.seeds) > 1 or self.plan.experiment in _SCREENS:
            return None
        why = "Measure the noise instead of guessing it: a second seed for every cell."
        return self._seeds(2, why)

    def more_seeds(self) -> list[NextRuns]:
        """For the cheapest undecided factor, and for all that can be settled."""
        needed = [
            (each.needed.seeds, each)
            for each in self.found.contributions
            if each.needed and len(self.plan.seeds) < each.needed.seeds <= self._most_seeds()
        ]
        if not needed:
            return []
        numbers = sorted({seeds for seeds, _ in needed})
        wanted = sorted({numbers[0], numbers[-1]})
        return [self._seeds(seeds, self._why(seeds, needed)) for seeds in wanted]

    def _most_seeds(self) -> int:
        """More is no advice."""
        return _MOST_TIMES * len(self.plan.seeds)

    def _why(self, seeds: int, needed: Sequence[tuple[int, Contribution]]) -> str:
        names = [each.name for least, each in needed if least <= seeds]
        many = len(names) > 1
        return (
            f"To see the effect{'s' * many} of {listed(names)} with 80 % probability, if "
            f"{'they are' if many else 'it is'} as large as measured: {seeds} seeds a cell."
        )

    def all_subsets(self) -> NextRuns | None:
        """Where the two-factor model is seen to fail."""
        gap, lack = self.found.gap, self.found.lack_of_fit
        fails = bool(
            gap and not gap.by_construction and gap.estimate.interval
            and gap.estimate.interval.excludes_zero
        ) or bool(lack and lack.p < _SURE)  # fmt: skip
        count = len(self.plan.factors)
        if not fails or count > _MOST_FULL or self.plan.experiment in ("full", *_SCREENS):
            return None
        why = (
            f"Interactions of three or more factors are there: all {1 << count} subsets give exact "
            "Shapley values."
        )
        seeds = len(self.plan.seeds)
        return self._next(why, {"--experiment": "full"}, self._new(full(count).levels, seeds))

    def live_factors(self) -> NextRuns | None:
        """All subsets of the few factors that do something."""
        live = self._live()
        if len(live) not in _LIVE or len(live) == len(self.plan.factors):
            return None
        kept = [factor for factor in self.plan.factors if factor.name in live]
        text = ",".join(_as_option(factor) for factor in kept)
        seeds = max(4, len(self.plan.seeds))
        why = (
            f"Look closely at the {len(live)} factors that do something, in all subsets; the "
            "others stay as at the start."
        )
        runs = (1 << len(live)) * seeds * self._rates() + self._end_runs()
        change = {"--experiment": "full", "--factors": text, "--seeds": str(seeds)}
        name = f"runs/{self.plan.name}-{self.plan.data['name']}-live.study"
        return NextRuns(why, _changed(self.plan.command, {**change, "--file": name}), runs)

    def _live(self) -> set[str]:
        live = {each.name for each in self.found.contributions if each.answer in ("helps", "hurts")}
        for pair in self.found.interactions:
            if pair.found and not pair.aliased:
                live |= {pair.first, pair.second}
        return live

    def _seeds(self, seeds: int, why: str) -> NextRuns:
        added = (seeds - len(self.plan.seeds)) * len(self.plan.cells)
        return self._next(why, {"--seeds": str(seeds)}, added)

    def _next(self, why: str, change: Mapping[str, str], runs: int) -> NextRuns:
        command = self.plan.command
        if self.plan.experiment == "augmented":  # of several commands, one that takes all cells
            command = command.split(" && ")[-1]
            change = {"--experiment": "augmented", **change}
        return NextRuns(why, _changed(command, {**change, **self.file}), runs)

    def _rates(self) -> int:
        return len({cell.rate for cell in self.plan.cells})

    def _end_runs(self) -> int:
        return sum(len(cell.more_seeds) for cell in self.plan.cells)

    def _new(self, levels: Levels, seeds: int) -> int:
        """Runs of these cells that the plan has not. Matched cells change with the plan."""
        names = [factor.name for factor in self.plan.factors]
        wanted = {
            tuple(n for n, on in zip(names, row, strict=True) if on > 0)
            for row in with_ends(levels).tolist()
        }
        total = len(wanted) * seeds * self._rates() + self._end_runs()
        if self.plan.matched:
            return total
        there = sum(
            min(seeds, len(self.plan.seeds)) + len(cell.more_seeds)
            for cell in self.plan.cells
            if tuple(cell.made or ()) in wanted
        )
        return total - there


def _as_option(factor: Factor) -> str:
    """A factor as `--factors` reads it.

    >>> _as_option(Factor("kernel, first", ("spatial conv first", "kernel size 7")))
    'kernel first = spatial conv first + kernel size 7'
    """
    choices = " + ".join(factor.choices)
    name = factor.name.replace(",", "").replace("=", "")
    return choices if name == choices else f"{name} = {choices}"


def _changed(command: str, options: Mapping[str, str]) -> str:
    """A command with some options set, others kept.

    >>> _changed("nextify study small --seeds 2 --matched macs", {"--seeds": "4"})
    'nextify study small --matched macs --seeds 4'
    """
    if not command or not options:
        return command
    words = iter(shlex.split(command))
    kept = []
    for word in words:
        if word in options or (word in _CELLS and "--experiment" in options):
            next(words, None)
        else:
            kept.append(word)
    return shlex.join([*kept, *(part for pair in options.items() for part in pair)])


_CELLS = ("--fold-over", "--add-cells", "--orders", "--target")  # belong to the cells of one plan
