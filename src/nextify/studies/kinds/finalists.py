"""From a budget to a screening, and from the screening's records to the finalists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextify.costs import cost, totals
from nextify.designs import AnyDesign, Design, Recipe, require_convolutional
from nextify.errors import InputError
from nextify.experiments.coding import Levels, all_cells
from nextify.findings.surface import Seen, seen
from nextify.fitting import BUDGETS, Fitted, can_fill, fill_budget, fit, narrowest, use_of
from nextify.records import Cell, Matched, Plan, Record
from nextify.requests import Choose
from nextify.studies.kinds import factors
from nextify.studies.kinds.efforts import Effort, effort_of
from nextify.studies.kinds.frame import Frame
from nextify.studies.kinds.latency import Latency
from nextify.studies.running.cards import MOST_COPIES
from nextify.words import bytes_in_words, in_words

_DRAWS = 1000
_EQUAL = 0.99  # cells that all use a budget by so much cost the same within 1 %
_PROPOSALS = 200  # of fit, among which other shapes are looked for
_MOST_BLOCKS = 2  # times as many as the design whose shape is changed


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A choice to be made: among which designs, under which budget, by how many runs.

    Attributes:
        frame: the path, its factors and recipes, the screening's images and seeds.
        data: of the finals.
        held_out: whether the screening is tested on images of their own; the finals are as well
            where the request asks for it.
        budgets: at most so much, by the names in `nextify.fitting.BUDGETS`.
        request: what was asked for, which the plans keep: the screening's experiment; how many
            designs that it predicts to be good get fresh seeds, beside the start and the end of
            the path; how many of these come a second time with depths and widths that `fit`
            proposes; the seeds of each finalist.
        largest_class: of the finals' images; see `Plan`.
        latency: that finalists keep: it is measured, and of them alone. A screening says what the
            choices do, within it or not.
    """

    frame: Frame
    data: Mapping[str, Any]
    held_out: bool
    budgets: Mapping[str, int]
    request: Choose
    largest_class: float | None = None
    latency: Latency | None = None

    @property
    def effort(self) -> Effort:
        """How many go to the finals, and with how many seeds."""
        return effort_of(self.request)

    def keeps(self, cell: Cell) -> bool:
        """Whether a network answers in time, where that is asked for."""
        return self.latency is None or self.latency.keeps(cell.name, cell.design)


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


def plan_screening(task: Task) -> Plan:
    """The experiment whose cells are each as wide as the budget allows, trained for the part of the
    epochs that the effort says.

    Where only MACs or only parameters are limited, all cells have as many within 1 %. Of several
    budgets each cell uses as much as its choices allow, and exceeds none (`fill_budget`): what is
    compared is what each subset of the choices can do within the user's budget. Cells that cannot
    be made narrow enough (dense convolutions with large kernels, say) are left out.

    Raises:
        InputError: no design keeps the budget, too few of the cells do, or an experiment that
            these factors do not allow.
    """
    plain = _plain(task)
    within = fitted(task, plain.cells).values()
    cells = tuple(_shorter(cell, task.effort.shorten) for cell in within if isinstance(cell, Cell))
    if len(cells) < len(plain.factors) + 2:
        raise InputError(
            f"{'only ' * bool(cells)}{len(cells) or 'none'} of the screening's {len(plain.cells)} "
            f"networks can be made narrow enough for {in_budget(task.budgets)}; all can for "
            f"{_enough(task, plain.cells)}: give that, fewer --factors, or another path"
        )
    title = (
        f"Screening: what {len(plain.factors)} factors of the {plain.name} path do on "
        f"{plain.data['name']} with {in_budget(task.budgets)}"
    )
    plan = replace(plain, cells=cells, matched=_matched(task, cells), title=title)
    copies = task.frame.stacks.of(cells, plan.seeds)
    return replace(plan, copies=copies, held_out=task.held_out)


