"""From the finals' records to a recommended design: how good it is, how sure that is, and which
others cannot be told apart from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextify.costs import totals
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Design
from nextify.experiments.coding import Floats, codes_of, levels_of
from nextify.experiments.intervals import LEVEL, Interval, of_share
from nextify.findings.best import Best, compare_with_best
from nextify.findings.confounded import Confounded, confounded
from nextify.findings.expected import Expected, to_expect
from nextify.findings.outcomes import DIVERGED, Chance, chance_of, otherwise, unlearned
from nextify.findings.race import Racer
from nextify.findings.scores import Grid, correct_of, grid, scores
from nextify.findings.surface import Seen, seen
from nextify.fitting import use_of
from nextify.fitting.match import Quantity
from nextify.records.plan import Cell, Plan
from nextify.records.record import Record

Standing = Literal[
    "chosen", "cannot be told apart", "worse", "diverged", "failed", "learned nothing", "no score"
]

_DRAWS = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalist:
    """A design of the finals.

    Attributes:
        name: of its cell: a sign per factor, or a candidate's name. changed: the factors that are
            made in it.
        design, recipe: as trained. params, macs, activation_memory: for one image.
        use: for each budget, used over allowed.
        predicted, predicted_sd: its accuracy by the screening alone; None for other shapes.
        runs, finished, diverged, failed: of the finals. unlearned: that learned nothing.
        mean: accuracy over the finished runs. interval: 95 %, holding for all finalists together,
            for new seeds. wide: the same for new seeds and new test images.
        behind: its accuracy minus that of the best other finalist, 95 % for all together, for new
            seeds. behind_wide: the same for new seeds and new test images.
        standing: the answer; by `behind_wide`, where that is known. seconds: of training, a run.
        latency: of one image, in seconds, where it was measured.
    """

    name: str
    changed: str
    design: AnyDesign
    recipe: str
    params: int
    macs: int
    activation_memory: int
    use: dict[str, float]
    predicted: float | None
    predicted_sd: float | None
    runs: int
    finished: int
    diverged: int
    failed: int
    mean: float | None
    interval: Interval | None
    wide: Interval | None
    behind: Interval | None
    behind_wide: Interval | None
    standing: Standing
    seconds: float | None
    unlearned: int = 0
    latency: Spread | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The recommended design, and how sure that is.

    Attributes:
        winner: name of the design with the highest mean in the finals, of those of which no run
            diverged, failed or learned nothing. Where some run of each did, of all of which any
            run learned something, if diverged runs at chance leave it the best; None without one.
        finalists: all, in the finals' order.
        expected: the winner's accuracy, corrected for its having been chosen by it; None with one
            seed.
        margin: with 95 % confidence the winner is at most so far behind the best finalist that
            was in the running, for new seeds; None where nothing is known of the spread.
            margin_wide: the same for new seeds and new test images.
        margin_all: the same for all subsets of the factors, at this budget and the path's depths,
            as far as the surface of `nextify.findings.surface` describes them.
        runners_up: names of finalists that cannot be told apart from the winner.
        cheapest: name of that of them, or the winner, that costs least. cheapest_in: in what.
        apart: finalists whose spread between seeds is clearly larger, and not pooled.
        confounded: what the screening could not tell apart, where that is something.
        race: of a race, all its candidates; none otherwise.
        shorten: the screening's runs took one part in so many of the finals' epochs: what it
            predicts is of that, and `margin_all` is not known.
        chance: what always answering the largest class scores; None where it is not known.
    """

    winner: str | None
    finalists: tuple[Finalist, ...]
    expected: Expected | None
    margin: float | None
    margin_wide: float | None
    margin_all: float | None
    runners_up: tuple[str, ...]
    cheapest: str | None
    cheapest_in: Quantity | Literal["latency"]
    apart: tuple[str, ...]
    confounded: Confounded | None
    chance: Chance | None = None
    race: tuple[Racer, ...] = ()
    shorten: int = 1

    def finalist(self, name: str) -> Finalist:
        """That of a name."""
        return next(each for each in self.finalists if each.name == name)


Study = tuple[Plan, Sequence[Record]]


