"""`FactorRuns`: the runs of a factorial study as arrays, ready for arithmetic."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.errors import InputError
from nextify.experiments.coding import Floats, levels_of
from nextify.findings.outcomes import Chance, chance_of, unlearned
from nextify.findings.scores import (
    ATTRIBUTED,
    BY_CLASS,
    AnyScore,
    ProbeScore,
    correct_of,
    counts_of,
    value_of,
)
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import ClassCounts, Outcome, Record

Became = Outcome | Literal["missing"]


@dataclass(frozen=True, eq=False, slots=True)
class FactorRuns:
    """Planned runs and what became of them: n runs of k factors.

    Attributes:
        factors: k names, in the path's order.
        score: what `values` are.
        levels: (n, k + crossed), +1 where the factor's choices are made and -1 where not; then +1
            at the second setting of each thing that is crossed with them, -1 at the first.
        cell: (n,) index of the run's cell: runs of one cell have the same levels and rate.
        seed: (n,).
        values: (n,) the score; NaN for a run that diverged, failed or is not recorded.
        rate: (n,) multiple of the recipe's learning rate; 1 where each cell has its own.
        became: n outcomes; "missing" where nothing is recorded.
        correct: (n, images) whether each test image was classified correctly (no meaning where
            there is no score); None if the runs were not tested on equally many images, and of a
            probe's values.
        crossed: names of the last columns of `levels`.
        shared: how many runs stand in two cells, because a choice changes nothing there.
        nothing: (n,) whether a run finished and learned nothing; by default none.
        chance: what always answering the largest class scores; None where it is not known.
        counts: the test images by class; None where no run counted them.
    """

    factors: tuple[str, ...]
    score: AnyScore
    levels: NDArray[np.int8]
    cell: NDArray[np.int64]
    seed: NDArray[np.int64]
    values: Floats
    rate: Floats
    became: tuple[Became, ...]
    correct: NDArray[np.bool_] | NDArray[np.float32] | None = None
    crossed: tuple[str, ...] = ()
    shared: int = 0
    nothing: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1, bool))
    chance: Chance | None = None
    counts: ClassCounts | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns of `levels`."""
        return (*self.factors, *self.crossed)

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


def factor_runs(plan: Plan, records: Iterable[Record], score: AnyScore = "accuracy") -> FactorRuns:
    """Lay out a plan's records as runs of its factors.

    Records of runs that the plan does not hold are left out.

    Raises:
        InputError: the plan has no factors, a score that is not known, or a cell whose factors
            are not the plan's.
    """
    _require_factors(plan, score)
    known, names = places(plan, records), tuple(factor.name for factor in plan.factors)
    crossed = tuple(each.name for each in plan.crossed)
    rows: dict[tuple[frozenset[str], float, str], tuple[int, Record | None]] = {}
    for cell in plan.cells:
        for seed in plan.seeds_of(cell) if cell.made is not None else ():
            record = known.get((cell.name, seed))
            key = record.key if record else plan.run(cell, seed).key
            rows[frozenset(cell.on), 1.0 if plan.tuned else cell.rate, key] = (seed, record)
    cells = {place: at for at, place in enumerate(dict.fromkeys(key[:2] for key in rows))}
    found = [record for _, record in rows.values()]
    results = [record.result if record else None for record in found]
    counts = counts_of(found)
    if score in BY_CLASS and counts is None and any(results):
        raise _not_counted(plan, score)
    chance = chance_of(plan)
    return FactorRuns(
        factors=names,
        score=score,
        levels=levels_of((*names, *crossed), (made for made, _, _ in rows)),
        cell=np.array([cells[key[:2]] for key in rows], dtype=np.int64),
        seed=np.array([seed for seed, _ in rows.values()], dtype=np.int64),
        values=np.array([value_of(record, score) for record in found]),
        rate=np.array([rate for _, rate, _ in rows], dtype=np.float64),
        became=tuple(record.outcome if record else "missing" for record in found),
        correct=None if isinstance(score, ProbeScore) else correct_of(results),
        crossed=crossed,
        shared=len(rows) - len({key for _, _, key in rows}),
        nothing=unlearned(found, chance),
        chance=chance,
        counts=counts,
    )


def _not_counted(plan: Plan, score: AnyScore) -> InputError:
    return InputError(
        f"metric is {score!r}, and no run of study {plan.title!r} counted its test images by "
        "class, as runs of earlier versions did not; run the study again into a new --file"
    )


def _require_factors(plan: Plan, score: AnyScore) -> None:
    if not isinstance(score, ProbeScore) and score not in ATTRIBUTED:
        raise InputError(f"metric is {score!r}; it must be one of {', '.join(ATTRIBUTED)}")
    if not plan.factors or all(cell.made is None for cell in plan.cells):
        raise InputError(
            f"study {plan.title!r} has experiment {plan.experiment!r}, whose cells have no "
            "factors; attribute an experiment in factors, such as resolution-5, and report this "
            "one with nextify report FILE"
        )
    names = [factor.name for factor in plan.factors]
    strange = {name for cell in plan.cells for name in cell.made or () if name not in names}
    if strange:
        raise InputError(
            f"a cell of the plan makes {sorted(strange)[0]!r}, which is none of its factors "
            f"({', '.join(names)}); the study file was not made by this version of nextify"
        )
