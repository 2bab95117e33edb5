"""From the finals' records to a recommended design: how good it is, how sure that is, and which
others cannot be told apart from it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from nextify.costs import totals
from nextify.designs import Design
from nextify.experiments.coding import codes_of
from nextify.findings.best import Best, compare_with_best
from nextify.findings.blocks import LEVEL, Interval, around
from nextify.findings.grid import correctness, grid, scores
from nextify.findings.images import image_variance, widened
from nextify.findings.surface import Surface
from nextify.records import Cell, Plan, Record
from nextify.study.kinds.finalists import Seen, Task, design_of, possible, seen

Standing = Literal["chosen", "cannot be told apart", "worse", "diverged", "failed", "no score"]

_DRAWS = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalist:
    """A design of the finals.

    Attributes:
        name: of its cell: a sign per factor. changed: the factors that are made in it.
        design, recipe: as trained. params, macs, activation_memory: for one image.
        use: for each budget, used over allowed.
        predicted, predicted_sd: its accuracy by the screening alone; None for other shapes.
        runs, finished, diverged, failed: of the finals.
        mean: accuracy over the finished runs. interval: 95 %, holding for all finalists together,
            for new seeds. wide: the same for new seeds and new test images.
        behind: its accuracy minus that of the best other finalist, 95 % for all together.
        standing: the answer. seconds: of training, a run.
    """

    name: str
    changed: str
    design: Design
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
    standing: Standing
    seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The recommended design, and how sure that is.

    Attributes:
        winner: name of the design with the highest mean in the finals, of those of which no run
            diverged or failed (of all, where some run of each did); None without any score.
        finalists: all, in the finals' order.
        margin: with 95 % confidence the winner is at most so far behind the best finalist that
            was in the running; None where nothing is known of the spread.
        margin_all: the same for all subsets of the factors, at this budget and the path's depths,
            as far as the surface of `nextify.findings.surface` describes them.
        runners_up: names of finalists that cannot be told apart from the winner.
        cheapest: name of that of them, or the winner, that costs least. cheapest_in: in what.
        notes: what limits the answer, in sentences.
    """

    winner: str | None
    finalists: tuple[Finalist, ...]
    margin: float | None
    margin_all: float | None
    runners_up: tuple[str, ...]
    cheapest: str | None
    cheapest_in: Literal["macs", "params"]
    notes: tuple[str, ...]

    def finalist(self, name: str) -> Finalist:
        """That of a name."""
        return next(each for each in self.finalists if each.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def choose(
    task: Task,
    screening: tuple[Plan, Sequence[Record]],
    finals: tuple[Plan, Sequence[Record]],
) -> Choice:
    """The answer of finished finals.

    Args:
        screening, finals: each a plan and its records.
    """
    plan, records = finals
    runs = grid(plan, records)
    troubled = [any(run and run.outcome != "finished" for run in row) for row in runs]
    running = [True] * len(runs) if all(troubled) else [not each for each in troubled]
    best = compare_with_best(scores(runs), running)
    learned = seen([screening]).surface
    finalists = tuple(
        _finalist(task, cell, runs[at], at, best, running[at], learned)
        for at, cell in enumerate(plan.cells)
    )
    told = [each for each in finalists if each.standing in ("chosen", "cannot be told apart")]
    quantity: Literal["macs", "params"] = "params" if set(task.budgets) == {"macs"} else "macs"
    cheapest = min(told, key=lambda each: getattr(each, quantity), default=None)
    return Choice(
        winner=None if best.winner is None else finalists[best.winner].name,
        finalists=finalists,
        margin=best.margin,
        margin_all=_margin_of_all(task, plan, best, seen([screening, finals])),
        runners_up=tuple(e.name for e in told if e.standing == "cannot be told apart"),
        cheapest=None if cheapest is None else cheapest.name,
        cheapest_in=quantity,
        notes=tuple(_notes(finalists, best, all(troubled))),
    )


def _finalist(
    task: Task,
    cell: Cell,
    row: Sequence[Record | None],
    at: int,
    best: Best,
    is_running: bool,
    learned: Surface,
) -> Finalist:
    outcomes = [run.outcome for run in row if run]
    finished = [run for run in row if run and run.result]
    seconds = [run.measured.seconds for run in finished if run.measured]
    predicted = _predicted(task, cell, learned)
    return Finalist(
        name=cell.name,
        changed=cell.changed,
        design=design_of(cell),
        recipe=cell.recipe_name,
        params=cell.params,
        macs=cell.macs,
        activation_memory=totals(design_of(cell), *task.size.values()).training_bytes,
        use=task.use(design_of(cell)),
        predicted=predicted[0] if predicted else None,
        predicted_sd=predicted[1] if predicted else None,
        runs=len(row),
        finished=len(finished),
        diverged=outcomes.count("diverged"),
        failed=outcomes.count("failed"),
        mean=float(best.means[at]) if finished else None,
        interval=best.intervals[at],
        wide=_wide(best.intervals[at], float(best.means[at]), finished),
        behind=best.behind[at],
        standing=_standing(at, outcomes, best, is_running),
        seconds=float(np.mean(seconds)) if seconds else None,
    )


def _standing(at: int, outcomes: Sequence[str], best: Best, is_running: bool) -> Standing:
    if at == best.winner:
        return "chosen"
    if not is_running or np.isnan(best.means[at]):
        if "diverged" in outcomes:
            return "diverged"
        return "failed" if "failed" in outcomes else "no score"
    return "cannot be told apart" if best.may_be_best(at) else "worse"


def _predicted(task: Task, cell: Cell, learned: Surface) -> tuple[float, float] | None:
    if cell.made is None:
        return None
    row = [1 if factor.name in cell.made else -1 for factor in task.frame.factors]
    at = int(codes_of(np.array([row], dtype=np.int8))[0])
    return float(learned.means[at]), float(learned.sds[at])


def _wide(narrow: Interval | None, mean: float, finished: Sequence[Record]) -> Interval | None:
    """For new seeds and new test images; None without per-image results."""
    results = [run.result for run in finished if run.result]
    sizes = {result.images for result in results}
    if narrow is None or len(sizes) != 1 or min(sizes) < 2 or not all(r.correct for r in results):
        return None
    table = np.array([correctness(result) for result in results], dtype=np.float64)
    return around(mean, widened(narrow.half, image_variance(table)))


def _margin_of_all(task: Task, plan: Plan, best: Best, known: Seen) -> float | None:
    """How far the winner may be behind the best of all subsets, by draws of the surface."""
    if best.winner is None or np.isnan(best.errors[best.winner]):
        return None
    rng = np.random.default_rng(0)
    draws = known.surface.draws(_DRAWS, rng)
    rivals = possible(task)
    rivals[sorted(known.troubled)] = False
    made = plan.cells[best.winner].made
    if made is None:
        own = rng.normal(best.means[best.winner], best.errors[best.winner], _DRAWS)
    else:
        row = [1 if factor.name in made else -1 for factor in plan.factors]
        own = draws[:, int(codes_of(np.array([row], dtype=np.int8))[0])]
    ahead = draws[:, rivals].max(axis=1, initial=-np.inf) - own
    return float(max(0.0, np.quantile(ahead, LEVEL)))


def _notes(finalists: Sequence[Finalist], best: Best, all_troubled: bool) -> Iterable[str]:
    if best.winner is None:
        yield "no run of the finals has a score, so no design can be chosen"
        return
    if all_troubled:
        yield (
            "some run of every finalist diverged or failed: the means are over the runs that "
            "finished, and the recommended design may diverge again"
        )
    if np.isnan(best.errors[best.winner]):
        yield "no intervals: these runs do not show the spread between seeds"
    if best.apart:
        names = ", ".join(finalists[at].name for at in best.apart)
        yield (
            f"the spread between seeds is clearly larger in {names} than in the others, so it is "
            "not pooled with theirs"
        )
