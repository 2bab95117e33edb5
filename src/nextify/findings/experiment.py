"""`Experiment`: the runs of a factorial study as arrays, ready for arithmetic."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Floats
from nextify.findings.grid import correctness
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Outcome, Record, Result

Score = Literal["accuracy", "nll", "logit accuracy"]
Became = Outcome | Literal["missing"]

# -1 where a smaller score is the better one.
BETTER: dict[Score, int] = {"accuracy": 1, "nll": -1, "logit accuracy": 1}


@dataclass(frozen=True, eq=False, slots=True)
class Experiment:
    """Planned runs and what became of them: n runs of k factors.

    Attributes:
        factors: k names, in the path's order.
        score: what `values` are.
        levels: (n, k), +1 where the factor's choices are made and -1 where not.
        cell: (n,) index of the run's cell: runs of one cell have the same levels and rate.
        seed: (n,).
        values: (n,) the score; NaN for a run that diverged, failed or is not recorded.
        rate: (n,) multiple of the recipe's learning rate.
        became: n outcomes; "missing" where nothing is recorded.
        correct: (n, images) whether each test image was classified correctly (no meaning where
            there is no score); None if the runs were not tested on equally many images.
        shared: how many runs stand in two cells, because a choice changes nothing there.
    """

    factors: tuple[str, ...]
    score: Score
    levels: NDArray[np.int8]
    cell: NDArray[np.int64]
    seed: NDArray[np.int64]
    values: Floats
    rate: Floats
    became: tuple[Became, ...]
    correct: NDArray[np.bool_] | None = None
    shared: int = 0

    @property
    def finished(self) -> NDArray[np.bool_]:
        """(n,) whether a run has a score."""
        return np.asarray(~np.isnan(self.values))

    def slopes(self) -> Floats:
        """(n,) derivative of a run's score with respect to its accuracy; zero without a score.

        It carries an image's share of the accuracy over to the score (the delta method).
        """
        known = np.where(self.finished, 1.0, 0.0)
        if self.score != "logit accuracy" or self.correct is None:
            return known
        images = self.correct.shape[1]
        accuracy = (self.correct.sum(axis=1) + 0.5) / (images + 1)
        return np.asarray(known * images / (images + 1) / (accuracy * (1 - accuracy)))


def experiment(plan: Plan, records: Iterable[Record], score: Score = "accuracy") -> Experiment:
    """Lay out a plan's records as an experiment.

    Records of runs that the plan does not hold are left out.

    Raises:
        InputError: the plan has no factors, a score that is not known, or a cell whose factors
            are not the plan's.
    """
    _require_factors(plan, score)
    known = places(plan, records)
    rows: dict[tuple[tuple[bool, ...], float, str], tuple[int, Record | None]] = {}
    for cell in plan.cells:
        if cell.made is None:
            continue
        made = tuple(factor.name in cell.made for factor in plan.factors)
        for seed in plan.seeds_of(cell):
            record = known.get((cell.name, seed))
            key = record.key if record else plan.run(cell, seed).key
            rows[made, cell.rate, key] = (seed, record)
    return _as_arrays(tuple(factor.name for factor in plan.factors), score, rows)


def _require_factors(plan: Plan, score: Score) -> None:
    if score not in BETTER:
        raise InputError(f"metric is {score!r}; it must be one of {', '.join(BETTER)}")
    if plan.experiment == "comparison":
        raise InputError(
            f"study {plan.title!r} compares whole networks, which have no factors; see what it "
            "found with nextify report FILE (measure_comparison in Python)"
        )
    if not plan.factors or all(cell.made is None for cell in plan.cells):
        raise InputError(
            f"study of path {plan.name!r} has experiment {plan.experiment!r}: its cells are steps "
            "in one order, from which no contribution that is independent of the order can be "
            "read; run an experiment in factors, such as resolution-5, and attribute that"
        )
    names = [factor.name for factor in plan.factors]
    strange = {name for cell in plan.cells for name in cell.made or () if name not in names}
    if strange:
        raise InputError(
            f"a cell of the plan makes {sorted(strange)[0]!r}, which is none of its factors "
            f"({', '.join(names)}); the study file was not made by this version of nextify"
        )


def _as_arrays(
    factors: tuple[str, ...],
    score: Score,
    rows: dict[tuple[tuple[bool, ...], float, str], tuple[int, Record | None]],
) -> Experiment:
    cells = {place: at for at, place in enumerate(dict.fromkeys(key[:2] for key in rows))}
    found = [record for _, record in rows.values()]
    results = [record.result if record else None for record in found]
    correct = _correct(results)
    return Experiment(
        factors=factors,
        score=score,
        levels=np.array([np.where(made, 1, -1) for made, _, _ in rows], dtype=np.int8),
        cell=np.array([cells[key[:2]] for key in rows], dtype=np.int64),
        seed=np.array([seed for seed, _ in rows.values()], dtype=np.int64),
        values=np.array([_value(result, score) for result in results]),
        rate=np.array([rate for _, rate, _ in rows], dtype=np.float64),
        became=tuple(record.outcome if record else "missing" for record in found),
        correct=correct,
        shared=len(rows) - len({key for _, _, key in rows}),
    )


def _value(result: Result | None, score: Score) -> float:
    if result is None:
        return float("nan")
    match score:
        case "accuracy":
            return result.accuracy
        case "nll":
            return result.nll
        case "logit accuracy":
            return logit(round(result.accuracy * result.images), result.images)


def logit(correct: int, images: int) -> float:
    """Log odds of a correct answer, half an image added to each side so that it is finite.

    Agresti, Categorical Data Analysis, section 3.1 (after Haldane and Anscombe).

    >>> round(logit(90, 100), 3), round(logit(100, 100), 3)
    (2.154, 5.303)
    """
    return float(np.log((correct + 0.5) / (images - correct + 0.5)))


def _correct(results: list[Result | None]) -> NDArray[np.bool_] | None:
    sizes = {result.images for result in results if result}
    if len(sizes) != 1 or min(sizes) < 2:
        return None
    found = np.zeros((len(results), sizes.pop()), dtype=np.bool_)
    for at, result in enumerate(results):
        if result is not None:
            if not result.correct:
                return None
            found[at] = correctness(result)
    return found
