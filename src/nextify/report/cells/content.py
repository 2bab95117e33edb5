"""What the reports of a path and of a comparison say, worked out once: cells against a reference.

A path's steps are cells against the cell before, a comparison's networks cells against the first.
Accuracies here are in per cent and differences in percentage points: what the reader sees.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import isclose
from statistics import fmean
from typing import Any

from nextify.experiments.intervals import of_share
from nextify.findings import (
    BlockModel,
    CellMean,
    Comparison,
    Difference,
    Grid,
    grid,
    measure_comparison,
    measure_steps,
)
from nextify.findings.comparison import BASELINE, Standings, places
from nextify.findings.differences import Compared
from nextify.findings.outcomes import Chance, chance_of, unlearned
from nextify.findings.probed import probe_scores
from nextify.findings.scores import AnyScore, ProbeScore, beside_accuracy
from nextify.records import Cell, Plan, Record
from nextify.records.measurement import AllProbed
from nextify.report import details
from nextify.report.details import hundredfold
from nextify.words import whole

_OUTCOMES = ("finished", "diverged", "failed", "missing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A mean and its difference to the mean it is compared with: a network's gain, say.

    Attributes:
        mean: in per cent or points. move: in points; without a value where there is none.
    """

    mean: CellMean
    move: Difference

    @property
    def name(self) -> str:
        """Of the step or network."""
        return self.mean.name

    @property
    def n(self) -> int:
        """Runs, or seeds, that have a score."""
        return self.mean.n

    @property
    def half(self) -> float | None:
        """How far the mean's interval reaches, for new seeds."""
        own, mean = self.mean.interval, self.mean.mean
        return None if own is None or mean is None else max(own.high - mean, mean - own.low)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row(Line):
    """A cell of a study: the accuracy of its runs, and what they took.

    Attributes:
        at: number of the step, or index of the network. images: it is trained on.
        runs: the planned ones, None where one is not recorded yet. chance: of the study.
    """

    at: int
    cell: Cell
    images: int
    runs: tuple[Record | None, ...]
    chance: Chance | None = None

    @property
    def chance_level(self) -> float | None:
        """What always answering the largest class scores, in per cent."""
        return None if self.chance is None else 100 * self.chance.share

    @property
    def unlearned(self) -> int:
        """How many of its runs learned nothing."""
        return int(unlearned(self.runs, self.chance).sum())

    @property
    def with_diverged(self) -> float | None:
        """Mean accuracy over the runs that finished or diverged, these at the level of chance."""
        known = [100 * run.result.accuracy for run in self.recorded if run.result]
        if self.chance is not None:
            known += [100 * self.chance.share] * self.count("diverged")
        return fmean(known) if known else None

    @property
    def accuracy(self) -> float | None:
        """Mean over the runs that finished."""
        return self.mean.mean

    @property
    def shown(self) -> tuple[float | None, ...]:
        """What an axis of accuracies has to hold: the runs, and the ends of the mean's interval."""
        within = self.mean.interval
        return (*self.mean.values, *((within.low, within.high) if within else ()))

    @property
    def recorded(self) -> tuple[Record, ...]:
        """Its runs so far."""
        return tuple(run for run in self.runs if run)

    def count(self, outcome: str) -> int:
        """How many of its runs finished, diverged, failed or are missing."""
        return sum((run.outcome if run else "missing") == outcome for run in self.runs)

    @property
    def trouble(self) -> str:
        """Runs that diverged or failed, in words; empty if there are none."""
        return ", ".join(details.lost(self.count("diverged"), self.count("failed")))

    @property
    def updates(self) -> int:
        """Of a whole training."""
        return self.cell.recipe.epochs * (self.images // self.cell.recipe.batch_size)

    def mean_of(self, part: str, name: str) -> float | None:
        """A field of `result` or of what was `measured`, mean over the runs that finished."""
        parts = [getattr(run, part) for run in self.recorded if run.result]
        values = [getattr(each, name) for each in parts if each]
        return fmean(values) if values else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRows:
    """A further score of each cell, and its differences, in the score's own units.

    Attributes:
        rows: one a row of the content, in its order.
    """

    score: AnyScore
    rows: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRows(ScoreRows):
    """What a probe found in each cell."""

    score: ProbeScore


@dataclass(frozen=True, kw_only=True, slots=True)
class CellsContent:
    """A study of cells against a reference, ready to be shown.

    Attributes:
        runs: the records, cells by seeds.
        rows: steps in their order; networks by number of images.
        probes: what probes found, by name; empty without any.
        by_class: the scores in which all classes count alike; empty where classes are equal.
    """

    plan: Plan
    runs: Grid
    rows: tuple[Row, ...]
    probes: tuple[ProbeRows, ...] = ()
    by_class: tuple[ScoreRows, ...] = ()

    @property
    def chance(self) -> float | None:
        """What always answering the largest class scores, in per cent; None: not known."""
        return self.rows[0].chance_level

    @property
    def noun(self) -> str:
        """What a cell is."""
        return "network" if self.plan.experiment == "comparison" else "step"

    @property
    def counts(self) -> dict[str, int]:
        """How many runs are planned, and how many had each outcome."""
        became = {what: sum(row.count(what) for row in self.rows) for what in _OUTCOMES}
        return {"planned": sum(became.values()), **became}

    @property
    def moved(self) -> tuple[Row, ...]:
        """The rows with a difference."""
        return tuple(row for row in self.rows if row.move.value is not None)

    @property
    def score(self) -> str:
        """What the accuracies are of."""
        return "accuracy on held-out images" if self.plan.held_out else "test accuracy"

    @property
    def has_intervals(self) -> bool:
        """Whether any accuracy has an interval."""
        return any(row.mean.interval for row in self.rows)

    @property
    def all_agree(self) -> bool:
        """Whether runs with other seeds scored the same to the last digit, so that no spread shows,
        and no interval is possible."""
        again = [each.mean.values for each in self.rows if each.n > 1]
        return bool(again) and all(len({*known} - {None}) == 1 for known in again)

    @property
    def has_means(self) -> bool:
        """Whether any accuracy is the mean of several runs."""
        return any(row.n > 1 for row in self.rows)

    @property
    def sizes(self) -> str:
        """How many finished runs cells have: "3" or "1 to 3"."""
        found = sorted({row.n for row in self.rows if row.n}) or [0]
        return f"{found[0]} to {found[-1]}" if len(found) > 1 else str(found[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class StepsContent(CellsContent):
    """A study of a path.

    Attributes:
        overall: the last step against the first, in points. spread: accuracy as a fraction.
    """

    overall: Difference
    spread: BlockModel

    @property
    def has_paper(self) -> bool:
        """Whether any step is the paper's."""
        return any(row.cell.paper for row in self.rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonContent(CellsContent):
    """A comparison of networks.

    Attributes:
        found: accuracy as a fraction. gains: one a network; empty with one number of images.
    """

    found: Comparison
    gains: tuple[Line, ...]

    @property
    def baseline(self) -> str:
        """The network that the others are compared with."""
        return self.found.networks[BASELINE]

    @property
    def several(self) -> bool:
        """Whether there is more than one number of images."""
        return len(self.found.images) > 1

    @property
    def draws(self) -> bool:
        """Whether any network is trained on a draw of the images."""
        return any(cell.images is not None for cell in self.plan.cells)

    def row(self, network: str, images: int) -> Row | None:
        """A network on a number of images; None where the plan has it not."""
        return next((row for row in self.rows_of(network) if row.images == images), None)

    def rows_of(self, network: str) -> tuple[Row, ...]:
        """A network's rows, by number of images."""
        return tuple(row for row in self.rows if row.name == network)

    def rows_on(self, images: int) -> tuple[Row, ...]:
        """The rows of a number of images, by network."""
        return tuple(row for row in self.rows if row.images == images)

    def highest(self, on: Standings) -> tuple[Row, ...]:
        """The networks with the highest mean: the leader, and whoever has the same; none without a
        score."""
        if on.leader is None:
            return ()
        most = on.means[on.leader].mean or 0.0  # a leader has a score
        names = [of.name for of in on.means if of.mean is not None and isclose(of.mean, most)]
        return tuple(row for row in self.rows_on(on.images) if row.name in names)

    def cell_of(self, network: str) -> Cell:
        """A network's cell on its largest number of images."""
        return self.rows_of(network)[-1].cell

    def on(self, images: int) -> str:
        """A number of training images in a sentence.

        >>> content.on(1000)  # doctest: +SKIP
        'on 1,000 images'
        """
        every = "all " if images == self.plan.data.get("train") else ""
        return f"on {every}{whole(images)} images"


AnyContent = StepsContent | ComparisonContent


def steps_content(
    plan: Plan, records: Iterable[Record], probed: AllProbed | None = None
) -> StepsContent:
    """Work out what the report of a path says; `probed`: of its runs.

    Raises:
        InputError: no run of the plan is recorded.
    """
    kept = tuple(records)
    runs = _some(plan, grid(plan, kept))
    found = measure_steps(plan, kept)
    rows = (_row(plan, runs, found, at, at) for at in range(len(runs)))
    overall = hundredfold(found.overall)

    def lines(score: AnyScore) -> tuple[Line, ...]:
        return tuple(_lines(measure_steps(plan, kept, score)))

    return StepsContent(
        plan=plan, runs=runs, rows=tuple(rows), overall=overall, spread=found.spread,
        **_beside(kept, runs, probed, lines),
    )  # fmt: skip


def comparison_content(
    plan: Plan, records: Iterable[Record], probed: AllProbed | None = None
) -> ComparisonContent:
    """Work out what the report of a comparison says; `probed`: of its runs.

    Raises:
        InputError: no run of the plan is recorded, or the plan is no comparison.
    """
    kept, where = tuple(records), places(plan)
    runs = _some(plan, grid(plan, kept))
    found = measure_comparison(plan, kept)
    rows = (
        _row(plan, runs, on, at, where[network, on.images])
        for on in found.at
        for at, network in enumerate(found.networks)
        if (network, on.images) in where
    )

    def lines(score: AnyScore) -> tuple[Line, ...]:
        return tuple(
            line
            for on in measure_comparison(plan, kept, score).at
            for line, network in zip(_lines(on), found.networks, strict=True)
            if (network, on.images) in where
        )

    gains = zip(found.gains.means, found.gains.differences, strict=True) if found.gains else ()
    return ComparisonContent(
        plan=plan,
        runs=runs,
        rows=tuple(rows),
        found=found,
        gains=tuple(Line(mean=hundredfold(mean), move=hundredfold(move)) for mean, move in gains),
        **_beside(kept, runs, probed, lines),
    )


def _some(plan: Plan, runs: Grid) -> Grid:
    """The same runs, at least one of them recorded."""
    if not any(run for row in runs for run in row):
        raise details.nothing_recorded(plan)
    return runs


def _beside(
    kept: Iterable[Record],
    runs: Grid,
    probed: AllProbed | None,
    lines: Callable[[AnyScore], tuple[Line, ...]],
) -> dict[str, Any]:
    """What stands beside accuracy."""
    return {
        "probes": tuple(ProbeRows(score=s, rows=lines(s)) for s in _scores(runs, probed)),
        "by_class": tuple(ScoreRows(score=s, rows=lines(s)) for s in beside_accuracy(kept)),
    }


def _scores(runs: Grid, probed: AllProbed | None) -> list[ProbeScore]:
    """The probes that found anything of these runs."""
    keys = {run.key for row in runs for run in row if run and run.result}
    return [each for each in probe_scores(probed or {}).values() if keys & each.values.keys()]


def _lines(found: Compared) -> list[Line]:
    pairs = zip(found.means, found.differences, strict=True)
    return [Line(mean=mean, move=move) for mean, move in pairs]


def _row(plan: Plan, runs: Grid, found: Compared, at: int, cell: int) -> Row:
    of = plan.cells[cell]
    seeded = zip(plan.all_seeds, runs[cell], strict=True)
    mean = found.means[at]
    mean = replace(mean, interval=of_share(mean.interval), wide=of_share(mean.wide))
    return Row(
        mean=hundredfold(mean),
        move=hundredfold(found.differences[at]),
        at=at,
        cell=of,
        images=plan.images_of(of),
        runs=tuple(run for seed, run in seeded if seed in plan.seeds_of(of)),
        chance=chance_of(plan),
    )
