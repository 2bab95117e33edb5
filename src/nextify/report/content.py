"""`Content`: everything that the page, the figures and the files say, worked out once.

Accuracies here are in per cent and differences in percentage points: what the reader sees.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nextify.errors import InputError
from nextify.findings import (
    CellMean,
    Difference,
    Grid,
    Interval,
    Steps,
    grid,
    measure_steps,
)
from nextify.records.plan import Cell, Plan
from nextify.records.record import Measured, Record, Result
from nextify.words import hundred


@dataclass(frozen=True, kw_only=True, slots=True)
class CellNumbers:
    """A cell's numbers.

    Attributes:
        n: finished runs. diverged, failed, missing: the other runs of the plan.
        accuracy, accuracy_low, accuracy_high: mean over the n runs in per cent, with the 95 %
            interval for new seeds; `_wide_`: for new seeds and new test images.
        accuracies: in per cent with each seed of the plan; None where there is none.
        difference: to the cell it is compared with, in points, with the same two intervals;
            `_own_`: from these two cells' seeds alone. p: two-sided; p_holm: adjusted for all.
        verdict: "up", "down", "not resolved", "no interval", or "" for no difference.
        nll: in nats. calibration_error: 0 to 1. seconds: of training, mean a run.
    """

    n: int
    diverged: int
    failed: int
    missing: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    accuracy_wide_low: float | None
    accuracy_wide_high: float | None
    accuracies: tuple[float | None, ...]
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    difference_wide_low: float | None
    difference_wide_high: float | None
    difference_own_low: float | None
    difference_own_high: float | None
    p: float | None
    p_holm: float | None
    verdict: str
    nll: float | None
    calibration_error: float | None
    params: int
    macs: int
    seconds: float | None
    images_per_second: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the accuracy, for new seeds."""
        return both(self.accuracy_low, self.accuracy_high)

    @property
    def difference_interval(self) -> tuple[float, float] | None:
        """Of the difference, for new seeds."""
        return both(self.difference_low, self.difference_high)

    @property
    def trouble(self) -> str:
        """Runs that diverged or failed, in words; empty if there are none."""
        parts = [(self.diverged, "diverged"), (self.failed, "failed")]
        return ", ".join(f"{number} {what}" for number, what in parts if number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row(CellNumbers):
    """A step's numbers; its difference is to the step before.

    Attributes:
        paper_accuracy, paper_sd: ImageNet top-1 in per cent. paper_gmacs: in 10^9.
    """

    step: int
    name: str
    changed: str
    recipe: str
    paper_accuracy: float | None
    paper_sd: float | None
    paper_gmacs: float | None
    paper_note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyContent:
    """What the report of any study in cells and seeds shows.

    Attributes:
        runs: the records, cells by seeds. counts: how many runs had each outcome.
    """

    plan: Plan
    runs: Grid
    counts: dict[str, int]

    @property
    def planned(self) -> int:
        """Runs in the plan."""
        return len(self.plan.runs())

    @property
    def recorded(self) -> int:
        """Runs recorded so far, whatever became of them."""
        return self.planned - self.counts["missing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Content(StudyContent):
    """A study of a path, ready to be shown.

    Attributes:
        steps: accuracy as a fraction, as `nextify.findings` gives it.
    """

    steps: Steps
    rows: tuple[Row, ...]

    @property
    def scored(self) -> list[tuple[Row, float]]:
        """The steps with a finished run, and their accuracy."""
        return [(row, row.accuracy) for row in self.rows if row.accuracy is not None]

    @property
    def compared(self) -> list[tuple[Row, float]]:
        """The steps with a difference to the one before, and that difference."""
        return [(row, row.difference) for row in self.rows if row.difference is not None]

    @property
    def has_intervals(self) -> bool:
        """Whether any step has an interval."""
        return any(row.interval for row in self.rows)

    @property
    def has_paper(self) -> bool:
        """Whether any step is the paper's."""
        return any(row.paper_accuracy is not None for row in self.rows)

    @property
    def sizes(self) -> str:
        """How many seeds the steps have: "3" or "1 to 3"."""
        return sizes_of(self.rows)


def sizes_of(rows: Iterable[CellNumbers]) -> str:
    """How many finished runs cells have: "3" or "1 to 3"."""
    found = sorted({row.n for row in rows if row.n})
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else str(found[0] if found else 0)


def content(plan: Plan, records: Iterable[Record]) -> Content:
    """Work out what a report says.

    Raises:
        InputError: no run of the plan is recorded.
    """
    kept = tuple(records)
    runs = grid(plan, kept)
    counts = outcomes(plan, runs)
    steps = measure_steps(plan, kept)
    rows = zip(plan.cells, runs, steps.means, steps.differences, strict=True)
    return Content(
        plan=plan,
        runs=runs,
        counts=counts,
        steps=steps,
        rows=tuple(_row(at, *parts) for at, parts in enumerate(rows)),
    )


def outcomes(plan: Plan, runs: Grid) -> dict[str, int]:
    """How many runs of a plan had each outcome: finished, diverged, failed, missing.

    Raises:
        InputError: all are missing.
    """
    counts = Counter(
        run.outcome if run else "missing"
        for cell, row in zip(plan.cells, runs, strict=True)
        for run in planned_runs(plan, cell, row)
    )
    if counts["missing"] == counts.total():
        raise nothing_recorded(plan)
    return {outcome: counts[outcome] for outcome in ("finished", "diverged", "failed", "missing")}


def planned_runs(plan: Plan, cell: Cell, runs: Sequence[Record | None]) -> list[Record | None]:
    """Of a cell's runs with all seeds of the study, those with its own seeds."""
    own = plan.seeds_of(cell)
    return [run for seed, run in zip(plan.all_seeds, runs, strict=True) if seed in own]


def nothing_recorded(plan: Plan) -> InputError:
    """What to say where there is nothing to report."""
    return InputError(
        f"no run of study {plan.title!r} is recorded yet; run the study first"
        + (f": {plan.command}" if plan.command else "")
    )


def _row(
    step: int, cell: Cell, runs: Sequence[Record | None], mean: CellMean, move: Difference | None
) -> Row:
    return Row(
        step=step,
        name=cell.name,
        changed=cell.changed,
        recipe=cell.recipe_name,
        **cell_numbers(cell, runs, mean, move),
        paper_accuracy=cell.paper.accuracy if cell.paper else None,
        paper_sd=cell.paper.sd if cell.paper else None,
        paper_gmacs=cell.paper.gmacs if cell.paper else None,
        paper_note=cell.paper.note if cell.paper else "",
    )


def cell_numbers(
    cell: Cell, runs: Sequence[Record | None], mean: CellMean, move: Difference | None
) -> dict[str, Any]:
    """The fields of `CellNumbers`."""
    finished = [run for run in runs if run and run.result]
    became = Counter(run.outcome if run else "missing" for run in runs)
    return {
        "n": mean.n,
        "diverged": became["diverged"],
        "failed": became["failed"],
        "missing": became["missing"],
        "accuracies": tuple(hundred(value) for value in mean.values),
        **_of_mean(mean),
        **of_difference(move),
        "verdict": move.verdict if move else "",
        **_of_results([run.result for run in finished if run.result]),
        "params": cell.params,
        "macs": cell.macs,
        **_of_measured([run.measured for run in finished if run.measured]),
    }


def _of_mean(mean: CellMean) -> dict[str, float | None]:
    return {
        "accuracy": hundred(mean.mean),
        **ends("accuracy", mean.interval),
        **ends("accuracy_wide", mean.wide),
    }


def of_difference(move: Difference | None) -> dict[str, float | None]:
    """The fields of a difference, in points."""
    return {
        "difference": hundred(move.value) if move else None,
        **ends("difference", move.interval if move else None),
        **ends("difference_wide", move.wide if move else None),
        **ends("difference_own", move.own if move else None),
        "p": move.p if move else None,
        "p_holm": move.holm if move else None,
    }


def _of_results(results: Sequence[Result]) -> dict[str, float | None]:
    return {
        "nll": fmean(each.nll for each in results) if results else None,
        "calibration_error": (
            fmean(each.calibration_error for each in results) if results else None
        ),
    }


def _of_measured(measured: Sequence[Measured]) -> dict[str, float | None]:
    return {
        "seconds": fmean(each.seconds for each in measured) if measured else None,
        "images_per_second": (
            fmean(each.images_per_second for each in measured) if measured else None
        ),
    }


def ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    """An interval as two fields, in per cent or points."""
    return {
        f"{name}_low": hundred(interval.low) if interval else None,
        f"{name}_high": hundred(interval.high) if interval else None,
    }


def both(low: float | None, high: float | None) -> tuple[float, float] | None:
    """The two ends of an interval, where there is one."""
    return None if low is None or high is None else (low, high)