def choose(
    screening: Study,
    finals: Study,
    budgets: Mapping[str, int],
    possible: NDArray[np.bool_],
    latencies: Mapping[str, Spread] | None = None,
    *,
    shorten: int = 1,
) -> Choice:
    """The answer of finished finals.

    Args:
        screening, finals: each a plan and its records.
        budgets: at most so much, by the names in `nextify.fitting.BUDGETS`.
        possible: (2^k,) which subsets of the factors can be made narrow enough for them.
        latencies: of the finalists by their names, where they were measured. shorten: see `Choice`.
    """
    plan, learned = finals[0], seen([screening]).surface
    size = {name: int(plan.data[name]) for name in ("image_size", "classes")}

    def about(cell: Cell) -> dict[str, Any]:
        assert isinstance(cell.design, Design)
        code = _code(plan, cell)
        return {
            "use": use_of(cell.design, budgets, **size),
            "predicted": None if code is None else float(learned.means[code]),
            "predicted_sd": None if code is None else float(learned.sds[code]),
        }

    quantity: Quantity = "params" if set(budgets) == {"macs"} else "macs"
    best, found = _judged(finals, quantity, latencies or {}, about)
    margin = None
    if shorten == 1 and not _learned_little(screening):
        # Other images judge the finals, and more are trained on, unless both are held out.
        apart = screening[0].held_out != plan.held_out
        known = seen([screening, finals], apart=apart)
        if not apart or known.apart.any():
            margin = _margin_of_all(plan, best, known, possible)
    unseen = confounded(screening[0])
    return replace(found, margin_all=margin, confounded=unseen, shorten=shorten)


def _learned_little(screening: Study) -> bool:
    """Whether most finished runs learned nothing: their scores say nothing of other designs."""
    plan, records = screening
    finished = [run for run in records if run.result]
    return 2 * int(unlearned(finished, chance_of(plan)).sum()) > len(finished)


def choose_raced(finals: Study, racers: Sequence[Racer]) -> Choice:
    """The answer of a race's finals.

    Args:
        finals: a plan and its records. racers: all that were in the race.
    """
    latencies = {each.name: each.latency for each in racers if each.latency}
    _, found = _judged(finals, "macs", latencies, lambda cell: {})
    return replace(found, race=tuple(racers))


def _judged(
    finals: Study,
    quantity: Quantity,
    latencies: Mapping[str, Spread],
    about: Callable[[Cell], Mapping[str, Any]],
) -> tuple[Best, Choice]:
    """What the finals alone say.

    Args:
        quantity: in which the cheapest is so, where there are no latencies.
        about: what else is known of a finalist, as fields of `Finalist`.
    """
    plan, records = finals
    runs = grid(plan, records)
    correct = _correct(runs)
    best = compare_with_best(scores(runs), _running(plan, runs), correct)
    finalists = tuple(
        replace(_finalist(plan, at, runs, best), latency=latencies.get(cell.name), **about(cell))
        for at, cell in enumerate(plan.cells)
    )
    told = [each for each in finalists if each.standing in ("chosen", "cannot be told apart")]

    def costs(each: Finalist) -> tuple[float, bool]:  # of equal ones the winner
        cost = each.latency.median if each.latency else getattr(each, quantity)
        return cost, each.standing != "chosen"

    cheapest = min(told, key=costs, default=None)
    return best, Choice(
        winner=None if best.winner is None else finalists[best.winner].name,
        finalists=finalists,
        expected=to_expect(best, scores(runs), correct),
        margin=best.margin,
        margin_wide=best.margin_wide,
        margin_all=None,
        runners_up=tuple(e.name for e in told if e.standing == "cannot be told apart"),
        cheapest=None if cheapest is None else cheapest.name,
        cheapest_in="latency" if latencies else quantity,
        apart=tuple(finalists[at].name for at in best.apart),
        confounded=None,
        chance=chance_of(plan),
    )


def _correct(runs: Grid) -> NDArray[np.bool_] | None:
    """(k, seeds, images) which images were classified correctly; None where that is not kept."""
    found = correct_of([run.result if run else None for row in runs for run in row])
    return None if found is None else found.reshape(len(runs), -1, found.shape[1])


