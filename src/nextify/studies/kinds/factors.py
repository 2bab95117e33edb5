"""From a path's choices to an experiment: which subsets of them are trained."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from statistics import geometric_mean

import numpy as np

from nextify.costs import cost
from nextify.designs import Design
from nextify.errors import InputError, unknown
from nextify.experiments import permutations
from nextify.experiments.coding import Levels, levels_of
from nextify.experiments.fractions import ATTRIBUTE, SCREEN, fold_over, fraction, full, with_ends
from nextify.experiments.optimal import augment
from nextify.findings import attribute
from nextify.fitting import match_cost
from nextify.records import Cell, Experiment, Plan, Store
from nextify.requests import Study, without_local
from nextify.studies.kinds.frame import END_SEEDS, Frame, cell_of, framed, seeds_of, target_of
from nextify.studies.kinds.kind import Asked, Kind
from nextify.words import read_numbers

# On the geometric mean of the cells' costs, until whole widths come near enough.
_RAISES = tuple(1.1**power for power in range(20))

_LEVELS: dict[str, Callable[[int], Levels]] = {
    "leave-one-out": permutations.leave_one_out,
    "add-one-in": permutations.add_one_in,
    "resolution-4": partial(fraction, resolution=SCREEN),
    "resolution-5": partial(fraction, resolution=ATTRIBUTE),
    "full": full,
}


def frame_of(asked: Asked) -> Frame:
    """What the cells of the experiment that a request asks for share.

    Raises:
        InputError: as `Frame` does.
    """
    request = asked.request
    assert isinstance(request, Study)
    options = request.experiment
    return framed(
        asked,
        request.path,
        options.factors,
        seeds=seeds_of(request.runs),
        matched=options.matched or "",
        target=target_of(options.target, options.matched),
        rates=read_numbers("--rates", options.rates) if options.rates else (1.0,),
        end_seeds=END_SEEDS if options.end_seeds is None else options.end_seeds,
    )


def is_experiment(request: Study) -> bool:
    """Whether a request asks for an experiment, not for the path's steps."""
    options = request.experiment
    return bool(options.experiment != "path" or options.fold_over or options.add_cells)


def plan_of(asked: Asked) -> Plan:
    """The plan that a request asks for; one that adds to an experiment reads its file.

    Raises:
        InputError: as `plan_experiment` and `plan_more` do; two ways of adding at once.
    """
    request, made = asked.request, frame_of(asked)
    assert isinstance(request, Study) and asked.file is not None
    options = request.experiment
    if options.looks is not None and options.looks > request.runs.seeds:
        raise InputError(
            f"--looks is {options.looks}, and --seeds {request.runs.seeds}: each look takes "
            f"another seed of every cell; give --seeds {2 * options.looks}, say"
        )
    if not (options.fold_over or options.add_cells or options.experiment == "augmented"):
        plan = plan_experiment(made, options.experiment, orders=options.orders)
        return plan.asked_by(request)
    if options.fold_over and options.add_cells:
        raise InputError("--fold-over and --add-cells are two ways; give one of them")
    with Store.open(asked.file, create=False) as store:
        there = store.plan()
    # The same request again goes on with the cells that it added.
    if without_local(request) in there.requests or options.experiment == "augmented":
        return plan_again(made, there)
    fold = None if options.fold_over in (None, "all") else options.fold_over
    plan = plan_more(made, there, cells=options.add_cells, fold=fold)
    return plan.asked_by(*there.requests, request)


def plan_experiment(of: Frame, experiment: Experiment, *, orders: int = 8) -> Plan:
    """A plan of the cells that an experiment needs.

    `leave-one-out` and `add-one-in`: one factor undone at the end, made at the start.
    `resolution-4`, `resolution-5`, `full`: two-level factorial fractions, the first to screen,
    the second with all two-factor interactions clear of each other, the last of all subsets.
    `permutations`: the stops on sampled orders of the factors. The cells with no factor and with
    all factors made are always among them, and come first.

    Args:
        orders: how many are sampled, for `permutations`.

    Raises:
        InputError: an unknown experiment, or one that these factors do not allow; a cell that
            cannot be built for the images or cannot be matched.
    """
    count, names = len(of.factors), [factor.name for factor in of.factors]
    if experiment == "permutations":
        drawn = permutations.sampled_orders(count, orders, seed=0)
        sampled = tuple(tuple(names[at] for at in order) for order in drawn)
        levels = permutations.cells_of_orders(drawn)
        return replace(plan_cells(of, levels, experiment), orders=sampled)
    if experiment not in _LEVELS:
        raise unknown("experiment", str(experiment), [*_LEVELS, "permutations"])
    return plan_cells(of, _LEVELS[experiment](count), experiment)


def plan_more(of: Frame, there: Plan, *, cells: int | None, fold: str | None = None) -> Plan:
    """An earlier experiment, and cells that make it tell more.

    Args:
        there: on the same factors.
        cells: how many to add, chosen so that all two-factor interactions are told apart as
            well as possible; or None, to fold over instead.
        fold: the factor to fold over; None for all of them.

    Raises:
        InputError: the earlier plan has other factors; nothing can be added.
    """
    old = _levels_there(of, there)
    names = [factor.name for factor in of.factors]
    if fold is not None and fold not in names:
        raise unknown("factor", fold, names)
    factor = None if fold is None else names.index(fold)
    new = fold_over(old, factor) if cells is None else augment(old, cells)
    if not len(new):
        raise InputError(
            "the study has all of these cells already; fold over one factor, or add cells"
        )
    return plan_cells(of, np.concatenate([old, new]), "augmented")


