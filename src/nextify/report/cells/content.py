"""What the reports of a path and of a comparison say, worked out once: cells against a reference.

A path's steps are cells against the cell before, a comparison's networks cells against the first.
Accuracies here are in per cent and differences in percentage points: what the reader sees.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from nextify.findings import (
    CellMean,
    Comparison,
    Difference,
    Grid,
    Interval,
    Spread,
    grid,
    measure_comparison,
    measure_steps,
)
from nextify.findings.comparison import BASELINE, places
from nextify.findings.differences import Compared
from nextify.records import Cell, Plan, Record
from nextify.report import details
from nextify.report.details import hundredfold
from nextify.words import whole

_OUTCOMES = ("finished", "diverged", "failed", "missing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A mean and its difference to the mean it is compared with: a network's gain, say.

    Attributes:
        mean: in per cent or points. move: in points; None where there is no difference.
    """

    mean: CellMean
    move: Difference | None

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
        """Half the width of the mean's interval, for new seeds."""
        return self.mean.interval.half if self.mean.interval else None

    @property
    def difference(self) -> float | None:
        """To the mean it is compared with."""
        return self.move.value if self.move else None

    @property
    def within(self) -> Interval | None:
        """The difference's interval, for new seeds."""
        return self.move.interval if self.move else None

    @property
    def wide(self) -> Interval | None:
        """The difference's interval, for new seeds and new test images."""
        return self.move.wide if self.move else None

    @property
    def own(self) -> Interval | None:
        """The difference's interval from these two cells' seeds alone."""
        return self.move.own if self.move else None

    @property
    def p_holm(self) -> float | None:
        """Two-sided, adjusted for all differences together."""
        return self.move.holm if self.move else None

    @property
    def verdict(self) -> str:
        """That of the difference; empty where there is none."""
        return self.move.verdict if self.move else ""

    @property
    def resolved(self) -> bool:
        """Whether the difference's interval excludes zero."""
        return self.verdict in ("up", "down")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row(Line):
    """A cell of a study: the accuracy of its runs, and what they took.

    Attributes:
        at: number of the step, or index of the network. images: it is trained on.
        runs: the planned ones, None where one is not recorded yet.
    """

    at: int
    cell: Cell
    images: int
    runs: tuple[Record | None, ...]

    @property
    def accuracy(self) -> float | None:
        """Mean over the runs that finished."""
        return self.mean.mean

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

    def result(self, name: str) -> float | None:
        """A field of the results, mean over the runs that finished."""
        return _mean([getattr(run.result, name) for run in self.recorded if run.result])

    def measured(self, name: str) -> float | None:
        """A field of what was measured, mean over the runs that finished."""
        runs = [run for run in self.recorded if run.result and run.measured]
        return _mean([getattr(run.measured, name) for run in runs])


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


@dataclass(frozen=True, kw_only=True, slots=True)
class CellsContent:
    """A study of cells against a reference, ready to be shown.

    Attributes:
        runs: the records, cells by seeds.
        rows: steps in their order; networks by number of images.
    """

    plan: Plan
    runs: Grid
    rows: tuple[Row, ...]

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
        return tuple(row for row in self.rows if row.move)

    @property
    def has_intervals(self) -> bool:
        """Whether any accuracy has an interval."""
        return any(row.mean.interval for row in self.rows)

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

    overall: Difference | None
    spread: Spread

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

    @property
    def score(self) -> str:
        """What the accuracies are of."""
        return "accuracy on held-out images" if self.plan.held_out else "test accuracy"

    def row(self, network: str, images: int) -> Row | None:
        """A network on a number of images; None where the plan has it not."""
        return next((row for row in self.rows_of(network) if row.images == images), None)

    def rows_of(self, network: str) -> tuple[Row, ...]:
        """A network's rows, by number of images."""
        return tuple(row for row in self.rows if row.name == network)

    def rows_on(self, images: int) -> tuple[Row, ...]:
        """The rows of a number of images, by network."""
        return tuple(row for row in self.rows if row.images == images)

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


def steps_content(plan: Plan, records: Iterable[Record]) -> StepsContent:
    """Work out what the report of a path says.

    Raises:
        InputError: no run of the plan is recorded.
    """
    kept = tuple(records)
    runs = _some(plan, grid(plan, kept))
    found = measure_steps(plan, kept)
    rows = (_row(plan, runs, found, at, at) for at in range(len(runs)))
    overall = found.overall and hundredfold(found.overall)
    return StepsContent(
        plan=plan, runs=runs, rows=tuple(rows), overall=overall, spread=found.spread
    )


def comparison_content(plan: Plan, records: Iterable[Record]) -> ComparisonContent:
    """Work out what the report of a comparison says.

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
    gains = map(_line, found.gains.means, found.gains.differences) if found.gains else ()
    return ComparisonContent(
        plan=plan, runs=runs, rows=tuple(rows), found=found, gains=tuple(gains)
    )


def _some(plan: Plan, runs: Grid) -> Grid:
    """The same runs, at least one of them recorded."""
    if not any(run for row in runs for run in row):
        raise details.nothing_recorded(plan)
    return runs


def _row(plan: Plan, runs: Grid, found: Compared, at: int, cell: int) -> Row:
    line, of = _line(found.means[at], found.differences[at]), plan.cells[cell]
    planned = plan.seeds_of(of)
    return Row(
        mean=line.mean,
        move=line.move,
        at=at,
        cell=of,
        images=plan.images_of(of),
        runs=tuple(
            run for seed, run in zip(plan.all_seeds, runs[cell], strict=True) if seed in planned
        ),
    )


def _line(mean: CellMean, move: Difference | None) -> Line:
    return Line(mean=hundredfold(mean), move=move and hundredfold(move))
