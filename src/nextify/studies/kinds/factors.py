"""From a path's choices to an experiment: which subsets of them are trained."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np

from nextify.costs import cost
from nextify.designs import Design, Nuisance, read_crossed
from nextify.designs.factor import INITIALISATION, PIXELS, RATE
from nextify.errors import InputError, unknown
from nextify.experiments import permutations
from nextify.experiments.coding import Levels, codes_of, levels_of
from nextify.experiments.fractions import (
    ATTRIBUTE,
    SCREEN,
    crossing,
    fold_over,
    full,
    with_ends,
)
from nextify.experiments.optimal import augment, spread_out
from nextify.findings import attribute
from nextify.findings.tuning import Made, best_rates
from nextify.fitting import match_cost
from nextify.records import Cell, Experiment, Plan, Store
from nextify.requests import Study, without_local
from nextify.studies.kinds.comparison import read_part
from nextify.studies.kinds.frame import (
    END_SEEDS,
    SEEDS,
    Frame,
    cell_of,
    framed,
    seeds_of,
    target_of,
)
from nextify.studies.kinds.kind import Asked, Kind, plan_there
from nextify.studies.kinds.settle import says_how_drawn
from nextify.words import listed, read_numbers

# On the geometric mean of the cells' costs, until whole widths come near enough.
_RAISES = tuple(1.1**power for power in range(20))

_ONE_BY_ONE: dict[str, Callable[[int], Levels]] = {
    "leave-one-out": permutations.leave_one_out,
    "add-one-in": permutations.add_one_in,
}
# Of choices and, in the last columns, of what is crossed with them.
_FRACTIONS: dict[str, Callable[[int, int], Levels]] = {
    "resolution-4": partial(crossing, resolution=SCREEN),
    "resolution-5": partial(crossing, resolution=ATTRIBUTE),
    "full": lambda choices, crossed: full(choices + crossed),
}
_SEEDS_OF_A_CELL = 1 << 12  # torch draws by the last 32 bits of a seed: a million cells
_TWICE = 12  # cells besides the ends that are run once more where factors are crossed


def frame_of(asked: Asked) -> Frame:
    """What the cells of the experiment that a request asks for share.

    Raises:
        InputError: as `Frame` does.
    """
    request = asked.request
    assert isinstance(request, Study)
    options = request.experiment
    crossed = read_crossed(options.cross or "none")
    if options.rates and any(each.name == RATE for each in crossed):
        raise InputError("--rates and --cross rate both vary the learning rate; give one of them")
    if request.data.permute_pixels is not None and any(each.name == PIXELS for each in crossed):
        raise InputError("--permute-pixels and --cross pixels both permute the pixels; give one of "
                         "them")  # fmt: skip
    if any(each.name == INITIALISATION for each in crossed) and says_how_drawn(request):
        raise InputError("--cross initialisation and the field weight_init both say how weights "
                         "are drawn; give one of them")  # fmt: skip
    if options.tune_rate:
        _require_tunable(request, crossed)
    if request.weights is not None:
        _require_no_initialisation(options.matched, crossed)
    usual = 1 if crossed else END_SEEDS
    seeds = seeds_of(request.runs, 1 if crossed else SEEDS)
    # Of planned looks, each takes whole stacks.
    stacks = replace(asked.stacks, most=min(asked.stacks.most, _at_once(len(seeds), options.looks)))
    return framed(
        asked,
        request.path,
        options.factors,
        crossed=crossed,
        images=read_part(request.images, len(asked.images.train), len(asked.images.classes)),
        held_out=request.hold_out,
        tuned=read_numbers("--tune-rate", options.tune_rate) if options.tune_rate else (),
        seeds=[seed + bool(options.tune_rate) for seed in seeds],  # the first one chooses
        matched=options.matched or "",
        target=target_of(options.target, options.matched),
        rates=read_numbers("--rates", options.rates) if options.rates else (1.0,),
        end_seeds=usual if options.end_seeds is None else options.end_seeds,
        stacks=stacks,
    )


def _require_no_initialisation(matched: str | None, crossed: tuple[Nuisance, ...]) -> None:
    """Check that nothing is asked for that trained weights leave no choice of."""
    if matched is not None:
        raise InputError("--matched rescales widths, which trained weights have; leave it out, or "
                         "train from scratch")  # fmt: skip
    if any(each.name == INITIALISATION for each in crossed):
        raise InputError("--cross initialisation varies initial weights, which --weights gives; "
                         "leave one of them out, as --cross rate")  # fmt: skip


def _require_startable(of: Frame) -> None:
    """Check that no factor changes which weights a network has: made alone, or left out alone."""
    if of.start is None:
        return
    count = len(of.factors)
    ends = [[level] * count for level in (-1, 1)]
    rows = [[*end[:at], -end[at], *end[at + 1 :]] for end in ends for at in range(count)]
    of.start.require(
        (factor.name, design_at(of, end), design_at(of, row))
        for (end, factor), row in zip(product(ends, of.factors), rows, strict=True)
    )


def _at_once(seeds: int, looks: int | None) -> int:
    """Seeds that each look takes."""
    return max(seeds // (looks or 1), 1)


def _require_tunable(request: Study, crossed: tuple[Nuisance, ...]) -> None:
    """Check that a rate can be chosen for each cell, before all else."""
    options = request.experiment
    others = {
        "--rates": options.rates,
        "--cross rate": any(each.name == RATE for each in crossed),
        "--hold-out": request.hold_out,
        "--fold-over": options.fold_over,
        "--add-cells": options.add_cells,
        "--experiment augmented": options.experiment == "augmented",
    }
    for name in (name for name, is_given in others.items() if is_given):
        raise InputError(f"--tune-rate does not go with {name}; leave one of them out")
    if len(read_numbers("--tune-rate", str(options.tune_rate))) < 2:
        raise InputError(
            f"--tune-rate is {options.tune_rate!r}; give two multiples at least, as 0.25,0.5,1,2"
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
    if options.looks is not None and options.looks > len(made.seeds):
        raise InputError(
            f"--looks is {options.looks}, and --seeds {len(made.seeds)}: each look takes "
            f"another seed of every cell; give --seeds {2 * options.looks}, say"
        )
    if not (options.fold_over or options.add_cells or options.experiment == "augmented"):
        if options.tune_rate:
            made = replace(made, chosen=chosen_rates(asked.file))
        plan = plan_experiment(made, options.experiment, orders=options.orders)
        return plan.asked_by(request)
    if options.fold_over and options.add_cells:
        raise InputError("--fold-over and --add-cells are two ways; give one of them")
    with Store.open(asked.file, create=False) as store:
        there = store.plan()
    # The same request again goes on with the cells that it added.
    if without_local(request) in there.requests:
        return plan_again(made, there)
    if options.experiment == "augmented":
        return plan_again(made, there).asked_by(*there.requests, request)
    fold = None if options.fold_over in (None, "all") else options.fold_over
    plan = plan_more(made, there, cells=options.add_cells, fold=fold)
    return plan.asked_by(*there.requests, request)


def tuning_file(file: Path) -> Path:
    """Where the rates of a tuned study are chosen: beside it."""
    return file.with_name(f"{file.stem}-tuning{file.suffix}")


def chosen_rates(file: Path) -> Mapping[Made, float]:
    """The rate of each cell: as the study has it that goes on, and else as its tuning chose it."""
    found: dict[Made, float] = {}
    if plan_there(tuning_file(file)) is not None:
        with Store.open(tuning_file(file), create=False) as store:
            found.update(best_rates(store.plan(), store.records()))
    if (there := plan_there(file)) is not None:
        found.update({frozenset(cell.on): cell.rate for cell in there.cells})
    return found


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
        _require_uncrossed(experiment, len(of.crossed))
        drawn = permutations.sampled_orders(count, orders, seed=0)
        sampled = tuple(tuple(names[at] for at in order) for order in drawn)
        levels = permutations.cells_of_orders(drawn)
        return replace(plan_cells(of, levels, experiment), orders=sampled)
    levels = _cells_for(experiment, count, len(of.crossed))
    return plan_cells(of, levels, experiment, codes_of(_run_again(of, levels)))


def _cells_for(experiment: Experiment, choices: int, crossed: int) -> Levels:
    if experiment in _FRACTIONS:
        return _FRACTIONS[experiment](choices, crossed)
    if experiment not in _ONE_BY_ONE:
        raise unknown("experiment", str(experiment), [*_ONE_BY_ONE, *_FRACTIONS, "permutations"])
    _require_uncrossed(experiment, crossed)
    return _ONE_BY_ONE[experiment](choices)


def _require_uncrossed(experiment: Experiment, crossed: int) -> None:
    if crossed:
        raise InputError(
            f"--cross has no place in {experiment}, whose cells are too few; give --cross none, or "
            f"--experiment {' or '.join(_FRACTIONS)}"
        )


def _run_again(of: Frame, levels: Levels) -> Levels:
    """The cells besides the ends that get a further seed: where things are crossed cells have one
    seed, and these show the noise."""
    inner = levels[~_are_ends(of, levels)]
    return spread_out(inner, _TWICE) if of.crossed and len(inner) else inner[:0]


def _are_ends(of: Frame, levels: Levels) -> Any:
    """(cells,) whether none or all of the choices are made."""
    own = levels[:, : len(of.factors)].astype(np.int64)
    return np.abs(own.sum(axis=1)) == len(of.factors)


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
    names = there.columns
    if fold is not None and fold not in names:
        raise unknown("factor", fold, names)
    factor = None if fold is None else names.index(fold)
    new = fold_over(old, factor) if cells is None else augment(old, cells)
    if not len(new):
        raise InputError(
            "the study has all of these cells already; fold over one factor, or add cells"
        )
    return plan_cells(of, np.concatenate([old, new]), "augmented", _again_there(there))


def plan_again(of: Frame, there: Plan) -> Plan:
    """The cells of an earlier experiment, whatever they are; with other seeds, say.

    Raises:
        InputError: the earlier plan has other factors.
    """
    plan = plan_cells(of, _levels_there(of, there), there.experiment, _again_there(there))
    kept = ("orders", "requests", "command", "where")
    return replace(plan, **{name: getattr(there, name) for name in kept})


def _again_there(there: Plan) -> Container[int]:
    """The cells of an earlier experiment that have a further seed, where things are crossed."""
    cells = [cell for cell in there.cells if cell.more_seeds and there.crossed]
    return codes_of(_levels_of(there, cells)).tolist() if cells else ()


def _levels_there(of: Frame, there: Plan) -> Levels:
    """The distinct cells of an earlier experiment on the same factors."""
    if (there.factors, there.crossed) != (of.factors, of.crossed):
        raise InputError(
            "the study file's factors are not those of this experiment; ask for the same"
        )
    return distinct_levels(there)


def distinct_levels(plan: Plan) -> Levels:
    """The distinct cells of an experiment as rows of +1 (made) and -1, a column per factor, those
    that are crossed with the choices last."""
    rows = _levels_of(plan, plan.cells).tolist()
    return np.array(list(dict.fromkeys(map(tuple, rows))), dtype=np.int8)


def _levels_of(plan: Plan, cells: Iterable[Cell]) -> Levels:
    return levels_of(plan.columns, (cell.on for cell in cells))


def plan_cells(
    of: Frame, levels: Levels, experiment: Experiment, again: Container[int] = ()
) -> Plan:
    """A plan of given cells: rows of +1 (made) and -1, a column per factor, those that are crossed
    with the choices last. `again`: the numbers (`codes_of`) of cells that get one seed more."""
    ordered = _ends_first(of, with_ends(levels, len(of.crossed)))
    _require_startable(of)
    designs = _designs(of, ordered)
    cells = [
        cell_at(of, row, design, rate, again=code in again)
        for rate in of.rates
        for row, code, design in zip(ordered, codes_of(ordered).tolist(), designs, strict=True)
    ]
    same = {"": "", "macs": " at equal MACs", "params": " at equal parameters"}[of.matched]
    title = f"What {len(of.factors)} factors of the {of.path.name} path do on {of.data['name']}"
    varied = f", {listed([each.name for each in of.crossed])} crossed" if of.crossed else ""
    if of.tuned:
        varied += ", each at its best learning rate"
    about = {
        "factors": of.factors,
        "crossed": of.crossed,
        "tuned": of.tuned,
        "matched": of.matched,
    }
    return of.plan(title + same + varied, cells, experiment=experiment, **about)


def _ends_first(of: Frame, levels: Levels) -> Levels:
    """None made, all made, then the others: what the ends tell is known early."""
    sums, ends = levels[:, : len(of.factors)].astype(np.int64).sum(1), _are_ends(of, levels)
    first = levels[ends][np.argsort(sums[ends], kind="stable")]
    return np.concatenate([first, levels[~ends]])


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
    own = zip(of.factors, row, strict=False)  # what is crossed with them stands last
    made = (factor for factor, level in own if level > 0)
    names = {choice for factor in made for choice in factor.choices}
    return of.path.subset(at for at, choice in enumerate(of.path.choices) if choice.name in names)


def cell_at(
    of: Frame, row: Levels, design: Design | None = None, rate: float = 1.0, *, again: bool = False
) -> Cell:
    """The cell of a subset of the factors, with its design as it is or as it is rescaled."""
    count = len(of.factors)
    made = tuple(each.name for each, on in zip(of.factors, row, strict=False) if on > 0)
    # the recipe after the recipe step, unless it is a factor that is not made
    is_after = all(factor.name in made for factor in of.factors if factor.is_recipe)
    trained = of.recipes[is_after]
    crossed = [(each, bool(on > 0)) for each, on in zip(of.crossed, row[count:], strict=True)]
    second = tuple(each.name for each, on in crossed if on)
    own = of.chosen.get(frozenset((*made, *second)), 1.0) if of.tuned else rate
    trained = trained.changed({"learning_rate": trained.learning_rate * own})
    for each, on in crossed:
        trained = each.changed(trained, on)
    own_rate = min(of.rates, key=lambda each: abs(np.log(each)))  # the nearest to the recipe's
    is_end = len(made) in (0, count) and rate == own_rate
    first = max(of.seeds) + 1
    design = design or design_at(of, row)
    return cell_of(
        design,
        trained,
        of.data,
        name=" ".join([cell_name(row[:count], rate), *(_tag(each, on) for each, on in crossed)]),
        changed=", ".join(made) or "nothing",
        recipe_name=of.path.recipes[is_after],
        made=made,
        rate=own,
        crossed=second,
        images=of.images,
        initial=of.start and of.start.of(design),
        draws=_draws(of, row, rate) if of.images else 0,
        more_seeds=tuple(range(first, first + (of.end_seeds if is_end else again))),
    )


def cell_name(row: Iterable[int], rate: float = 1.0) -> str:
    """A cell's name: a sign per factor, in the factors' order.

    >>> cell_name([1, -1, 1]), cell_name([1, 1], 0.5)
    ('+-+', '++ at 0.5 x the learning rate')
    """
    signs = "".join("+" if level > 0 else "-" for level in row)
    return signs if rate == 1 else f"{signs} at {rate:g} x the learning rate"


def _draws(of: Frame, row: Levels, rate: float) -> int:
    """Where the draws of a cell begin: each has its own, so that what a draw does to a choice is
    averaged over the cells, and is in the spread that intervals are made from."""
    cell = int(codes_of(row[None])[0]) + (of.rates.index(rate) << row.size)
    return cell * _SEEDS_OF_A_CELL


def _tag(of: Nuisance, is_second: bool) -> str:
    """What is added to the name of a cell at a setting of what is crossed."""
    setting = of.settings[is_second]
    known = {"trunc_normal": "small", "he_normal": "He"}
    return f"{setting}x" if of.name == RATE else known.get(setting, setting)


FACTORS = Kind(plan=plan_of, findings=attribute, page="factors")