def _shorter(cell: Cell, by: int) -> Cell:
    epochs = -(-cell.recipe.epochs // by)
    return replace(cell, recipe=cell.recipe.changed({"epochs": epochs})) if by > 1 else cell


def _plain(task: Task) -> Plan:
    """The screening at the path's own widths."""
    assert task.request.experiment is not None  # `task_of` has settled it
    return factors.plan_experiment(task.frame, task.request.experiment)


def _proposals(task: Task, start: Design, count: int) -> tuple[Fitted, ...]:
    budgets = (task.budgets.get(name) for name in BUDGETS)
    return fit(*budgets, start=start, count=count, **task.frame.size)


def _enough(task: Task, cells: Iterable[Cell]) -> str:
    """The budget at which every cell can be made narrow enough."""
    designs = [narrowest(require_convolutional(cell.design, "a path")) for cell in cells]
    counted = [totals(each, **task.frame.size) for each in designs]
    least = {name: max(getattr(one, BUDGETS[name]) for one in counted) for name in task.budgets}
    return " and ".join(f"{most:,} {name.replace('_', ' ')}" for name, most in least.items())


def left_out(task: Task, cells: Iterable[Cell]) -> dict[str, str]:
    """Why other networks of the experiment are not among the screening's cells, by name."""
    plain = _plain(task)
    known = {cell.name for cell in cells}
    missing = fitted(task, [cell for cell in plain.cells if cell.name not in known])
    return {name: str(why) for name, why in missing.items() if isinstance(why, InputError)}


def fitted(task: Task, cells: Iterable[Cell]) -> dict[str, Cell | InputError]:
    """Each cell as wide as the budget allows, or why that cannot be, by the cells' names."""
    found: dict[str, Cell | InputError] = {}
    for cell in cells:
        try:
            found[cell.name] = _within(task, cell)
        except InputError as error:
            found[cell.name] = error
    return found


def possible(task: Task) -> NDArray[np.bool_]:
    """(2^k,) which subsets of the factors can be made narrow enough for the budget."""
    rows = all_cells(len(task.frame.factors)).tolist()
    designs = (factors.design_at(task.frame, row) for row in rows)
    found = [can_fill(design, task.budgets, **task.frame.size) for design in designs]
    return np.array(found, dtype=np.bool_)


def _within(task: Task, cell: Cell, design: Design | None = None) -> Cell:
    """The cell as wide as the budget allows, or with a design that is so already."""
    filled = design or fill_budget(
        require_convolutional(cell.design, "a path"), task.budgets, **task.frame.size
    )
    counted = cost(filled, **task.frame.size)
    return replace(cell, design=filled, params=counted.params, macs=counted.macs)


def _matched(task: Task, cells: Sequence[Cell]) -> Matched:
    """What all cells have equally much of, within 1 %."""
    names: tuple[Matched, ...] = ("macs", "params")
    designs = [require_convolutional(cell.design, "a path") for cell in cells]
    for name in names:
        if set(task.budgets) == {name}:
            used = (use_of(each, task.budgets, **task.frame.size)[name] for each in designs)
            return name if min(used) >= _EQUAL else ""
    return ""


def plan_finals(task: Task, screening: Plan, records: Iterable[Record]) -> Plan | None:
    """The finalists, with seeds that no run of the screening had; None if no run of it learned
    anything.

    The finalists are the subsets whose best is expected to be highest: the first is the one that
    is predicted best, each next one adds most to the expected best of them all. Subsets of which a
    run diverged, failed or learned nothing in the screening are left out, and so are those that
    are over a latency that is asked for, or are the same network as one before. The start and the
    end are always among the finals of a screening that is not shortened, if they keep the budget.
    The first `reshaped` of the finalists
    come a second time, with the depths and widths that `fit` proposes for them first; none with
    more than twice as many blocks.

    Raises:
        InputError: none is left.
    """
    known = seen([(screening, records)])
    if not known.learned:
        return None
    stacks, seeds = replace(task.frame.stacks, there=None), task.effort.final_seeds
    seeds_of_all = fresh(max(screening.all_seeds) + 1, seeds, min(stacks.most, MOST_COPIES))
    seen_by = replace(task.frame, data=task.data, largest_class=task.largest_class)
    frame = replace(seen_by, seeds=seeds_of_all, end_seeds=0, stacks=stacks)
    rows = _chosen(task, known)
    plan = factors.plan_cells(frame, rows, "augmented")
    names = [factors.cell_name(row) for row in rows.tolist()]
    ends = task.effort.shorten == 1
    distinct: dict[tuple[AnyDesign, Recipe], Cell] = {}
    for cell in fitted(task, plan.cells).values():
        if not isinstance(cell, Cell) or not task.keeps(cell):  # an end may be beyond a budget
            continue
        if ends or cell.name in names:
            distinct.setdefault((cell.design, cell.recipe), cell)
    if not distinct:
        raise _none_left(task.request.latency)
    cells = list(distinct.values())
    best = [cell for name in names[: task.effort.reshaped] for cell in cells if cell.name == name]
    cells += [cell for one in best for cell in _reshaped(task, one) if task.keeps(cell)]
    title = f"Finals on {plan.data['name']} with {in_budget(task.budgets)}"
    held_out = task.request.hold_out
    copies = stacks.of(cells, seeds_of_all)
    return replace(plan, cells=tuple(cells), copies=copies, title=title, held_out=held_out)


def _none_left(latency: str | None) -> InputError:
    slow, quicker = (f"is slower than --latency {latency} or ", "a longer --latency, ")
    return InputError(
        f"no network is left for the finals: each {slow * bool(latency)}had a run in the screening "
        f"that diverged, failed or learned nothing; start again with {quicker * bool(latency)}"
        "a lower learning_rate or other --factors, and another --output"
    )


def fresh(first: int, seeds: int, most: int) -> tuple[int, ...]:
    """So many seeds, from the first one on with which they are stacks of at most so many runs
    and none beside.

    >>> fresh(2, 5, 1), fresh(2, 5, 8)
    ((2, 3, 4, 5, 6), (5, 6, 7, 8, 9))
    """
    block = min(seeds, most)
    start = -(-first // block) * block
    return tuple(range(start, start + seeds))


def _chosen(task: Task, known: Seen) -> Levels:
    """Levels of the finalists, the one that is predicted best first."""
    learned = known.surface
    draws = learned.draws(_DRAWS, np.random.default_rng(0))
    gain = learned.means.copy()
    barred = ~possible(task)
    barred[sorted(known.troubled)] = True
    same: list[tuple[AnyDesign, Recipe]] = []
    chosen: list[int] = []
    best = np.full(len(draws), -np.inf)
    most = task.effort.finalists
    while len(chosen) < most and not barred.all():
        # Where nothing more is expected of any, what is predicted best.
        at = int(np.lexsort((learned.means, np.where(barred, -np.inf, gain)))[-1])
        barred[at] = True
        cell = _within(task, factors.cell_at(task.frame, learned.levels[at]))
        if (cell.design, cell.recipe) in same or not task.keeps(cell):
            continue
        same.append((cell.design, cell.recipe))
        chosen.append(at)
        best = np.maximum(best, draws[:, at])
        gain = np.maximum(draws, best[:, None]).mean(axis=0)
    return learned.levels[chosen]


def _reshaped(task: Task, cell: Cell) -> list[Cell]:
    """The cell with depths and widths that `fit` proposes, if there are any."""
    own = require_convolutional(cell.design, "a path")
    most = _MOST_BLOCKS * sum(own.depths)
    try:
        found = _proposals(task, own, _PROPOSALS)
    except InputError:  # fit does not go below 8 channels
        return []
    designs = [one.design for one in found if one.binds]
    shapes = [d for d in designs if d.depths != own.depths and sum(d.depths) <= most]
    return [
        replace(
            _within(task, cell, design),
            name=f"{cell.name} reshaped",
            changed=f"{cell.changed}; depths {','.join(map(str, design.depths))}",
            made=None,
        )
        for design in shapes[:1]
    ]