def plan_again(of: Frame, there: Plan) -> Plan:
    """The cells of an earlier experiment, whatever they are; with other seeds, say.

    Raises:
        InputError: the earlier plan has other factors.
    """
    plan = plan_cells(of, _levels_there(of, there), there.experiment)
    kept = ("orders", "requests", "command", "where")
    return replace(plan, **{name: getattr(there, name) for name in kept})


def _levels_there(of: Frame, there: Plan) -> Levels:
    """The distinct cells of an earlier experiment on the same factors."""
    if there.factors != of.factors:
        raise InputError(
            "the study file's factors are not those of this experiment; ask for the same"
        )
    return distinct_levels(there)


def distinct_levels(plan: Plan) -> Levels:
    """The distinct cells of an experiment as rows of +1 (made) and -1, a column per factor."""
    names = [factor.name for factor in plan.factors]
    rows = levels_of(names, (cell.made or () for cell in plan.cells)).tolist()
    return np.array(list(dict.fromkeys(map(tuple, rows))), dtype=np.int8)


def plan_cells(of: Frame, levels: Levels, experiment: Experiment) -> Plan:
    """A plan of given cells: rows of +1 (made) and -1, a column per factor."""
    ordered = _ends_first(with_ends(levels))
    designs = _designs(of, ordered)
    cells = [
        cell_at(of, row, design, rate)
        for rate in of.rates
        for row, design in zip(ordered, designs, strict=True)
    ]
    same = {"": "", "macs": " at equal MACs", "params": " at equal parameters"}[of.matched]
    title = f"What {len(of.factors)} factors of the {of.path.name} path do on {of.data['name']}"
    about = {"experiment": experiment, "factors": of.factors, "matched": of.matched}
    return of.plan(title + same, cells, **about)


def _ends_first(levels: Levels) -> Levels:
    """None made, all made, then the others: what the ends tell is known early."""
    sums = levels.astype(np.int64).sum(1)
    ends = np.abs(sums) == levels.shape[1]
    return np.concatenate([levels[ends][np.argsort(sums[ends])], levels[~ends]])


def _designs(of: Frame, levels: Levels) -> Sequence[Design]:
    plain = [design_at(of, row) for row in levels]
    if not of.matched:
        return plain
    if of.target is not None:
        return match_cost(plain, of.matched, of.target, **of.size)
    counted = [cost(design, **of.size) for design in plain]
    mean = geometric_mean(getattr(each, of.matched) for each in counted)
    reason = None
    for more in _RAISES:
        try:
            return match_cost(plain, of.matched, round(mean * more), **of.size)
        except InputError as error:
            reason = reason or error
    raise InputError(
        f"the networks cannot be brought to equal {of.matched} near their geometric mean, "
        f"{mean:,.0f} ({reason}); give a larger target, or do not match"
    )


def design_at(of: Frame, row: Iterable[int]) -> Design:
    """The design of a subset of the factors, at the path's own widths."""
    made = (factor for factor, level in zip(of.factors, row, strict=True) if level > 0)
    names = {choice for factor in made for choice in factor.choices}
    return of.path.subset(at for at, choice in enumerate(of.path.choices) if choice.name in names)


def cell_at(of: Frame, row: Levels, design: Design | None = None, rate: float = 1.0) -> Cell:
    """The cell of a subset of the factors, with its design as it is or as it is rescaled."""
    made = tuple(factor.name for factor, level in zip(of.factors, row, strict=True) if level > 0)
    # the recipe after the recipe step, unless it is a factor that is not made
    is_after = all(factor.name in made for factor in of.factors if factor.is_recipe)
    trained = of.recipes[is_after]
    own_rate = min(of.rates, key=lambda each: abs(np.log(each)))  # the nearest to the recipe's
    is_end = len(made) in (0, len(of.factors)) and rate == own_rate
    first = max(of.seeds) + 1
    return cell_of(
        design or design_at(of, row),
        trained.changed({"learning_rate": trained.learning_rate * rate}),
        of.data,
        name=cell_name(row, rate),
        changed=", ".join(made) or "nothing",
        recipe_name=of.path.recipes[is_after],
        made=made,
        rate=rate,
        more_seeds=tuple(range(first, first + of.end_seeds)) if is_end else (),
    )


def cell_name(row: Iterable[int], rate: float = 1.0) -> str:
    """A cell's name: a sign per factor, in the factors' order.

    >>> cell_name([1, -1, 1]), cell_name([1, 1], 0.5)
    ('+-+', '++ at 0.5 x the learning rate')
    """
    signs = "".join("+" if level > 0 else "-" for level in row)
    return signs if rate == 1 else f"{signs} at {rate:g} x the learning rate"


FACTORS = Kind(plan=plan_of, findings=attribute, page="factors")
