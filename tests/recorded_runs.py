"""Runs as records hold them, read back."""

from collections.abc import Mapping
from typing import Any

from nextify.designs import AnyDesign, Initial, Recipe, Run
from nextify.designs.fields import with_fields
from nextify.designs.values import read_value


def run_from_dict(values: Mapping[str, Any]) -> Run:
    """The run that `Run.as_dict` described."""
    given = {name: value for name, value in values.items() if name != "revision"}
    if initial := values.get("initial"):
        statistics = {name: tuple(initial[name]) for name in ("mean", "std")}
        given["initial"] = Initial(**{**initial, **statistics})
    design = read_value(AnyDesign, values["design"], "design")
    return Run(**{**given, "design": design, "recipe": with_fields(Recipe(), values["recipe"])})
