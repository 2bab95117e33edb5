"""The recipes of a comparison: what all share in one table, what differs in another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nextify.records import Cell, Plan
from nextify.report import details
from nextify.report.details import Setting, UsedRecipe
from nextify.words import listed, whole


@dataclass(frozen=True, slots=True)
class SplitRecipes:
    """Recipes by field.

    Attributes:
        shared: settings that are the same in all, by name. differing: names of the others.
        recipes: each with the networks and numbers of images that used it.
    """

    shared: Mapping[str, Setting]
    differing: tuple[str, ...]
    recipes: tuple[UsedRecipe, ...]


def split_recipes(plan: Plan) -> SplitRecipes:
    """Tell what a plan's recipes share from what they differ in."""
    used = details.recipes(plan)
    first = used[0].settings
    differing = [name for name in first if len({each.settings[name] for each in used}) > 1]
    cells = details.by_recipe(plan).values()
    return SplitRecipes(
        shared={name: setting for name, setting in first.items() if name not in differing},
        differing=tuple(differing),
        recipes=tuple(
            replace(each, steps=_users(plan, [plan.cells[at] for at in own]))
            for each, own in zip(used, cells, strict=True)
        ),
    )


def _users(plan: Plan, cells: list[Cell]) -> str:
    """Networks with their numbers of images; those with the same numbers together."""
    numbers: dict[str, list[int]] = {}
    for cell in cells:
        numbers.setdefault(cell.network, []).append(plan.images_of(cell))
    networks: dict[str, list[str]] = {}
    for network, images in numbers.items():
        networks.setdefault(listed(list(map(whole, sorted(images)))), []).append(network)
    every = len({cell.network for cell in plan.cells})
    return "; ".join(
        f"{'all networks' if len(names) == every > 1 else listed(names)} on {images} images"
        for images, names in networks.items()
    )
