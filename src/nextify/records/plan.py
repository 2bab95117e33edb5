"""`Plan`: which runs a study is made of, so that its records can be read without the code."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, get_args

from nextify.designs import (
    AnyDesign,
    Design,
    Factor,
    Initial,
    Nuisance,
    Paper,
    Precision,
    Recipe,
    Run,
)
from nextify.designs.factor import PIXELS
from nextify.designs.fields import hints
from nextify.designs.run import FIRST, told_fields
from nextify.designs.values import Count, Positive, Seed, Share, Within, from_values, read_value
from nextify.errors import InputError
from nextify.requests import (
    REQUESTS,
    DataSpec,
    StudyRequest,
    command_line,
    command_of,
    given,
    made,
    read,
    without_local,
)
from nextify.requests.commands import Kind
from nextify.requests.commands import Matched as Rescaled
from nextify.requests.options import SEEDS
from nextify.words import in_short

Experiment = Literal[Kind, "comparison"]
Matched = Literal["", Rescaled]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One design under one recipe: trained once per seed.

    Attributes:
        name: of the step. changed: what it changed, in words.
        made: in an experiment, the names of the factors that are made in this cell; None in a
            study of a path.
        rate: of the learning rate, the multiple of the recipe's own: a factor that an experiment
            may cross with the others. `recipe` has it already.
        crossed: in an experiment that crosses something with its factors, the names of what is at
            its second setting here.
        more_seeds: seeds of this cell beyond the plan's (the end cells of an experiment).
        network: in a comparison, what is compared: cells of one network differ in `images`.
        images: how many of the study's training images it is trained on, a draw of every seed's
            own (`nextify.data.drawn`); None: on all of them.
        draws: the seed of its draw with seed 0: cells with the same number have the same draws.
        initial: the weights that its runs start from; None for random ones.
        recipe_name: the recipe that `recipe` was made from.
        params, macs: of the design at the study's image size and number of classes.
        paper: the paper's numbers, where the cell is the paper's.
    """

    name: str
    changed: str
    design: AnyDesign
    recipe_name: str
    recipe: Recipe
    params: Count
    macs: Count
    paper: Paper | None = None
    made: tuple[str, ...] | None = None
    rate: Annotated[float, Within(5e-324)] = 1.0
    crossed: tuple[str, ...] = ()
    more_seeds: tuple[Seed, ...] = ()
    network: str = ""
    images: Positive | None = None
    draws: Seed = 0
    initial: Initial | None = None

    @property
    def shares_draws(self) -> bool:
        """Whether its draws are those of other cells, whatever their number says: so in experiments
        of before 2026-11-28, whose cells differ where no generator of torch looks."""
        return self.draws >> 32 > 0

    @property
    def on(self) -> tuple[str, ...]:
        """Of `Plan.columns`, those that are made here, or at their second setting."""
        return (*(self.made or ()), *self.crossed)

    @property
    def stacks(self) -> bool:
        """Whether its runs can be trained in a stack: a convolutional design from random weights, a
        recipe that allows it, and the same images with every seed."""
        is_plain = self.images is None and self.initial is None
        return isinstance(self.design, Design) and is_plain and self.recipe.stacks


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The runs of a study: every cell with every seed, some cells with more.

    Attributes:
        name: of the path. title: for the report's head.
        data: `Dataset.identity()`: name, fingerprint, image_size, classes, train and test sizes.
        data_source: one sentence on where the images come from, with their licence.
        where: where the images are and how they are taken in; None in files that do not say it.
        requests: what was asked for, one after the other, where more than one made this study.
        command: the same as a user types it (`nextify.requests.command_line`).
        experiment: `"path"`, how an experiment's cells were chosen, or `"comparison"`, of
            networks on one or several numbers of training images.
        factors: of an experiment. orders: the sampled orders of the factors' names, where cells
            are the stops on them.
        crossed: what is varied with the factors, because it may suit one side of a choice.
        tuned: multiples of the learning rate, of which every cell has the one that was best for it
            in a study before, on held-out images.
        matched: `"macs"` or `"params"` if widths were rescaled so that all cells cost the same.
        held_out: tested on a part of the training images, which no run trains on, to choose
            settings by; the test images are not looked at.
        probes: what is measured of every network when its run has ended (`nextify.probes`), by
            name; files of probes by their paths. No part of a run.
        copies: runs of one cell are trained in stacks of so many seeds (`Run.stack`), where they
            can be.
        largest_class: the share of the largest class among the images that are tested on: what
            always answering that class scores. None in files that do not say it.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    seeds: tuple[Seed, ...]
    data: Mapping[str, Any]
    data_source: str
    precision: Precision = "float32"
    command: str = ""
    experiment: Experiment = "path"
    factors: tuple[Factor, ...] = ()
    crossed: tuple[Nuisance, ...] = ()
    tuned: tuple[Annotated[float, Within(5e-324)], ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    matched: Matched = ""
    held_out: bool = False
    largest_class: Share | None = None
    where: DataSpec | None = None
    probes: tuple[str, ...] = ()
    requests: tuple[StudyRequest, ...] = ()
    copies: Positive = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what varies between an experiment's cells: its factors, and what is crossed
        with them."""
        return (*(each.name for each in self.factors), *(each.name for each in self.crossed))

    def seeds_of(self, cell: Cell) -> tuple[int, ...]:
        """The seeds that a cell is trained with."""
        if not cell.more_seeds:  # as in most plans, of which some have many seeds
            return self.seeds
        return tuple(dict.fromkeys((*self.seeds, *cell.more_seeds)))

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Every seed of any cell: the plan's, then those of single cells."""
        more = {seed for cell in self.cells for seed in cell.more_seeds} - set(self.seeds)
        return (*self.seeds, *sorted(more))

    def images_of(self, cell: Cell) -> int:
        """How many images a cell is trained on."""
        return int(self.data["train"]) if cell.images is None else cell.images

    def work_of(self, cell: Cell) -> int:
        """Multiply-accumulates of one run of a cell, forward: of all its images and epochs."""
        return cell.macs * cell.recipe.epochs * self.images_of(cell)

    def data_of(self, cell: Cell, seed: int) -> Mapping[str, Any]:
        """What identifies the images of a run: of a draw, all images and what was drawn; and
        whether their pixels are permuted, where that is crossed."""
        data = {**self.data, "permuted_pixels": 0} if PIXELS in cell.crossed else self.data
        if cell.images is None:
            return data
        draw_seed = (cell.draws + seed) % SEEDS
        draw = {"train": cell.images, "drawn_from": self.data["train"], "draw_seed": draw_seed}
        return {**data, **draw}

    def run(self, cell: Cell, seed: int) -> Run:
        """The run of a cell with a seed."""
        return Run(
            design=cell.design,
            recipe=cell.recipe,
            data=self.data_of(cell, seed),
            seed=seed,
            precision=self.precision,
            initial=cell.initial,
            copies=self.copies if cell.stacks else 1,
        )

    def places(self) -> tuple[tuple[Cell, int], ...]:
        """Each cell with each of its seeds: seed by seed, so that an interrupted study has whole
        blocks."""
        common, more = set(self.seeds), [set(cell.more_seeds) for cell in self.cells]
        return tuple(
            (cell, seed)
            for seed in self.all_seeds
            for cell, own in zip(self.cells, more, strict=True)
            if seed in common or seed in own
        )

    @property
    def count(self) -> int:
        """How many runs it has."""
        return sum(len(self.seeds_of(cell)) for cell in self.cells)

    def runs(self) -> tuple[Run, ...]:
        """All runs, in the order of their places."""
        return tuple(self.run(cell, seed) for cell, seed in self.places())

    def asked_by(self, *requests: StudyRequest) -> "Plan":
        """The same, made by requests one after the other; of each only what it asks for is kept."""
        kept = tuple(dict.fromkeys(map(without_local, requests)))
        lines = " && ".join(map(command_line, kept))
        return replace(self, requests=kept, command=lines, where=kept[0].data)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        asked = [{"command": command_of(type(each)), **given(each)} for each in self.requests]
        values = {**asdict(replace(self, requests=())), "requests": asked}
        for cell, told in zip(self.cells, values["cells"], strict=True):
            told["recipe"] = told_fields(cell.recipe)  # as in its runs
        if not self.probes:  # as in plans from before there were any
            del values["probes"]
        if self.copies == 1:  # the same
            del values["copies"]
        for cell in values["cells"]:
            if cell["initial"] is None:  # the same
                del cell["initial"]
        return values


def plan_from_dict(values: Any) -> Plan:
    """The plan that `Plan.as_dict` described. Fields that only newer versions have are left out.

    Raises:
        InputError: the values describe no plan; names the field.
    """
    read_value(Mapping[str, Any], values, "")
    _require_first(values)
    requests = _requests(values)
    grows = (Plan, Cell, DataSpec, Initial)
    where = read_value(DataSpec | None, values.get("where"), "where", grows)
    where = where or (requests[0].data if requests else None)
    plan = from_values(Plan, values, made={"requests": requests, "where": where}, grows=grows)
    _require_data(plan.data)
    _require_cells(plan)
    return plan


def _require_first(values: Mapping[str, Any]) -> None:
    """Check that designs and recipes have all fields that they have always had: a plan keeps them
    whole, and no default stands for what was lost."""
    cells = read_value(tuple[Mapping[str, Any], ...], values.get("cells"), "cells")
    for at, cell in enumerate(cells):
        for part, kinds in (("design", get_args(AnyDesign)), ("recipe", (Recipe,))):
            given = read_value(Mapping[str, Any], cell.get(part), f"cells[{at}].{part}")
            if not any(FIRST & set(hints(kind)) <= set(given) for kind in kinds):
                raise InputError(f"field 'cells[{at}].{part}' lacks fields that every {part} has")


def _require_data(data: Mapping[str, Any]) -> None:
    """Check what a plan says of its images, as far as it is read."""
    for name in ("name", "fingerprint"):
        read_value(str, data.get(name), f"data.{name}")
    for name in ("image_size", "classes", "train", "test"):
        read_value(Positive, data.get(name), f"data.{name}")


def _require_cells(plan: Plan) -> None:
    """Check that cells can be told apart, and are those of the experiment."""
    factors = _once("factors", [factor.name for factor in plan.factors])
    crossed = _once("crossed", [nuisance.name for nuisance in plan.crossed])
    if not _once("cells", [cell.name for cell in plan.cells]):
        raise InputError("field 'cells' is empty")
    if not _once("seeds", plan.seeds):
        raise InputError("field 'seeds' is empty")
    for at, cell in enumerate(plan.cells):
        if strange := _once(f"cells[{at}].made", cell.made or ()) - factors:
            name = in_short(next(iter(strange)))
            raise InputError(f"field 'cells[{at}].made' has {name}, which is none of the factors")
        if strange := _once(f"cells[{at}].crossed", cell.crossed) - crossed:
            name = in_short(next(iter(strange)))
            raise InputError(f"field 'cells[{at}].crossed' has {name}, which nothing crossed is")
        if plan.experiment == "comparison" and not cell.network:
            raise InputError(f"field 'cells[{at}].network' is empty")
    for order in plan.orders:
        if set(order) != factors:
            raise InputError(f"field 'orders' has {in_short(order)}, which are not the factors")


def _once(name: str, values: Sequence[Any]) -> set[Any]:
    """The values, of which none may be there twice."""
    if twice := [value for value, times in Counter(values).items() if times > 1]:
        raise InputError(f"field {name!r} has {in_short(twice[0])} twice")
    return set(values)


def _requests(values: Mapping[str, Any]) -> tuple[StudyRequest, ...]:
    """What a plan's values say was asked for; of files from before requests were kept, read from
    their command. Nothing where this version cannot read it."""
    kept = read_value(tuple[Mapping[str, Any], ...], values.get("requests", ()), "requests")
    asked: list[Any] = []
    with suppress(ValueError, KeyError, TypeError, SystemExit):
        for each in kept:
            options = {name: value for name, value in each.items() if name != "command"}
            asked.append(made(REQUESTS[each["command"]], options))
        if "requests" not in values:
            lines = filter(None, str(values.get("command", "")).split(" && "))
            asked += [read(shlex.split(line)[1:]).request for line in lines]
        return tuple(each for each in asked if isinstance(each, StudyRequest))
    return ()
