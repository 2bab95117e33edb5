"""What is said before a study starts: what its plan costs and tells."""

from collections.abc import Mapping, Sequence

from nextify.records import Experiment, Plan
from nextify.studies import Forecast, Phase, Pilot
from nextify.studies.running.pilot import PASSES
from nextify.words import duration, plural

TELLS: dict[Experiment, str] = {
    "leave-one-out": "each factor undone at the end; nothing of how factors change each other",
    "add-one-in": "each factor made at the start; nothing of how factors change each other",
    "resolution-4": "contributions; of two-factor interactions only sums of several",
    "resolution-5": "contributions and every two-factor interaction",
    "full": "contributions and interactions of every order",
    "permutations": "contributions, from sampled orders",
    "augmented": "what its cells allow",
}


def announced(plan: Plan, seconds: float | None = None, forecasts: Sequence[Forecast] = ()) -> str:
    """A plan in one line."""
    if forecasts:
        of = forecasts[0]
        time = "" if of.seconds is None else f", about {duration(of.seconds)}"
        width = "" if of.half_width is None else f"; intervals of +- {half_width(of)}"
        return f"{of.cells} cells, {of.runs} runs{time}{width}"
    networks = len({cell.network for cell in plan.cells})
    numbers = len(plan.cells) // networks
    text = (
        f"{plural(networks, 'network')} x {plural(numbers, 'number')} of images x "
        f"{plural(len(plan.seeds), 'seed')} = {plural(len(plan.runs()), 'run')}"
    )
    return text if seconds is None else f"{text}, about {duration(seconds)}"


def announced_phase(phase: Phase) -> str:
    """A part of a choice in one line."""
    time = "" if phase.seconds is None else f", about {duration(phase.seconds)}"
    at_most = "at most " if phase.name == "finals" else ""
    counts = f"{plural(phase.networks, 'network')}, {plural(phase.runs, 'run')}"
    return f"{phase.name}: {at_most}{counts}{time}"


def left_out_note(reasons: Mapping[str, str]) -> str | None:
    """Networks of a screening that the budget does not allow, by name; None if there are none."""
    if not reasons:
        return None
    name, why = next(iter(reasons.items()))
    return f"{plural(len(reasons), 'network')} left out, the first {name}: {why}"


def half_width(of: Forecast) -> str:
    """Of a contribution's interval, in standard deviations and, where these are known, points."""
    if of.half_width is None:
        return "?"
    points = "" if of.points is None else f" = {of.points:.2f} points"
    return f"{of.half_width:.2f} sd{points}"


def pilot_note(plan: Plan, pilot: Pilot | None, what: str) -> str | None:
    """What a pilot could not time; None if it could time all."""
    if pilot is None:
        work = PASSES * sum(float(plan.work_of(c)) * len(plan.seeds_of(c)) for c in plan.cells)
        return (
            "timing skipped: even the first steps take longer than a pilot may (two minutes); by "
            f"their MACs all runs together make {work:.1e} multiply-accumulates"
        )
    if pilot.by_macs:
        return f"{plural(pilot.by_macs, what)} too dear to be timed, forecast by MACs"
    return None


def skipped_note(names: Sequence[str]) -> str:
    """How many unreadable images were left out."""
    return f"{plural(len(names), 'unreadable image')} left out, the first {names[0]}"
