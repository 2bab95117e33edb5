"""`Plan`: which runs a study is made of, so that its records can be read without the code."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from nextify.designs import AnyDesign, Factor, Paper, Precision, Recipe, Run, design_from_dict
from nextify.designs.fields import with_fields
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
        more_seeds: seeds of this cell beyond the plan's (the end cells of an experiment).
        network: in a comparison, what is compared: cells of one network differ in `images`.
        images: how many of the study's training images it is trained on, a draw of every seed's
            own (`nextify.data.drawn`); None: on all of them.
        recipe_name: the recipe that `recipe` was made from.
        params, macs: of the design at the study's image size and number of classes.
        paper: the paper's numbers, where the cell is the paper's.
    """

    name: str
    changed: str
    design: AnyDesign
    recipe_name: str
    recipe: Recipe
    params: int
    macs: int
    paper: Paper | None = None
    made: tuple[str, ...] | None = None
    rate: float = 1.0
    more_seeds: tuple[int, ...] = ()
    network: str = ""
    images: int | None = None


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
        matched: `"macs"` or `"params"` if widths were rescaled so that all cells cost the same.
        held_out: tested on a part of the training images, which no run trains on, to choose
            settings by; the test images are not looked at.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    data: Mapping[str, Any]
    data_source: str
    precision: Precision = "float32"
    command: str = ""
    experiment: Experiment = "path"
    factors: tuple[Factor, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    matched: Matched = ""
    held_out: bool = False
    where: DataSpec | None = None
    requests: tuple[StudyRequest, ...] = ()

    def seeds_of(self, cell: Cell) -> tuple[int, ...]:
        """The seeds that a cell is trained with."""
        return (*self.seeds, *(seed for seed in cell.more_seeds if seed not in self.seeds))

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
        """What identifies the images of a run: of a draw, all images and what was drawn."""
        if cell.images is None:
            return self.data
        draw = {"train": cell.images, "drawn_from": self.data["train"], "draw_seed": seed}
        return {**self.data, **draw}

    def run(self, cell: Cell, seed: int) -> Run:
        """The run of a cell with a seed."""
        return Run(
            design=cell.design,
            recipe=cell.recipe,
            data=self.data_of(cell, seed),
            seed=seed,
            precision=self.precision,
        )

    def places(self) -> tuple[tuple[Cell, int], ...]:
        """Each cell with each of its seeds: seed by seed, so that an interrupted study has whole
        blocks."""
        every = ((cell, seed) for seed in self.all_seeds for cell in self.cells)
        return tuple((cell, seed) for cell, seed in every if seed in self.seeds_of(cell))

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
        return {**asdict(replace(self, requests=())), "requests": asked}


def plan_from_dict(values: Mapping[str, Any]) -> Plan:
    """The plan that `Plan.as_dict` described.

    Raises:
        ValueError, KeyError, TypeError: the values describe no plan.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"a plan is a mapping, not {type(values).__name__}")
    found: dict[str, Any] = {
        "factors": tuple(Factor(f["name"], tuple(f["choices"])) for f in values.get("factors", ())),
        "orders": tuple(map(tuple, values.get("orders", ()))),
        "cells": tuple(map(_cell_from_dict, values["cells"])),
        "seeds": tuple(values["seeds"]),
        "requests": (requests := _requests(values)),
        "where": _where(values, requests),
    }
    return Plan(**{**_known(Plan, values), **found})


def _where(values: Mapping[str, Any], requests: Sequence[StudyRequest]) -> DataSpec | None:
    """Where the images are; of files that do not say it, where the first request said."""
    if values.get("where"):
        return DataSpec(**_known(DataSpec, values["where"]))
    return requests[0].data if requests else None


def _requests(values: Mapping[str, Any]) -> tuple[StudyRequest, ...]:
    """What a plan's values say was asked for; of files from before requests were kept, read from
    their command. Nothing where this version cannot read it."""
    asked: list[Any] = []
    with suppress(InputError, KeyError, SystemExit):
        for each in values.get("requests", ()):
            options = {name: value for name, value in each.items() if name != "command"}
            asked.append(made(REQUESTS[each["command"]], options))
        if "requests" not in values:
            lines = filter(None, str(values.get("command", "")).split(" && "))
            asked += [read(shlex.split(line)[1:]).request for line in lines]
        return tuple(each for each in asked if isinstance(each, StudyRequest))
    return ()


def _known(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the fields that only newer versions have."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _cell_from_dict(values: Mapping[str, Any]) -> Cell:
    made = values.get("made")
    found = {
        "design": design_from_dict(values["design"]),
        "recipe": with_fields(Recipe(), values["recipe"]),
        "paper": Paper(**values["paper"]) if values["paper"] else None,
        "made": None if made is None else tuple(made),
        "more_seeds": tuple(values.get("more_seeds", ())),
    }
    return Cell(**{**_known(Cell, values), **found})
