"""Runs as records hold them, read back."""

from collections.abc import Mapping
from typing import Any

from nextify.designs import Initial, Recipe, Run, design_from_dict
from nextify.designs.fields import with_fields


def run_from_dict(values: Mapping[str, Any]) -> Run:
    """The run that `Run.as_dict` described."""
    given = {name: value for name, value in values.items() if name != "revision"}
    if initial := values.get("initial"):
        statistics = {name: tuple(initial[name]) for name in ("mean", "std")}
        given["initial"] = Initial(**{**initial, **statistics})
    design = design_from_dict(values["design"])
    return Run(**{**given, "design": design, "recipe": with_fields(Recipe(), values["recipe"])})
