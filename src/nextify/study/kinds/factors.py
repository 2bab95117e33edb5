"""From a path's choices to an experiment: which subsets of them are trained."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import geometric_mean
from typing import Any, get_args

import numpy as np

from nextify.costs import cost
from nextify.designs import (
    Design,
    Factor,
    Path,
    Precision,
    Recipe,
    default_factors,
    path,
    read_factors,
    recipe,
)
from nextify.designs.factor import require_factors
from nextify.designs.fields import read_fields
from nextify.designs.run import require_batch
from nextify.errors import InputError, unknown
from nextify.experiments.coding import Levels, levels_of
from nextify.experiments.fractions import (
    ATTRIBUTE,
    SCREEN,
    fold_over,
    fraction,
    full,
    with_ends,
)
from nextify.experiments.optimal import augment
from nextify.experiments.permutations import (
    add_one_in,
    cells_of_orders,
    leave_one_out,
    sampled_orders,
)
from nextify.findings import attribute
from nextify.fitting import match_cost
from nextify.records import Cell, Experiment, Matched, Plan, Store
from nextify.requests import Study, without_local
from nextify.study.kinds.kind import Asked, Kind
from nextify.study.kinds.path import require_seeds, seeds_of
from nextify.words import read_count

END_SEEDS = 4  # more runs of both end cells: their difference checks the whole model
# On the geometric mean of the cells' costs, until whole widths come near enough.
_RAISES = tuple(1.1**power for power in range(20))
ORDERS = 8  # sampled orders by default


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """All that the cells of an experiment share.

    Attributes:
        path: whose choices are tried. factors: into which they are grouped; choices that are in
            none are not made in any cell.
        recipes: before and after the recipe step. Every cell has the one after it, unless the
            training recipe is a factor.
        data: `Dataset.identity()`. data_source: one sentence, with the licence.
        seeds: of every cell. end_seeds: how many more the two end cells have.
        matched: rescale the widths so that all cells have the same MACs or parameters.
        target: how many; None for the geometric mean of the cells, so that no cell is narrowed or
            widened more than need be, or the first number above it that widths can be rescaled to.
        rates: multiples of the recipes' learning rate, crossed with the cells.
    """

    path: Path
    factors: tuple[Factor, ...]
    recipes: tuple[Recipe, Recipe]
    data: Mapping[str, Any]
    data_source: str
    seeds: tuple[int, ...]
    end_seeds: int = END_SEEDS
    matched: Matched = ""
    target: int | str | None = None
    rates: tuple[float, ...] = (1.0,)
    precision: Precision = "float32"


def frame(
    path: Path,
    *,
    data: Mapping[str, Any],
    data_source: str,
    seeds: Sequence[int],
    factors: Sequence[Factor] | None = None,
    recipe_changes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Frame:
    """A frame with the path's own recipes and, unless factors are given, the default eight.

    Raises:
        InputError: bad seeds, factors, rates or recipe fields; a batch larger than the data.
    """
    require_seeds(seeds)
    chosen = default_factors(path) if factors is None else tuple(factors)
    require_factors(chosen, path)
    before, after = (recipe(name).changed(recipe_changes or {}) for name in path.recipes)
    for one in (before, after):
        require_batch(one, int(data["train"]))
    made = Frame(
        path=path,
        factors=chosen,
        recipes=(before, after),
        data=dict(data),
        data_source=data_source,
        seeds=tuple(seeds),
        **settings,
    )
    _require_settings(made)
    return made


def _require_settings(of: Frame) -> None:
    if of.matched not in get_args(Matched):
        raise InputError(f"matched is {of.matched!r}; give macs, params or nothing")
    if not 0 <= of.end_seeds <= 1000:
        raise InputError(f"end_seeds is {of.end_seeds}; it must be from 0 to 1000")
    if not of.rates or len(set(of.rates)) < len(of.rates):
        raise InputError(f"rates are {of.rates}; give different multiples, such as 0.5, 1 and 2")
    if not all(0 < rate <= 1000 for rate in of.rates):
        raise InputError(f"rates are {of.rates}; each must be above 0 and at most 1000")


def frame_of(asked: Asked) -> Frame:
    """What the cells of the experiment that a request asks for share.

    Raises:
        InputError: as `frame` does.
    """
    request = asked.request
    assert isinstance(request, Study)
    options = request.experiment
    design_fields, recipe_fields = read_fields(request.changes, Design, Recipe)
    chosen = path(request.path).with_design_fields(design_fields)
    made = frame(
        chosen,
        **asked.shared,
        seeds=seeds_of(request.runs),
        recipe_changes=recipe_fields,
        factors=read_factors(options.factors, chosen) if options.factors else None,
        matched=options.matched or "",
        target=None if options.target is None else read_count("--target", options.target),
        rates=read_numbers("--rates", options.rates) if options.rates else (1.0,),
        end_seeds=END_SEEDS if options.end_seeds is None else options.end_seeds,
    )
    if options.target is not None and options.matched is None:
        raise InputError("--target is what all networks shall cost; add --matched macs or params")
    return made


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


def read_numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers between commas.

    Raises:
        InputError: they are none.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} is {text!r}; give numbers, as 0.5,1,2") from None


def plan_experiment(of: Frame, experiment: Experiment, *, orders: int = ORDERS) -> Plan:
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
    count = len(of.factors)
    sampled: tuple[tuple[str, ...], ...] = ()
    match experiment:
        case "leave-one-out":
            levels = leave_one_out(count)
        case "add-one-in":
            levels = add_one_in(count)
        case "resolution-4":
            levels = fraction(count, SCREEN)
        case "resolution-5":
            levels = fraction(count, ATTRIBUTE)
        case "full":
            levels = full(count)
        case "permutations":
            drawn = sampled_orders(count, orders, seed=0)
            levels = cells_of_orders(drawn)
            names = [factor.name for factor in of.factors]
            sampled = tuple(tuple(names[at] for at in order) for order in drawn)
        case _:
            kinds = [kind for kind in get_args(Experiment) if kind != "augmented"]
            raise unknown("experiment", str(experiment), kinds)
    return replace(plan_cells(of, levels, experiment), orders=sampled)


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
    _require_same_factors(of, there)
    old = distinct_levels(there)
    names = [factor.name for factor in of.factors]
    if cells is not None:
        new = augment(old, cells)
    elif fold is None:
        new = fold_over(old)
    elif fold in names:
        new = fold_over(old, names.index(fold))
    else:
        raise unknown("factor", fold, names)
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
    _require_same_factors(of, there)
    plan = plan_cells(of, distinct_levels(there), there.experiment)
    return replace(
        plan,
        orders=there.orders,
        requests=there.requests,
        command=there.command,
        where=there.where,
    )


def _require_same_factors(of: Frame, there: Plan) -> None:
    if there.factors != of.factors:
        raise InputError(
            "the study file's factors are not those of this experiment; ask for the same"
        )


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
        _cell(of, row, design, rate)
        for rate in of.rates
        for row, design in zip(ordered, designs, strict=True)
    ]
    return Plan(
        name=of.path.name,
        title=_title(of),
        cells=tuple(cells),
        seeds=of.seeds,
        data=of.data,
        data_source=of.data_source,
        precision=of.precision,
        experiment=experiment,
        factors=of.factors,
        matched=of.matched,
    )


def _title(of: Frame) -> str:
    same = {"": "", "macs": " at equal MACs", "params": " at equal parameters"}[of.matched]
    return (
        f"What {len(of.factors)} factors of the {of.path.name} path do on {of.data['name']}{same}"
    )


def _ends_first(levels: Levels) -> Levels:
    """None made, all made, then the others: what the ends tell is known early."""
    sums = levels.astype(np.int64).sum(1)
    ends = np.abs(sums) == levels.shape[1]
    return np.concatenate([levels[ends][np.argsort(sums[ends])], levels[~ends]])


def _designs(of: Frame, levels: Levels) -> Sequence[Design]:
    plain = [_design(of, row) for row in levels]
    if not of.matched:
        return plain
    size, classes = int(of.data["image_size"]), int(of.data["classes"])
    if of.target is not None:
        return match_cost(plain, of.matched, of.target, image_size=size, classes=classes)
    counted = [cost(design, size, classes) for design in plain]
    mean = geometric_mean(getattr(each, of.matched) for each in counted)
    for more in _RAISES:
        with suppress(InputError):
            goal = round(mean * more)
            return match_cost(plain, of.matched, goal, image_size=size, classes=classes)
    raise InputError(
        f"the networks cannot be brought to equal {of.matched} near their geometric mean, "
        f"{mean:,.0f}: their widths are too small; give a larger target, or do not match"
    )


def _design(of: Frame, row: Iterable[int]) -> Design:
    names = {
        choice
        for factor, level in zip(of.factors, row, strict=True)
        if level > 0
        for choice in factor.choices
    }
    return of.path.subset(at for at, choice in enumerate(of.path.choices) if choice.name in names)


def _cell(of: Frame, row: Levels, design: Design, rate: float) -> Cell:
    pairs = list(zip(of.factors, row.tolist(), strict=True))
    made = tuple(factor.name for factor, level in pairs if level > 0)
    name, trained = _recipe(of, pairs)
    counted = cost(design, int(of.data["image_size"]), int(of.data["classes"]))
    is_end = len(made) in (0, len(of.factors)) and rate == _main_rate(of)
    first = max(of.seeds) + 1
    return Cell(
        name=cell_name(row, rate),
        changed=", ".join(made) or "nothing",
        design=design,
        recipe_name=name,
        recipe=trained.changed({"learning_rate": trained.learning_rate * rate}),
        params=counted.params,
        macs=counted.macs,
        made=made,
        rate=rate,
        more_seeds=tuple(range(first, first + of.end_seeds)) if is_end else (),
    )


def _main_rate(of: Frame) -> float:
    """The rate nearest to the recipe's own."""
    return min(of.rates, key=lambda rate: abs(np.log(rate)))


def _recipe(of: Frame, pairs: list[tuple[Factor, int]]) -> tuple[str, Recipe]:
    """The recipe after the recipe step, unless it is a factor that is not made."""
    is_after = all(level > 0 for factor, level in pairs if factor.is_recipe)
    return of.path.recipes[is_after], of.recipes[is_after]


def cell_name(row: Iterable[int], rate: float = 1.0) -> str:
    """A cell's name: a sign per factor, in the factors' order.

    >>> cell_name([1, -1, 1]), cell_name([1, 1], 0.5)
    ('+-+', '++ at 0.5 x the learning rate')
    """
    signs = "".join("+" if level > 0 else "-" for level in row)
    return signs if rate == 1 else f"{signs} at {rate:g} x the learning rate"


FACTORS = Kind(name="factors", plan=plan_of, findings=attribute, page="factors")
