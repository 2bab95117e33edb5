"""What choices mean: what each does to each probe's value, all of them judged together.

A matrix of choices by probes. Its cells are contributions, as `attribute` finds them for a score,
each probe's by its own runs and with its own noise. That they are many is allowed for in one of two
ways.

Simultaneous: all intervals of the matrix hold together 95 times in 100, by Sidak's inequality over
all of its cells. It holds whatever the correlation of the probes (they are measured on the same
networks), and needs no estimate of it; docs/attribution.md has what that costs.

False discoveries: of the effects that are told from zero 5 % are none on average (Benjamini and
Hochberg 1995), and of the intervals of just these 5 % miss (Benjamini and Yekutieli 2005): R of m
cells are told from zero, each interval is one of 1 - 0.05 R / m, and excludes zero in these R.

A probe's value that follows from the design alone, such as a theoretical receptive field, is the
same with every seed. Its effects are exact, and are not among those that are judged together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import scipy

from nextify.experiments.intervals import LEVEL, Interval, around, student
from nextify.findings.answers import DECIDED, Attribution, Contribution, Estimate, verdict_of
from nextify.findings.attribute import attribute
from nextify.findings.factor_runs import factor_runs
from nextify.findings.judged import settled
from nextify.findings.probed import probe_scores
from nextify.findings.scores import AnyScore, ProbeScore
from nextify.records.measurement import AllProbed
from nextify.records.plan import Plan
from nextify.records.record import Record

Control = Literal["simultaneous", "false discoveries"]
CONTROLS: dict[str, Control] = {each.replace(" ", "-"): each for each in get_args(Control)}
_LEAST_CELLS = 10  # for a rank correlation to have an interval


@dataclass(frozen=True, slots=True)
class Association:
    """How a probe's values and accuracy go together over the cells: no cause.

    Attributes:
        spearman: rank correlation of the cells' means. interval: 95 %, over cells (Bonett and
            Wright 2000); None where it is +1 or -1, and of fewer than 10 cells.
        kendall: the same of the orders of pairs of cells (tau-b). cells: how many.
    """

    spearman: float
    interval: Interval | None
    kendall: float
    cells: int


@dataclass(frozen=True, slots=True)
class Column:
    """What choices do to a probe's value.

    Attributes:
        score: the probe's value.
        found: on it: brief, its intervals and answers those that hold over the whole matrix.
        association: with accuracy; None where one of both is the same in all cells.
    """

    score: ProbeScore
    found: Attribution
    association: Association | None

    @property
    def is_exact(self) -> bool:
        """Whether the value follows from the design alone."""
        return self.found.noise.source == "exact"

    @property
    def sd(self) -> float | None:
        """The spread between seeds: standard deviation of a single run."""
        return self.found.noise.sd

    def in_spreads(self, of: Contribution) -> float | None:
        """An effect in units of the spread between seeds."""
        value, sd = of.estimate.value, self.sd
        return None if value is None or not sd else value / sd


@dataclass(frozen=True, slots=True)
class Meaning:
    """The matrix.

    Attributes:
        columns: one a probe, by name.
        control: how the number of cells is allowed for. level: of all of them.
        judged: m cells that are judged together. told: R of them that are told from zero.
        each: the level of each cell's interval.
    """

    columns: tuple[Column, ...]
    control: Control
    level: float
    judged: int
    told: int
    each: float


def meaning(
    plan: Plan,
    records: Iterable[Record],
    probed: AllProbed,
    *,
    level: float = LEVEL,
    control: Control = "simultaneous",
) -> Meaning | None:
    """What each factor of a study does to each probe's value; None where no run has any.

    >>> meaning(plan, records, store.measurements()).columns[0].score.name  # doctest: +SKIP
    'effective-receptive-field'

    Args:
        plan, records: as for `attribute`. probed: of the runs.
        level: of the whole matrix; at 1 there is no verdict.

    Raises:
        InputError: a plan without factors.
    """
    kept = tuple(records)
    scores = [each for each in probe_scores(probed).values() if each.values]
    found = [attribute(plan, kept, score, level=1.0, is_brief=True) for score in scores]
    some = [(s, of) for s, of in zip(scores, found, strict=True) if of.counts.finished]
    if not some:
        return None
    matrix = judged_together([of for _, of in some], level, control)
    pairs = zip(some, matrix.columns, strict=True)
    accuracy = _cell_means(plan, kept, "accuracy")
    columns = (
        replace(column, association=association(accuracy, _cell_means(plan, kept, score)))
        for (score, _), column in pairs
    )
    return replace(matrix, columns=tuple(columns))


def judged_together(
    found: Sequence[Attribution], level: float = LEVEL, control: Control = "simultaneous"
) -> Meaning:
    """Brief attributions of probes' values as one matrix, without associations."""
    found = [_wary(of) for of in found]
    every = [each for of in found for each in _first(of)]
    p = np.array([each.estimate.p for each in every if each.estimate.error], dtype=np.float64)
    count, lost = len(p), 1 - level
    own = level ** (1 / max(count, 1))
    if control == "false discoveries" and count:
        told = int(np.sum(scipy.stats.false_discovery_control(p) <= lost))
        own = 1 - lost * max(told, 1) / count
    columns = tuple(_column(of, own) for of in found)
    cells = [each for column in columns for each in _first(column.found) if each.estimate.error]
    told = sum(each.answer in DECIDED for each in cells)
    return Meaning(columns, control, level, count, told, own)


