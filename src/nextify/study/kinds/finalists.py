"""From a budget to a screening, and from the screening's records to the finalists."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from nextify.costs import cost
from nextify.designs import Design
from nextify.errors import InputError
from nextify.experiments.coding import Floats, Levels, all_cells, codes_of
from nextify.findings.cells import gather
from nextify.findings.experiment import experiment
from nextify.findings.surface import Surface, surface
from nextify.fitting import BUDGETS, Fitted, can_fill, fill_budget, fit, use_of
from nextify.records import Cell, Experiment, Matched, Plan, Record
from nextify.study.kinds.factors import Frame, cell_name, plan_cells, plan_experiment
from nextify.words import bytes_in_words, in_words

_DRAWS = 1000
_EQUAL = 0.99  # cells that all use a budget by so much cost the same within 1 %
_PROPOSALS = 200  # of fit, among which other shapes are looked for
_MOST_BLOCKS = 2  # times as many as the design whose shape is changed


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A choice to be made: among which designs, under which budget, by how many runs.

    Attributes:
        frame: the path, its factors and recipes, the data, and the screening's seeds. Its matching
            and its learning rates are not used.
        budgets: at most so much, by the names in `nextify.fitting.BUDGETS`.
        experiment: of the screening.
        finalists: how many designs that the screening predicts to be good get fresh seeds, beside
            the start and the end of the path.
        reshaped: how many of these come a second time with depths and widths that `fit` proposes.
        final_seeds: of each finalist.
    """

    frame: Frame
    budgets: Mapping[str, int]
    experiment: Experiment = "resolution-4"
    finalists: int = 4
    reshaped: int = 1
    final_seeds: int = 5

    def __post_init__(self) -> None:
        if not self.budgets or any(name not in BUDGETS for name in self.budgets):
            raise InputError(f"budgets are {dict(self.budgets)}; give some of {', '.join(BUDGETS)}")
        for name, least in (("finalists", 1), ("reshaped", 0), ("final_seeds", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.experiment not in get_args(Experiment) or self.experiment in ("path", "augmented"):
            raise InputError(f"experiment is {self.experiment!r}; give resolution-4, say")

    @property
    def size(self) -> dict[str, int]:
        """The images that costs are counted for."""
        data = self.frame.data
        return {"image_size": int(data["image_size"]), "classes": int(data["classes"])}

    def filled(self, design: Design) -> Design:
        """A design as wide as the budget allows."""
        return fill_budget(design, self.budgets, **self.size)

    def use(self, design: Design) -> dict[str, float]:
        """For each budget, used over allowed."""
        return use_of(design, self.budgets, **self.size)


def in_budget(budgets: Mapping[str, int]) -> str:
    """Budgets in words.

    >>> in_budget({"params": 200_000, "activation_memory": 2_000_000})
    'at most 200k params and 2 MB of activations'
    """
    words = {"params": "params", "macs": "MACs", "activation_memory": "of activations"}
    amounts = (
        f"{bytes_in_words(most) if name == 'activation_memory' else in_words(most)} {words[name]}"
        for name, most in budgets.items()
    )
    return f"at most {' and '.join(amounts)}"


def design_of(cell: Cell) -> Design:
    """The design of a cell of a path."""
    assert isinstance(cell.design, Design)
    return cell.design


def plan_screening(task: Task) -> Plan:
    """The experiment whose cells are each as wide as the budget allows.

    Where only MACs or only parameters are limited, all cells have as many within 1 %. Of several
    budgets each cell uses up the one that binds it first, and exceeds none: what is compared is
    what each subset of the choices can do within the user's budget. Cells that cannot be made
    narrow enough (dense convolutions with large kernels, say) are left out.

    Raises:
        InputError: no design keeps the budget, too few of the cells do, or an experiment that
            these factors do not allow.
    """
    _proposals(task, task.frame.path.end, 1)  # says what is possible
    plain = plan_experiment(replace(task.frame, matched="", rates=(1.0,)), task.experiment)
    cells = tuple(_those_within(task, plain.cells))
    if len(cells) < len(plain.factors) + 2:
        raise InputError(
            f"only {len(cells)} of the screening's {len(plain.cells)} networks can be made narrow "
            f"enough for {in_budget(task.budgets)}; give more, fewer --factors, or another path"
        )
    title = (
        f"Screening: what {len(plain.factors)} factors of the {plain.name} path do on "
        f"{plain.data['name']} with {in_budget(task.budgets)}"
    )
    return replace(plain, cells=cells, matched=_matched(task, cells), title=title)


def _proposals(task: Task, start: Design, count: int) -> tuple[Fitted, ...]:
    return fit(
        task.budgets.get("params"),
        task.budgets.get("macs"),
        task.budgets.get("activation_memory"),
        start=start,
        image_size=task.size["image_size"],
        classes=task.size["classes"],
        count=count,
    )


def _those_within(task: Task, cells: Iterable[Cell]) -> Iterable[Cell]:
    """The cells that the budget allows, each as wide as it does."""
    for cell in cells:
        with suppress(InputError):
            yield _within(task, cell)


def possible(task: Task) -> NDArray[np.bool_]:
    """(2^k,) which subsets of the factors can be made narrow enough for the budget."""
    frame = task.frame
    choices = [choice.name for choice in frame.path.choices]
    groups = [{choices.index(c) for c in f.choices if c in choices} for f in frame.factors]
    found = [
        can_fill(
            frame.path.subset(at for g, made in zip(groups, row, strict=True) if made for at in g),
            task.budgets,
            **task.size,
        )
        for row in (all_cells(len(frame.factors)) > 0).tolist()
    ]
    return np.array(found, dtype=np.bool_)


def _within(task: Task, cell: Cell, design: Design | None = None) -> Cell:
    """The cell as wide as the budget allows, or with a design that is so already."""
    filled = design or task.filled(design_of(cell))
    counted = cost(filled, **task.size)
    return replace(cell, design=filled, params=counted.params, macs=counted.macs)


def _matched(task: Task, cells: Sequence[Cell]) -> Matched:
    """What all cells have equally much of, within 1 %."""
    names: tuple[Matched, ...] = ("macs", "params")
    for name in names:
        if set(task.budgets) == {name}:
            least = min(task.use(design_of(cell))[name] for cell in cells)
            return name if least >= _EQUAL else ""
    return ""


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What plans' runs say about the subsets of the factors.

    Attributes:
        levels: (c, k) of the subsets with a score. means, counts: (c,) of their runs' scores.
        sd: of single runs about their subset's mean; None where no subset has two.
        troubled: numbers (`coding.codes_of`) of subsets of which a run diverged or failed.
    """

    levels: Levels
    means: Floats
    counts: NDArray[np.int64]
    sd: float | None
    troubled: frozenset[int]

    @property
    def surface(self) -> Surface:
        """The scores of all subsets, as these say them."""
        return surface(self.levels, self.means, self.counts, self.sd)


def seen(plans: Iterable[tuple[Plan, Iterable[Record]]]) -> Seen:
    """Gather what plans of the same factors have recorded. Reshaped designs are left out."""
    read = [experiment(plan, records) for plan, records in plans]
    cells = [gather(one) for one in read]
    codes = np.concatenate([codes_of(each.levels) for each in cells])
    sums = np.concatenate([each.means * each.counts for each in cells])
    runs = np.concatenate([each.counts for each in cells])
    distinct, at = np.unique(codes, return_inverse=True)
    counts = np.bincount(at, runs, len(distinct)).astype(np.int64)
    squares = sum(float(each.squares.sum()) for each in cells)
    df = sum(int(each.df.sum()) for each in cells)
    troubled = {
        int(code)
        for one in read
        for code, became in zip(codes_of(one.levels), one.became, strict=True)
        if became in ("diverged", "failed")
    }
    return Seen(
        levels=all_cells(len(read[0].factors))[distinct],
        means=np.bincount(at, sums, len(distinct)) / np.maximum(counts, 1),
        counts=counts,
        sd=float(np.sqrt(squares / df)) if df and squares > 0 else None,
        troubled=frozenset(troubled),
    )


def plan_finals(task: Task, screening: Plan, records: Iterable[Record]) -> Plan | None:
    """The finalists, with seeds that no run of the screening had; None if no run has a score.

    The finalists are the subsets whose best is expected to be highest: the first is the one that
    is predicted best, each next one adds most to the expected best of them all. Subsets of which a
    run diverged or failed in the screening are left out, and so are those that are the same
    network as one before. The start and the end are always among the finals, if they keep the
    budget. The first `task.reshaped` of the finalists come a second time, with the depths and
    widths that `fit` proposes for them first; none with more than twice as many blocks.
    """
    known = seen([(screening, records)])
    if not len(known.counts):
        return None
    first = max(screening.all_seeds) + 1
    frame = replace(
        task.frame,
        seeds=tuple(range(first, first + task.final_seeds)),
        end_seeds=0,
        matched="",
        rates=(1.0,),
    )
    chosen = _chosen(task, known, screening)
    rows = np.array(chosen, dtype=np.int8).reshape(len(chosen), len(frame.factors))
    plan = plan_cells(frame, rows, "augmented")
    cells = _distinct(_those_within(task, plan.cells))
    names = [cell_name(row) for row in rows[: task.reshaped].tolist()]
    best = [cell for name in names for cell in cells if cell.name == name]
    cells += [cell for one in best for cell in _reshaped(task, one)]
    title = f"Finals on {plan.data['name']} with {in_budget(task.budgets)}"
    return replace(plan, cells=tuple(cells), title=title)


def _chosen(task: Task, known: Seen, screening: Plan) -> list[list[int]]:
    """Levels of the finalists, the one that is predicted best first."""
    learned = known.surface
    draws = learned.draws(_DRAWS, np.random.default_rng(0))
    gain = learned.means.copy()
    barred = ~possible(task)
    barred[sorted(known.troubled)] = True
    same: set[tuple[Any, ...]] = set()
    chosen: list[list[int]] = []
    best = np.full(len(draws), -np.inf)
    while len(chosen) < task.finalists and not barred.all():
        at = int(np.argmax(np.where(barred, -np.inf, gain)))
        barred[at] = True
        row = learned.levels[at]
        cell = _single(task, row)
        if (cell.design, cell.recipe) in same:
            continue
        same.add((cell.design, cell.recipe))
        chosen.append(row.tolist())
        best = np.maximum(best, draws[:, at])
        gain = np.maximum(draws, best[:, None]).mean(axis=0)
    return chosen


def _single(task: Task, row: Levels) -> Cell:
    """The cell of a subset."""
    frame = replace(task.frame, matched="", rates=(1.0,), end_seeds=0)
    plan = plan_cells(frame, row[None], "augmented")
    return next(_within(task, cell) for cell in plan.cells if cell.name == cell_name(row.tolist()))


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    """Without those that are the same network, trained the same way, as one before."""
    first: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        first.setdefault((cell.design, cell.recipe), cell)
    return list(first.values())


def _reshaped(task: Task, cell: Cell) -> list[Cell]:
    """The cell with depths and widths that `fit` proposes, if there are any."""
    own = design_of(cell)
    most = _MOST_BLOCKS * sum(own.depths)
    try:
        found = _proposals(task, own, _PROPOSALS)
    except InputError:  # fit does not go below 8 channels
        return []
    shapes = [
        one.design
        for one in found
        if one.design.depths != own.depths and sum(one.design.depths) <= most and one.binds
    ]
    return [
        replace(
            _within(task, cell, design),
            name=f"{cell.name} reshaped",
            changed=f"{cell.changed}; depths {','.join(map(str, design.depths))}",
            made=None,
        )
        for design in shapes[:1]
    ]
