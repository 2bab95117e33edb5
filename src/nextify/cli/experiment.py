"""Experiments on a path's choices: from options to a plan, and the plan's forecast."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextify.cli.show import print_json, print_table, say
from nextify.cli.timing import timed
from nextify.designs import Path as ChoicePath
from nextify.designs import read_factors
from nextify.errors import InputError
from nextify.files import is_there
from nextify.records import Plan, Store
from nextify.words import hours_and_minutes, read_count

if TYPE_CHECKING:
    from nextify.study import Forecast, Frame, Setup

# Options that only experiments have, with their defaults.
_ONLY_EXPERIMENTS = {
    "factors": None, "matched": None, "target": None, "rates": None, "end_seeds": None,
    "fold_over": None, "add_cells": None, "sigma": None,
}  # fmt: skip


def is_experiment(options: Namespace) -> bool:
    """Whether the options ask for an experiment, not for the path's steps.

    Raises:
        InputError: for an option of experiments without one.
    """
    if options.experiment != "path" or options.fold_over or options.add_cells:
        return True
    for name, default in _ONLY_EXPERIMENTS.items():
        if getattr(options, name) != default:
            raise InputError(
                f"--{name.replace('_', '-')} belongs to an experiment; add "
                "--experiment resolution-5, say"
            )
    return False


def default_file(options: Namespace, data_name: str) -> str:
    """One file for all experiments on the same factors, so that one can extend another."""
    matched = f"-equal-{options.matched}" if options.matched else ""
    return f"runs/{options.path}-{data_name}-factors{matched}.study"


def planned(
    options: Namespace, path: ChoicePath, shared: Mapping[str, Any]
) -> "tuple[Frame, Plan]":
    """The frame and the plan of an experiment.

    Args:
        shared: data, data_source, seeds, recipe_changes, precision, command.
    """
    from nextify.study import END_SEEDS, frame, plan_experiment

    made = frame(
        path,
        **shared,
        factors=read_factors(options.factors, path) if options.factors else None,
        matched=options.matched or "",
        target=None if options.target is None else read_count("--target", options.target),
        rates=_numbers("--rates", options.rates) if options.rates else (1.0,),
        end_seeds=END_SEEDS if options.end_seeds is None else options.end_seeds,
    )
    if options.target is not None and options.matched is None:
        raise InputError("--target is what all networks shall cost; add --matched macs or params")
    if options.fold_over or options.add_cells or options.experiment == "augmented":
        return made, _more(options, made)
    return made, plan_experiment(made, options.experiment, orders=options.orders)


def _more(options: Namespace, made: "Frame") -> Plan:
    """The experiment that the study file has, with more cells where they are asked for."""
    from nextify.study import plan_again, plan_more

    if options.fold_over and options.add_cells:
        raise InputError("--fold-over and --add-cells are two ways; give one of them")
    file = Path(options.file or default_file(options, str(made.data["name"])))
    with Store.open(file, create=False) as store:
        there = store.plan()
    # The same command again goes on with the cells that it added.
    if made.command in there.command.split(" && ") or options.experiment == "augmented":
        return plan_again(made, there)
    fold = None if options.fold_over in (None, "all") else options.fold_over
    return plan_more(made, there, cells=options.add_cells, fold=fold)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} is {text!r}; give numbers, as 0.5,1,2") from None


def forecasts(
    options: Namespace, of: "Frame", plan: Plan, setup: "Setup", file: Path, workers: int
) -> "list[Forecast]":
    """The plan's forecast, then those of the next cheaper and the next better plan."""
    from nextify.study import forecast, neighbours

    sigma = _sigma(options, file)
    pilot = timed(options, plan, setup, workers, "design")
    others = [other for other in neighbours(of, plan) if other is not None]
    return [forecast(each, pilot=pilot, workers=workers, sigma=sigma) for each in (plan, *others)]


def _sigma(options: Namespace, file: Path) -> float | None:
    """The spread between seeds in points: as given, or as the study file has it so far."""
    from nextify.study import sigma_of

    if options.sigma is not None:
        (sigma,) = _numbers("--sigma", options.sigma)[:1]
        if not 0 < sigma <= 100:
            raise InputError(f"--sigma is {options.sigma!r}; give points of accuracy, as 0.4")
        return sigma
    if not is_there(file):
        return None
    with Store.open(file, create=False) as store:
        return sigma_of(store.plan(), store.records())


def announced(of: "Forecast") -> str:
    """A plan in one line, for the start of its study."""
    time = "" if of.seconds is None else f", about {hours_and_minutes(of.seconds)}"
    width = "" if of.half_width is None else f"; intervals of +- {_width(of)}"
    return f"{of.cells} cells, {of.runs} runs{time}{width}"


def show_plan(plan: Plan, found: "list[Forecast]", as_json: bool) -> None:
    """The factors, what the plan will cost and tell, and the plans beside it."""
    if as_json:
        values = [each.as_dict() for each in found]
        print_json({"plan": plan.as_dict(), "forecast": values[0], "others": values[1:]})
        return
    rows = [[str(at), f.name, " + ".join(f.choices)] for at, f in enumerate(plan.factors, start=1)]
    print_table(["", "factor", "choices"], rows)
    say("")
    macs = [cell.macs for cell in plan.cells]
    params = [cell.params for cell in plan.cells]
    say(
        f"networks of {min(params):,} to {max(params):,} parameters, "
        f"{min(macs) / 1e6:,.2f} to {max(macs) / 1e6:,.2f} M MACs\n"
    )
    print_table(
        ["plan", "cells", "seeds", "runs", "time", "half-width", "tells"],
        [_row(each) for each in found],
    )
    say(_explained(found[0]))


def _row(each: "Forecast") -> list[str]:
    return [
        each.experiment,
        str(each.cells),
        str(each.seeds),
        str(each.runs),
        "?" if each.seconds is None else hours_and_minutes(each.seconds),
        _width(each),
        each.tells,
    ]


def _width(each: "Forecast") -> str:
    if each.half_width is None:
        return "?"
    points = "" if each.points is None else f" = {each.points:.2f} points"
    return f"{each.half_width:.2f} sd{points}"


def _explained(of: "Forecast") -> str:
    known = "" if of.points is not None else "; --sigma POINTS states it in points"
    return (
        "\nhalf-width: of the simultaneous 95 % interval of a factor's contribution; "
        f"sd: the standard deviation between seeds{known}"
    )
