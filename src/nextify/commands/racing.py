"""The command choose with candidates: a race, finals, and the winner's network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nextify.commands.chosen import Chosen, Grounds, decided, finished, grounds, piloted, run_on
from nextify.commands.watch import QUIET, Watch
from nextify.data import load
from nextify.records import Plan
from nextify.report.announce import announced_familiar, announced_phase, recipes_of
from nextify.requests import Choose
from nextify.studies import Phase, Pilot
from nextify.studies.kinds.efforts import efforts, with_effort
from nextify.studies.kinds.racing import (
    RATES,
    Race,
    carry_out_race,
    phases_of,
    plan_rates,
    race_of,
    race_settings,
    without_slow,
)
from nextify.training.memory import require_memory_for
from nextify.training.seen import require_fair


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRace:
    """What would be done.

    Attributes:
        race: the candidates within the latency. rates: the first study's plan. phases: of the work.
        images: that the winner is trained on. settings: what makes it another choice, in words.
    """

    race: Race
    rates: Plan
    phases: tuple[Phase, ...]
    images: int
    settings: Mapping[str, Any]


def race(request: Choose, watch: Watch = QUIET) -> PlannedRace | Chosen:
    """Find each candidate's learning rate, race them, let finalists compete, train the winner.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C; what is recorded is kept, and the same call goes on.
    """
    images = load(request.data)
    folder = Path(request.output or f"runs/choose-{images.name}-{_short(request)}")
    on = grounds(request, images, folder, RATES)
    named = race_of(on.asked, on.judged.identity(), on.judged.largest_class)
    is_begun = on.begin(race_settings(named))
    on.show(watch)
    asked = _fast_enough(on, named, watch)
    plan = plan_rates(asked)
    watch.note(recipes_of(plan))
    if request.plan or not is_begun:
        sources = [each.initial.source for each in asked.networks if each.initial]
        if known := require_fair(sources, on.judged):
            watch.note(announced_familiar(known))
    count = len(on.judged.train) + len(on.judged.test)
    if request.plan or not is_begun:
        require_memory_for(plan)
        pilot, workers = piloted(asked.request, plan, watch)
        asked, found = _forecast(request, asked, pilot, workers, count, is_begun)
        if request.plan:
            return PlannedRace(
                race=asked,
                rates=plan.asked_by(asked.request),
                phases=found,
                images=count,
                settings=race_settings(replace(named, request=asked.request)),
            )
        for phase in found:
            watch.note(announced_phase(phase))
    work = partial(carry_out_race, asked, folder, partial(run_on, request, watch))
    settings = race_settings(replace(named, request=asked.request))
    return finished(on, asked.request, settings, work, watch, anew=not is_begun)


def _forecast(
    request: Choose, asked: Race, pilot: Pilot | None, workers: int, images: int, is_begun: bool
) -> tuple[Race, tuple[Phase, ...]]:
    """What the race will take, with the finals that the time allows."""
    ways = [asked]
    if not is_begun:
        ways = [replace(asked, request=with_effort(asked.request, e)) for e in efforts(request)]
    found = [phases_of(way, pilot, workers, images) for way in ways]
    at = 0 if is_begun else decided(request, found)
    return ways[at], found[at]


def _fast_enough(on: Grounds, asked: Race, watch: Watch) -> Race:
    """The candidates within the latency, where there is one."""
    latency = on.latency(watch)
    if latency is None:
        return asked
    latency.measure({each.name: each.design for each in asked.networks})
    return without_slow(asked, latency.known, latency.allowed)


_LETTERS = 60  # of a folder's name


def _short(request: Choose) -> str:
    names = [Path(name.strip()).name or name for name in str(request.candidates).split(",")]
    return "-".join(names).replace(":", "_")[:_LETTERS]