def _running(plan: Plan, runs: Grid) -> list[bool]:
    """Which finalists may be chosen: those without a run that diverged, failed or learned nothing.

    Where there are none, those of which any run learned something; but none at all where the
    diverged runs decide which of these is the best.
    """
    chance = chance_of(plan)
    nothing = [unlearned(row, chance) for row in runs]
    sound = [
        not each.any() and all(run is None or run.outcome == "finished" for run in row)
        for each, row in zip(nothing, runs, strict=True)
    ]
    if any(sound):
        return sound
    some = [
        any(run and run.result and not bad for run, bad in zip(row, each, strict=True))
        for each, row in zip(nothing, runs, strict=True)
    ]
    lost = next((e.values for e in otherwise(plan, runs, "accuracy") if e.reason == DIVERGED), None)
    if lost is None or compare_with_best(lost, some).winner == (
        compare_with_best(scores(runs), some).winner
    ):
        return some
    return [False] * len(runs)


def _finalist(plan: Plan, at: int, runs: Grid, best: Best) -> Finalist:
    cell, row = plan.cells[at], runs[at]
    size = {name: int(plan.data[name]) for name in ("image_size", "classes")}
    outcomes = [run.outcome for run in row if run]
    finished = [run for run in row if run and run.result]
    seconds = [run.measured.seconds for run in finished if run.measured]
    nothing = int(unlearned(row, chance_of(plan)).sum())
    return Finalist(
        name=cell.name,
        changed=cell.changed,
        design=cell.design,
        recipe=cell.recipe_name,
        params=cell.params,
        macs=cell.macs,
        activation_memory=totals(cell.design, **size).training_bytes,
        use={},
        predicted=None,
        predicted_sd=None,
        runs=len(row),
        finished=len(finished),
        diverged=outcomes.count("diverged"),
        failed=outcomes.count("failed"),
        mean=float(best.means[at]) if finished else None,
        interval=of_share(best.intervals[at]),
        wide=of_share(best.wide[at]),
        behind=best.behind[at],
        behind_wide=best.behind_wide[at],
        standing=_standing(at, outcomes, best, nothing),
        seconds=float(np.mean(seconds)) if seconds else None,
        unlearned=nothing,
    )


def _code(plan: Plan, cell: Cell) -> int | None:
    """The number of a cell's subset of the factors; None of a reshaped design."""
    if cell.made is None:
        return None
    return int(codes_of(levels_of([factor.name for factor in plan.factors], [cell.made]))[0])


def _standing(at: int, outcomes: Sequence[str], best: Best, nothing: int) -> Standing:
    if at == best.winner:
        return "chosen"
    if at not in best.runners:
        if "diverged" in outcomes:
            return "diverged"
        if "failed" in outcomes:
            return "failed"
        return "learned nothing" if nothing else "no score"
    return "cannot be told apart" if best.may_be_best(at) else "worse"


def _margin_of_all(
    plan: Plan, best: Best, known: Seen, possible: NDArray[np.bool_]
) -> float | None:
    """How far the winner may be behind the best of all subsets, by draws of the surface."""
    if best.winner is None or np.isnan(best.variances[best.winner]):
        return None
    rng = np.random.default_rng(0)
    draws = known.surface.draws(_DRAWS, rng)
    rivals = possible.copy()
    rivals[sorted(known.troubled)] = False
    code = _code(plan, plan.cells[best.winner])
    error = np.sqrt(best.variances[best.winner])
    if code is None:
        own = rng.normal(best.means[best.winner], error, _DRAWS) - _higher(known, draws, rng)
    else:
        own = draws[:, code]
    ahead = draws[:, rivals].max(axis=1, initial=-np.inf) - own
    return float(max(0.0, np.quantile(ahead, LEVEL)))


def _higher(known: Seen, draws: Floats, rng: np.random.Generator) -> Floats:
    """(n,) by how much scores of the finals are higher than they would be in the screening, as it
    may well be where (n, 2^k) `draws` are the subsets' there; 0 if both are on one scale."""
    counts = known.counts * known.apart
    if not counts.any():
        return np.zeros(len(draws))
    ahead = known.means - draws[:, codes_of(known.levels)]
    error = (known.sd or 0.0) / np.sqrt(counts.sum())
    return np.asarray(ahead @ counts / counts.sum() + rng.normal(size=len(draws)) * error)
