"""How often the intervals of a matrix of choices by probes hold together, where the truth is known.

    python scripts/meaning_coverage.py --studies 500

Prints the tables of docs/attribution.md, then one line of JSON. The plan is the default one: 8
factors, 64 cells of resolution V and the missing end cell, 2 seeds a cell, 4 more on both end
cells; 138 runs. Six probes are measured on each run's network, so that their values go together
from seed to seed. What is true of an interval is what the same cells give without noise. Every
study goes through the code that `attribute` and the page use.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nextify.designs import Factor, path, recipe
from nextify.experiments.coding import columns
from nextify.experiments.fractions import ATTRIBUTE, fraction, with_ends
from nextify.findings.answers import DECIDED, Attribution
from nextify.findings.attribute import attribute_runs
from nextify.findings.cells import gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.meaning import Meaning, judged_together
from nextify.findings.scores import ProbeScore
from nextify.records import Cell, Plan

Floats = NDArray[np.float64]
NAMES = tuple("ABCDEFGH")
PROBES = 6
# Betas of two in three probes, of a common size; the others are not touched by any factor.
BETAS = {(0,): 0.5, (1,): 0.25, (4,): -0.25, (5,): -0.5, (0, 1): 0.25, (2, 3): -0.2}
DRAWS = 1000  # of the methods that are compared


def normal(z: Floats, mean: Floats) -> Floats:
    """Equal spread."""
    return mean + z


def skewed(z: Floats, mean: Floats) -> Floats:
    """Log-normal: skewness 6, and a spread that grows with the mean, by a factor of 7."""
    return np.exp(z + 0.5 * mean)


def near_one(z: Floats, mean: Floats) -> Floats:
    """Shares of 500 images, Beta with means of 0.905 to 0.993: of the runs of the highest cell 45 %
    are at 1, and the spread is 3.5 times as large in the lowest."""
    top = 0.9 + 0.098 / (1 + np.exp(-1.5 * mean))
    drawn = stats.beta.ppf(stats.norm.cdf(z), 40 * top, 40 * (1 - top))
    return np.asarray(np.round(500 * drawn) / 500)


@dataclass(frozen=True)
class Case:
    """How probes behave.

    Attributes:
        law: from a standard normal number and the cell's mean to a value. rho: between probes.
        lost: the share of values that are not there, at random. undefined: of every second probe
            the cells in which C is made have no value.
    """

    name: str
    law: Callable[[Floats, Floats], Floats]
    rho: float
    lost: float = 0.0
    undefined: bool = False


CASES = (
    Case("normal", normal, 0.0),
    Case("normal, correlated 0.9", normal, 0.9),
    Case("log-normal", skewed, 0.5),
    Case("near 1", near_one, 0.5),
    Case("log-normal, one value in five missing", skewed, 0.5, lost=0.2),
    Case("near 1, undefined where C is made", near_one, 0.5, undefined=True),
)


def layout() -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Levels (n, k) and cells (n,) of the default plan's runs."""
    cells = with_ends(fraction(len(NAMES), ATTRIBUTE))
    is_end = np.abs(cells.sum(axis=1)) == len(NAMES)
    cell = np.repeat(np.arange(len(cells)), 2 + 4 * is_end)
    return cells[cell], cell


LEVELS, CELL = layout()


def experiment() -> Plan:
    """A plan that says what kind of study it is; its runs are drawn here."""
    step = path("small").steps[0]
    cell = Cell(name="-", changed="", design=step.design, recipe_name=step.recipe,
                recipe=recipe(step.recipe), params=1, macs=1, made=())  # fmt: skip
    factors = tuple(Factor(name, (name,)) for name in NAMES)
    return Plan(name="small", title="simulated", cells=(cell,), seeds=(0,), data={},
                data_source="", experiment="resolution-5", factors=factors)  # fmt: skip


PLAN = experiment()


