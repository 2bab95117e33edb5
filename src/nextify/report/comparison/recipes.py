"""The recipes of a comparison: what all share in one table, what differs in another."""

from collections.abc import Mapping
from dataclasses import dataclass

from nextify.records import Plan
from nextify.report import details
from nextify.report.details import Setting
from nextify.words import listed, whole


@dataclass(frozen=True, slots=True)
class DifferingRecipe:
    """A recipe, what was trained with it, and its settings in which it may differ from others."""

    name: str
    used_by: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class SplitRecipes:
    """Recipes by field.

    Attributes:
        shared: settings that are the same in all, by name. differing: names of the others.
        recipes: each with its values of `differing`, in the same order.
    """

    shared: Mapping[str, Setting]
    differing: tuple[str, ...]
    recipes: tuple[DifferingRecipe, ...]


def split_recipes(plan: Plan) -> SplitRecipes:
    """Tell what a plan's recipes share from what they differ in."""
    used = details.recipes(plan)
    first = used[0].settings
    same = [name for name in first if len({each.settings[name] for each in used}) == 1]
    differing = tuple(name for name in first if name not in same)
    return SplitRecipes(
        shared={name: first[name] for name in same},
        differing=differing,
        recipes=tuple(
            DifferingRecipe(
                each.name, _used_by(plan, cells), tuple(each.settings[name] for name in differing)
            )
            for each, cells in zip(used, details.by_recipe(plan).values(), strict=True)
        ),
    )


def _used_by(plan: Plan, cells: list[int]) -> str:
    """Networks with their numbers of images; those with the same numbers together."""
    numbers: dict[str, list[int]] = {}
    for at in cells:
        cell = plan.cells[at]
        numbers.setdefault(cell.network, []).append(plan.images_of(cell))
    networks: dict[tuple[int, ...], list[str]] = {}
    for network, images in numbers.items():
        networks.setdefault(tuple(sorted(images)), []).append(network)
    every = len({cell.network for cell in plan.cells})
    return "; ".join(
        f"{_names(names, every)} on {listed([whole(number) for number in images])} images"
        for images, names in networks.items()
    )


def _names(names: list[str], every: int) -> str:
    return "all networks" if len(names) == every > 1 else listed(names)
