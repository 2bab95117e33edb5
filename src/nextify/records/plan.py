"""`Plan`: which runs a study is made of, so that its records can be read without the code."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nextify.designs import Design, Paper, Precision, Recipe, Run
from nextify.designs.fields import with_fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One design under one recipe: trained once per seed.

    Attributes:
        name: of the step. changed: what it changed, in words.
        recipe_name: the recipe that `recipe` was made from.
        params, macs: of the design at the study's image size and number of classes.
        paper: the paper's numbers, where the cell is the paper's.
    """

    name: str
    changed: str
    design: Design
    recipe_name: str
    recipe: Recipe
    params: int
    macs: int
    paper: Paper | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The runs of a study: every cell with every seed.

    Attributes:
        name: of the path. title: for the report's head.
        data: `Dataset.identity()`: name, fingerprint, image_size, classes, train and test sizes.
        data_source: one sentence on where the images come from, with their licence.
        command: the command that makes and continues this study.
    """

    name: str
    title: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    data: Mapping[str, Any]
    data_source: str
    precision: Precision = "float32"
    command: str = ""

    def run(self, cell: Cell, seed: int) -> Run:
        """The run of a cell with a seed."""
        return Run(
            design=cell.design,
            recipe=cell.recipe,
            data=self.data,
            seed=seed,
            precision=self.precision,
        )

    def runs(self) -> tuple[Run, ...]:
        """All runs, seed by seed, so that an interrupted study has whole blocks."""
        return tuple(self.run(cell, seed) for seed in self.seeds for cell in self.cells)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def plan_from_dict(values: Mapping[str, Any]) -> Plan:
    """The plan that `Plan.as_dict` described."""
    cells = tuple(
        Cell(
            **{
                **cell,
                "design": with_fields(Design(), cell["design"]),
                "recipe": with_fields(Recipe(), cell["recipe"]),
                "paper": Paper(**cell["paper"]) if cell["paper"] else None,
            }
        )
        for cell in values["cells"]
    )
    return Plan(**{**values, "cells": cells, "seeds": tuple(values["seeds"])})