def attributed(name: str, values: Floats) -> Attribution:
    """The contributions to one probe's values (n,)."""
    runs = FactorRuns(
        factors=NAMES,
        score=ProbeScore(name, "", 0, {}, {}),
        levels=LEVELS,
        cell=CELL,
        seed=np.arange(len(CELL)),
        values=values,
        rate=np.ones(len(CELL)),
        became=("finished",) * len(CELL),
    )
    return attribute_runs(PLAN, runs, level=1.0, is_brief=True)


def means() -> Floats:
    """(probes, n) of the cells, before the law."""
    one = columns(LEVELS, tuple(BETAS)) @ np.array(list(BETAS.values()))
    return np.array([one * (at % 3 != 2) for at in range(PROBES)])


@cache
def expected(case: Case) -> Floats:
    """(probes, n) the true means of the cells: by quadrature over the law."""
    z = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    known = {mean: float(case.law(z, np.full(len(z), mean)).mean()) for mean in np.unique(means())}
    if case.law is skewed:  # in closed form: its tail is long
        known = {mean: float(np.exp(0.5 + 0.5 * mean)) for mean in known}
    return np.vectorize(known.get)(means()).astype(np.float64)


def drawn(case: Case, rng: np.random.Generator) -> Floats:
    """(probes, n) values of one study, NaN where there is none."""
    own, common = rng.normal(size=(PROBES, len(CELL))), rng.normal(size=len(CELL))
    values = case.law(np.sqrt(case.rho) * common + np.sqrt(1 - case.rho) * own, means())
    values[rng.random(values.shape) < case.lost] = np.nan
    if case.undefined:
        values[::2, LEVELS[:, 2] > 0] = np.nan
    return values


def truth(case: Case, values: Floats, known: dict[bytes, Floats]) -> Floats:
    """(probes, k) what the cells with a value would give without noise; NaN where nothing can."""
    found = []
    for at, (row, mean) in enumerate(zip(values, expected(case), strict=True)):
        there = np.unique(CELL[~np.isnan(row)])
        key = bytes([at]) + there.tobytes()
        if key not in known:
            of = attributed("truth", np.where(np.isin(CELL, there), mean, np.nan))
            known[key] = np.array([e.estimate.value for e in of.contributions], dtype=np.float64)
        found.append(known[key])
    return np.array(found)


def misses(matrix: Meaning, true: Floats) -> NDArray[np.bool_]:
    """(probes, k) which intervals do not hold the truth; False where there is no interval."""
    return np.array([
        [bool(e.simultaneous and not e.simultaneous.low <= t <= e.simultaneous.high)
         for e, t in zip(column.found.contributions, row, strict=True)]
        for column, row in zip(matrix.columns, true, strict=True)
    ])  # fmt: skip


def others(values: Floats, found: list[Attribution], rng: np.random.Generator) -> list[float]:
    """How many standard errors two sharper methods reach: the largest |t| with the correlation of
    the probes that is found in the runs, and by multipliers of whole runs' residuals."""
    cells = gather(FactorRuns(NAMES, "nll", LEVELS, CELL, CELL, values[0], np.ones(len(CELL)), ()))
    at, counts = cells.index(), cells.counts
    sums = np.array([np.bincount(at, row[cells.runs]) for row in values])
    scale = np.sqrt(counts / (counts - 1))[at]
    left = (values[:, cells.runs] - (sums / counts)[:, at]) * scale
    fitted = LEVELS[cells.runs[cells.starts]]
    balanced = np.abs(fitted.sum(axis=1)) < len(NAMES)  # an end cell checks the model
    weights = (2 * fitted * balanced[:, None] / balanced.sum()).T
    per_run = weights[:, at] / counts[at]
    errors = np.array([[e.estimate.error for e in of.contributions] for of in found], np.float64)
    df = min(e.estimate.df or 1.0 for of in found for e in of.contributions)
    root = np.linalg.cholesky(np.corrcoef(left) + 1e-9 * np.eye(PROBES))
    shared = root @ rng.normal(size=(DRAWS, PROBES, len(NAMES)))
    spread = np.sqrt(rng.chisquare(df, DRAWS) / df)
    joint = np.abs(shared).max(axis=(1, 2)) / spread
    signs = rng.choice([-1.0, 1.0], size=(DRAWS, len(at)))
    moved = np.einsum("dr,pr,kr->dpk", signs, left, per_run, optimize=True)
    multiplied = np.abs(moved / errors).max(axis=(1, 2))
    return [float(np.quantile(each, 0.95)) for each in (joint, multiplied)]


