"""From a path to a plan: which designs are trained, how, and on what."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextify.costs import cost
from nextify.designs import Design, Path, Precision, Recipe, Step, path, recipe
from nextify.designs.fields import read_fields
from nextify.designs.run import require_batch
from nextify.errors import InputError
from nextify.findings import measure_steps
from nextify.records import Cell, Plan
from nextify.requests import Experiment, Runs, Study
from nextify.study.kinds.kind import Asked, Kind


def plan_path(
    path: Path,
    *,
    data: Mapping[str, Any],
    data_source: str,
    seeds: Sequence[int],
    recipe_changes: Mapping[str, Any] | None = None,
    recipes: tuple[Recipe, Recipe] | None = None,
    precision: Precision = "float32",
) -> Plan:
    """A plan of every step of a path: the first with the recipe before, the others with the one
    after the recipe step.

    Args:
        data: `Dataset.identity()`; costs are counted for its image size and classes.
        data_source: one sentence on where the images come from, with their licence.
        seeds: one run of every step for each.
        recipe_changes: fields to change in both recipes.
        recipes: the two recipes, instead of those that the path names.

    Raises:
        InputError: no seeds, equal ones, or negative ones; images too small for a design; a
            recipe's field that is unknown or out of range; a batch larger than the data.
    """
    require_seeds(seeds)
    before, after = _recipes(path, recipe_changes or {}, recipes)
    for one in (before, after):
        require_batch(one, int(data["train"]))
    first, *others = path.steps
    cells = (_cell(first, before, data), *(_cell(step, after, data) for step in others))
    return Plan(
        name=path.name,
        title=f"From {path.start_name} by {len(path.choices)} design choices on {data['name']}",
        cells=cells,
        seeds=tuple(seeds),
        data=dict(data),
        data_source=data_source,
        precision=precision,
    )


def plan_of(asked: Asked) -> Plan:
    """The plan that a request asks for.

    Raises:
        InputError: as `plan_path` does, and for options of experiments.
    """
    request = asked.request
    assert isinstance(request, Study)
    _require_no_experiment(request.experiment)
    design_fields, recipe_fields = read_fields(request.changes, Design, Recipe)
    return plan_path(
        path(request.path).with_design_fields(design_fields),
        **asked.shared,
        seeds=seeds_of(request.runs),
        recipe_changes=recipe_fields,
    ).asked_by(request)


def seeds_of(runs: Runs) -> range:
    """The seeds that are asked for."""
    return range(runs.first_seed, runs.first_seed + runs.seeds)


def _require_no_experiment(options: Experiment) -> None:
    for name in ("factors", "matched", "target", "rates", "end_seeds", "sigma"):
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} belongs to an experiment; add "
                "--experiment resolution-5, say"
            )


def _recipes(
    path: Path, changes: Mapping[str, Any], given: tuple[Recipe, Recipe] | None
) -> tuple[Recipe, Recipe]:
    before, after = given or (recipe(path.recipes[0]), recipe(path.recipes[1]))
    return before.changed(changes), after.changed(changes)


def _cell(step: Step, trained: Recipe, data: Mapping[str, Any]) -> Cell:
    counted = cost(step.design, int(data["image_size"]), int(data["classes"]))
    return Cell(
        name=step.name,
        changed=step.changed,
        design=step.design,
        recipe_name=step.recipe,
        recipe=trained,
        params=counted.params,
        macs=counted.macs,
        paper=step.paper,
    )


def require_seeds(seeds: Sequence[int]) -> None:
    """Check seeds.

    Raises:
        InputError: none, equal ones, or one out of range.
    """
    if not seeds:
        raise InputError("no seeds are given; give at least one, such as 0")
    for at, seed in enumerate(seeds):
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise InputError(f"seed is {seed!r}; it must be a whole number from 0 to 2^63 - 1")
        if seed in seeds[:at]:
            raise InputError(f"seed {seed} is given twice; give every seed once")


PATH = Kind(name="path", plan=plan_of, findings=measure_steps, page="steps")
