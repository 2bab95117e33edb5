"""The command choose with candidates: a race, finals, and the winner's network."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nextify.commands.chosen import Chosen, Grounds, finished, grounds, piloted, run_on
from nextify.commands.watch import QUIET, Watch
from nextify.data import load
from nextify.records import Plan
from nextify.report.announce import announced_phase, recipes_of
from nextify.requests import Choose
from nextify.studies import Phase
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
    asked = race_of(on.asked, on.judged.identity(), on.judged.largest_class)
    settings = race_settings(asked)
    is_begun = on.begin(settings)
    on.show(watch)
    asked = _within(on, asked, watch)
    plan = plan_rates(asked)
    watch.note(recipes_of(plan))
    count = len(on.judged.train) + len(on.judged.test)
    if request.plan or not is_begun:
        require_memory_for(plan)
        found = phases_of(asked, *piloted(asked.request, plan, watch), count)
        if request.plan:
            return PlannedRace(
                race=asked,
                rates=plan.asked_by(asked.request),
                phases=found,
                images=count,
                settings=settings,
            )
        for phase in found:
            watch.note(announced_phase(phase))
    work = partial(carry_out_race, asked, folder, partial(run_on, request, watch))
    return finished(on, asked.request, settings, work, watch, anew=not is_begun)


def _within(on: Grounds, asked: Race, watch: Watch) -> Race:
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