def row(case: Case, studies: int) -> dict[str, float | str]:
    """Shares of studies, in per cent, and reaches in standard errors."""
    held, single, false, missed, told = [], [], [], [], []
    reach: list[list[float]] = []
    other: list[list[bool]] = []
    known: dict[bytes, Floats] = {}
    for study in range(studies):
        rng = np.random.default_rng([study, len(case.name)])
        values = drawn(case, rng)
        found = [attributed(str(at), each) for at, each in enumerate(values)]
        true = truth(case, values, known)
        matrix = judged_together(found)
        held.append(not misses(matrix, true).any())
        apart = judged_together(found, control="false discoveries")
        wrong, decided = misses(apart, true), [
            [e.answer in DECIDED for e in column.found.contributions] for column in apart.columns
        ]  # fmt: skip
        told.append(np.sum(decided))
        nothing = np.abs(true) < 1e-9
        false.append(np.sum(nothing & decided) / max(1, np.sum(decided)))
        missed.append(np.sum(wrong & decided) / max(1, np.sum(decided)))
        estimates = [[e.estimate for e in of.contributions] for of in found]
        single += [
            e.interval.low <= t <= e.interval.high
            for row_, row_true in zip(estimates, true, strict=True)
            for e, t in zip(row_, row_true, strict=True)
            if e.interval
        ]
        df = [e.df for row_ in estimates for e in row_ if e.df]
        reach.append([float(stats.t.ppf((1 + matrix.each) / 2, np.median(df)))])
        if not case.lost and not case.undefined:
            values_, errors = (
                np.array([[getattr(e, name) for e in row_] for row_ in estimates], np.float64)
                for name in ("value", "error")
            )
            t = np.abs((values_ - true) / errors).max()
            reach[-1] += others(values, found, rng)
            other.append([t <= each for each in reach[-1][1:]])
    mean = [float(each) for each in np.mean(reach, axis=0)]
    both = [100 * float(each) for each in np.mean(other, axis=0)] if other else [np.nan] * 2
    return {
        "values": case.name,
        "single": 100 * float(np.mean(single)),
        "matrix": 100 * float(np.mean(held)),
        "reach": mean[0],
        "joint t": both[0],
        "its reach": mean[1] if other else np.nan,
        "multipliers": both[1],
        "their reach": mean[2] if other else np.nan,
        "false discoveries": 100 * float(np.mean(false)),
        "intervals of discoveries miss": 100 * float(np.mean(missed)),
        "discoveries": float(np.mean(told)),
    }


def main() -> None:
    """Print the table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=500)
    asked = parser.parse_args()
    rows = []
    for case in CASES:
        rows.append(row(case, asked.studies))
        if len(rows) == 1:
            print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
        print("| " + " | ".join(_shown(name, each) for name, each in rows[-1].items()) + " |",
              flush=True)  # fmt: skip
    error = 100 * (0.95 * 0.05 / asked.studies) ** 0.5
    print(f"Monte-Carlo standard error of a share of 95 % of studies: {error:.2f} points")
    told = [{n: None if e != e else e for n, e in each.items()} for each in rows]
    print(json.dumps({"studies": asked.studies, "rows": told}))


def _shown(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "-" if np.isnan(value) else f"{value:.2f}" if "reach" in name else f"{value:.1f}"


if __name__ == "__main__":
    main()