def _wary(of: Attribution) -> Attribution:
    """The same, with no error smaller than that of the least-squares fit where cells have one run.

    What stands out in a cell of one run is not seen by the runs that repeat others. Where values
    are skewed the intervals would hold too seldom (docs/attribution.md).
    """
    if not of.limits.single:
        return of
    readings = tuple(
        replace(each, contributions=tuple(map(_with_fit, each.contributions)))
        for each in of.readings
    )
    return replace(of, contributions=tuple(map(_with_fit, of.contributions)), readings=readings)


def _with_fit(of: Contribution) -> Contribution:
    value, error, df, fit = of.estimate.value, of.estimate.error, of.estimate.df, of.classical
    if value is None or not error or df is None or fit is None or fit <= error:
        return of
    p = float(2 * scipy.stats.t.sf(abs(value) / fit, df))
    estimate = Estimate(value, fit, df, around(value, student(df) * fit), None, p)
    return replace(of, estimate=estimate)


def _first(of: Attribution) -> tuple[Contribution, ...]:
    """Contributions by the reading whose numbers are shown, before others are heard."""
    return of.readings[0].contributions if of.readings else of.contributions


def _column(of: Attribution, level: float) -> Column:
    assert isinstance(of.metric, ProbeScore)
    readings = tuple(
        replace(each, contributions=_at(of, each.contributions, level)) for each in of.readings
    )
    shown = _at(of, of.contributions, level)
    if readings:
        shown = settled([(each.reading, each.contributions) for each in readings])
    return Column(of.metric, replace(of, contributions=shown, readings=readings, level=level), None)


def _at(of: Attribution, every: Iterable[Contribution], level: float) -> tuple[Contribution, ...]:
    """Contributions with intervals of a level, each by itself, and answers by these."""
    return tuple(_one(of.metric, each, level) for each in every)


def _one(score: AnyScore, of: Contribution, level: float) -> Contribution:
    value, error, df = of.estimate.value, of.estimate.error, of.estimate.df
    if value is None:
        return of
    if error is None:
        return replace(of, answer="no interval")
    if level >= 1:
        return replace(of, answer="no verdict")
    if not error:
        answer = verdict_of(score, value) if value else "no effect"
        return replace(of, simultaneous=Interval(value, value), answer=answer)
    assert df is not None
    within = around(value, student(df, 1, level) * error)
    answer = verdict_of(score, value) if within.excludes_zero else "not resolved"
    return replace(of, simultaneous=within, answer=answer)


def _cell_means(plan: Plan, records: Iterable[Record], score: AnyScore) -> Mapping[int, float]:
    """The mean score of each cell that has one, by the cell's number."""
    runs = factor_runs(plan, records, score)
    known = runs.finished
    cells = np.unique(runs.cell[known])
    return {int(at): float(runs.values[known & (runs.cell == at)].mean()) for at in cells}


def association(first: Mapping[int, float], second: Mapping[int, float]) -> Association | None:
    """How two scores go together over the cells that have both; None where one is constant.

    >>> ranks = {at: float(at) for at in range(4)}
    >>> association(ranks, {at: value**3 for at, value in ranks.items()})
    Association(spearman=1.0, interval=None, kendall=1.0, cells=4)
    """
    both = sorted(first.keys() & second.keys())
    x, y = (np.array([of[at] for at in both]) for of in (first, second))
    if len(both) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rho = float(np.clip(scipy.stats.spearmanr(x, y).statistic, -1, 1))
    tau = float(scipy.stats.kendalltau(x, y).statistic)
    return Association(rho, _over_cells(rho, len(both)), tau, len(both))


def _over_cells(rho: float, cells: int) -> Interval | None:
    """Fisher's z with the variance (1 + rho^2 / 2) / (n - 3)."""
    if cells < _LEAST_CELLS or abs(rho) >= 1 - 1e-12:
        return None
    half = float(scipy.stats.norm.ppf((1 + LEVEL) / 2)) * np.sqrt((1 + rho**2 / 2) / (cells - 3))
    z = np.arctanh(rho)
    return Interval(float(np.tanh(z - half)), float(np.tanh(z + half)))
