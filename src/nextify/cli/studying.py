"""The commands study and compare."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nextify.cli.attributing import attributed_values, print_attributed
from nextify.cli.show import file_values, note, print_json, print_table, say
from nextify.commands import blocks
from nextify.commands.studying import Planned, Studied, study
from nextify.commands.watch import ON_STDERR
from nextify.designs import Factor
from nextify.designs.fields import written
from nextify.findings import grid
from nextify.records import Cell, Plan
from nextify.report.announce import TELLS, announced, half_width, stopped_for
from nextify.report.cells import comparison_content, headline
from nextify.report.details import learned_nothing, unlearned
from nextify.requests import Compare, Study
from nextify.studies import Forecast
from nextify.studies.kinds import kind_of
from nextify.words import duration


def run(request: Study | Compare, as_json: bool) -> int:
    """Carry out study or compare."""
    if isinstance(request, Study) and request.more_data:
        return _on_each(request, as_json)
    match study(request, ON_STDERR):
        case Planned() as planned:
            _show_plan(planned, as_json)
            return 0
        case Studied() as done:
            if as_json:
                plan, records = done.study
                nothing = {"learned_nothing": unlearned(plan, grid(plan, records))}
                values = {"study": str(done.file), **file_values(done.report)}
                look = {"stopped_for_look": done.look[0]} if done.look else {}
                print_json({**asdict(done.summary), **look, **nothing, **values})
            else:
                _say(done, isinstance(request, Compare))
            return 1 if done.summary.failures else 0


def _on_each(request: Study, as_json: bool) -> int:
    """Carry out an experiment on several data sets."""
    done = blocks.study(request, ON_STDERR)
    if not isinstance(done, blocks.Blocks):
        if as_json:
            print_json({"plans": [_plan_values(each) for each in done]})
        for planned in () if as_json else done:
            _show_plan(planned, False)
        return 0
    if as_json:
        studies = [{**asdict(each.summary), "study": str(each.file)} for each in done.studies]
        print_json({"summaries": studies, **attributed_values(done.general)})
    else:
        for each in done.studies:
            _say(each, False)
        print_attributed(done.general)
    return 1 if any(each.summary.failures for each in done.studies) else 0


def _say(done: Studied, is_comparison: bool) -> None:
    summary = done.summary
    for setback in (*summary.failures, *summary.divergences):
        note(f"{setback.step}, seed {setback.seed}: {setback.message}")
    say(
        f"{summary.done} of {summary.planned} runs recorded in {done.file} "
        f"({summary.failed} failed, {summary.diverged} diverged in this start)"
    )
    if done.look:
        say(stopped_for(*done.look))
    plan, records = done.study
    if nothing := learned_nothing(plan, grid(plan, records)):
        say(nothing)
    say(f"report: {done.report.html}")
    if is_comparison:  # what the report begins with
        for text in headline(comparison_content(*done.study)):
            say(text)


def _show_plan(planned: Planned, as_json: bool) -> None:
    plan = planned.plan
    if as_json:
        print_json(_plan_values(planned))
        return
    match kind_of(plan).page:
        case "steps":
            _show_steps(plan, planned.seconds)
        case "comparison":
            _show_networks(plan, planned.seconds)
        case "factors":
            _show_factors(plan, planned.forecasts)


def _plan_values(planned: Planned) -> dict[str, Any]:
    """A plan and what is forecast of it, for JSON."""
    plan, found = planned.plan, planned.forecasts
    match kind_of(plan).page:
        case "steps":
            return plan.as_dict()
        case "comparison":
            return {"plan": plan.as_dict(), "seconds": planned.seconds}
    first, *others = ({**asdict(each), "tells": TELLS[each.experiment]} for each in found)
    return {"plan": plan.as_dict(), "forecast": first, "others": others}


def _show_steps(plan: Plan, seconds: float | None) -> None:
    rows = [
        [cell.name, cell.changed, cell.recipe_name, f"{cell.params:,}", f"{cell.macs / 1e6:,.2f}"]
        for cell in plan.cells
    ]
    print_table(["step", "what changed", "recipe", "params", "M MACs"], rows)
    say(f"\n{announced(plan, seconds)}")


def print_factors(factors: Sequence[Factor]) -> None:
    """A row a factor."""
    rows = [[str(at), f.name, " + ".join(f.choices)] for at, f in enumerate(factors, start=1)]
    print_table(["", "factor", "choices"], rows)


def _show_factors(plan: Plan, found: Sequence[Forecast]) -> None:
    """The factors, what the plan will cost and tell, and the plans beside it."""
    print_factors(plan.factors)
    for each in plan.crossed:
        say(f"crossed with them: {each.name}, {' and '.join(each.settings)}")
    macs = [cell.macs / 1e6 for cell in plan.cells]
    params = [cell.params for cell in plan.cells]
    say(
        f"\nnetworks of {min(params):,} to {max(params):,} parameters, "
        f"{min(macs):,.2f} to {max(macs):,.2f} M MACs\n"
    )
    rows = [
        [of.experiment, str(of.cells), str(of.seeds), str(of.runs), time_in_words(of.seconds),
         half_width(of), TELLS[of.experiment]]
        for of in found
    ]  # fmt: skip
    print_table(["plan", "cells", "seeds", "runs", "time", "half-width", "tells"], rows)
    known = "" if found[0].points is not None else "; --sigma POINTS states it in points"
    say(
        "\nhalf-width: of the simultaneous 95 % interval of a factor's contribution; "
        f"sd: the standard deviation between seeds{known}"
    )


def time_in_words(seconds: float | None) -> str:
    """What a pilot found, if there was one."""
    return "?" if seconds is None else duration(seconds)


def _show_networks(plan: Plan, seconds: float | None) -> None:
    largest = max(plan.images_of(cell) for cell in plan.cells)
    rows = [
        [cell.network, _in_words(cell.design), f"{cell.params:,}", f"{cell.macs / 1e6:,.2f}",
         cell.recipe_name, f"{cell.recipe.learning_rate:g}"]
        for cell in plan.cells
        if plan.images_of(cell) == largest
    ]  # fmt: skip
    print_table(["network", "design", "params", "M MACs", "recipe", "learning rate"], rows)
    say("")
    _print_updates(plan)
    say(f"\n{announced(plan, seconds)}")


def _print_updates(plan: Plan) -> None:
    """A row a number of images where all networks are trained alike, else one a network, too."""
    rows = dict.fromkeys((cell.network, *_updates(plan, cell)) for cell in plan.cells)
    alike = dict.fromkeys(row[1:] for row in rows)
    head = ["training images", "epochs", "updates"]
    if len(alike) == len({images for images, *_ in alike}):
        print_table(head, alike)
    else:
        print_table(["network", *head], rows)


def _updates(plan: Plan, cell: Cell) -> tuple[str, str, str]:
    images, how = plan.images_of(cell), cell.recipe
    return f"{images:,}", str(how.epochs), f"{how.epochs * (images // how.batch_size):,}"


_SIZES = ("patch_size", "width", "widths", "depth", "depths", "heads", "window")


def _in_words(of: Any) -> str:
    """The sizes of a design.

    >>> from nextify.designs import design
    >>> _in_words(design("vit-mini"))
    'patch_size=4 width=24 depth=4 heads=3'
    """
    values = asdict(of)
    return " ".join(f"{name}={written(values[name])}" for name in _SIZES if name in values)
