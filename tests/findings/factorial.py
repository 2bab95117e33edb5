"""Factorial studies whose truth is known, as plans and records."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nextify.designs import Design, Factor, Recipe
from nextify.experiments.fractions import ATTRIBUTE, fraction, full, with_ends
from nextify.records import Cell, Plan, Record, Result

Truth = Callable[[np.ndarray, float], float]


def names(k):
    return [f"f{j}" for j in range(k)]


def plan(levels, *, seeds=2, more=0, rates=(1.0,), orders=(), experiment="resolution-5"):
    """A plan of these cells at these rates; widths make every cell a design of its own."""
    levels = np.asarray(levels)
    factors = names(levels.shape[1])
    cells = []
    for rate in rates:
        for at, row in enumerate(levels):
            is_end = abs(int(row.sum())) == len(row)
            cells.append(
                Cell(
                    name=f"cell {at} at {rate}",
                    changed="",
                    design=replace(Design(), widths=(8 + at, 16, 32, 64)),
                    recipe_name="simulated",
                    recipe=replace(Recipe(), learning_rate=0.001 * rate),
                    params=1,
                    macs=1,
                    made=tuple(n for n, level in zip(factors, row, strict=True) if level > 0),
                    rate=rate,
                    more_seeds=tuple(range(100, 100 + more)) if is_end else (),
                )
            )
    return Plan(
        name="small",
        title="simulated",
        cells=tuple(cells),
        seeds=tuple(range(seeds)),
        data={"name": "simulated"},
        data_source="nowhere",
        experiment=experiment,
        factors=tuple(Factor(name, (name,)) for name in factors),
        orders=tuple(tuple(factors[j] for j in order) for order in orders),
    )


def records(
    study: Plan, truth: Truth, *, sd=0.01, images=400, seed=0, diverge=lambda levels, rng: False
) -> list[Record]:
    """A record of every run: accuracy is `truth` of the levels and rate, plus normal noise."""
    rng = np.random.default_rng(seed)
    found = []
    for cell in study.cells:
        levels = np.array([1 if f.name in cell.made else -1 for f in study.factors])
        for at in study.seeds_of(cell):
            run = study.run(cell, at)
            if diverge(levels, rng):
                found.append(Record(key=run.key, run=run.as_dict(), outcome="diverged"))
                continue
            score = truth(levels, cell.rate) + sd * rng.normal()
            right = rng.random(images) < score
            found.append(
                Record(
                    key=run.key,
                    run=run.as_dict(),
                    outcome="finished",
                    result=Result(
                        accuracy=score,
                        nll=2 - score,
                        calibration_error=0.1,
                        images=images,
                        correct=np.packbits(right).tobytes(),
                    ),
                )
            )
    return found


def default_levels(k=8):
    """The default plan's cells: resolution V and both ends."""
    return with_ends(fraction(k, ATTRIBUTE))


def all_levels(k):
    return full(k)


def linear(*betas: float, pair: float = 0.0) -> Truth:
    """0.5 + sum of beta x, and an interaction of the first two factors."""

    def truth(levels: np.ndarray, rate: float) -> float:
        beta = np.zeros(len(levels))
        beta[: len(betas)] = betas[: len(levels)]
        second = levels[1] if len(levels) > 1 else 0
        return float(0.5 + beta @ levels + pair * levels[0] * second)

    return truth


def game(values: Sequence[float]):
    """A cooperative game on bit masks as shapiq calls it."""
    table = np.asarray(values)

    def value(coalitions):
        made = np.asarray(coalitions).astype(int)
        return table[made @ (1 << np.arange(made.shape[1]))]

    return value
