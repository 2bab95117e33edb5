"""The command choose: from a budget to a design, its accuracy, and a trained network."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nextify.commands.chosen import (
    Chosen,
    decided,
    finished,
    grounds,
    piloted,
    require_times,
    run_on,
)
from nextify.commands.probing import probes_asked
from nextify.commands.racing import PlannedRace, race
from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, load
from nextify.errors import InputError
from nextify.fitting import budgets_of
from nextify.records import Plan
from nextify.report.announce import (
    announced_effort,
    announced_path,
    announced_phase,
    announced_stacks,
    left_out_note,
    recipes_of,
)
from nextify.requests import Choose
from nextify.studies import Phase, Task, carry_out, left_out, phases, plan_screening
from nextify.studies.kinds.choosing import (
    SCREENING,
    at_effort,
    require_fast_enough,
    settings_of,
    task_of,
)
from nextify.studies.kinds.efforts import efforts, total_seconds
from nextify.studies.running.clusters import cluster
from nextify.training.memory import require_memory_for


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedChoice:
    """What would be done.

    Attributes:
        task: what is to be chosen. screening: the first study's plan. phases: of the work.
        images: that the winner is trained on. settings: what makes it another choice, in words.
    """

    task: Task
    screening: Plan
    phases: tuple[Phase, ...]
    images: int
    settings: Mapping[str, Any]


def choose(request: Choose, watch: Watch = QUIET) -> PlannedChoice | PlannedRace | Chosen:
    """Screen the path's choices within the budget, or race the candidates that are named; let
    finalists compete, train the winner.

    Returns:
        PlannedChoice, PlannedRace: where the request asks for the plan alone.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C; what is recorded is kept, and the same call goes on.
    """
    require_times(request)
    probes_asked(request.probes)
    with cluster(request.cluster):
        if request.candidates is not None:
            return race(request, watch)
        return _choose(request, watch)


def _choose(request: Choose, watch: Watch) -> PlannedChoice | Chosen:
    _require_budget(request)
    images = load(request.data)
    folder = Path(request.output or f"runs/choose-{images.name}-{_budget_name(request)}")
    on = grounds(request, images, folder, SCREENING)
    task = task_of(on.asked, on.judged.identity(), on.judged.largest_class)
    screening = plan_screening(task)
    is_begun = on.begin(settings_of(task))
    on.show(watch)
    watch.note(announced_path(task.frame.path))
    watch.note(recipes_of(screening))
    if (by := task.effort.shorten) > 1:
        watch.note(
            f"--shorten {by}: these are the screening's epochs, the finals take them {by} times"
        )
    if text := announced_stacks(screening):
        watch.note(text)
    if request.plan or not is_begun:
        require_memory_for(screening)
        task, screening, found = _forecast(request, task, screening, on.judged, watch, is_begun)
        if note := left_out_note(left_out(task, screening.cells)):
            watch.note(note)
    task = replace(task, latency=on.latency(watch))
    if not is_begun:
        require_fast_enough(task, screening)
    if request.plan:
        return PlannedChoice(
            task=task,
            screening=screening.asked_by(task.request),
            phases=found,
            images=len(on.judged.train) + len(on.judged.test),
            settings=settings_of(task),
        )
    if not is_begun:
        for phase in found:
            watch.note(announced_phase(phase))
    work = partial(carry_out, task, folder, partial(run_on, request, watch))
    return finished(on, task.request, settings_of(task), work, watch, anew=not is_begun)


def _require_budget(request: Choose) -> None:
    """Check the budgets before images are loaded, which takes longer."""
    budgets = asdict(request.budgets)
    if not any(budgets.values()):
        alone = f"--latency is {request.latency}, and no width follows from that alone"
        raise InputError(
            f"{alone if request.latency else 'no budget is given'}; give --params, --macs, "
            "--activation-memory or --like, or candidates with --from"
        )
    budgets_of(**budgets)


def _forecast(
    request: Choose, task: Task, screening: Plan, images: Dataset, watch: Watch, is_begun: bool
) -> tuple[Task, Plan, tuple[Phase, ...]]:
    """What the choice will take, with the effort that the time allows."""
    pilot, workers = piloted(request, screening, watch)
    count = len(images.train) + len(images.test)
    ways = [(task, screening)] if is_begun else list(_ways(request, task, screening))
    found = [phases(*way, pilot, workers, count, task.effort.shorten) for way in ways]
    at = 0 if is_begun else decided(request, found)
    task, screening = ways[at]
    if len(ways) > 1:
        times = [total_seconds(each) for each in found]
        plans = [plan for _, plan in ways]
        watch.note(announced_effort(plans, task.effort, times, at, request.within))
        require_memory_for(screening)
    return task, screening, found[at]


def _ways(request: Choose, task: Task, screening: Plan) -> Iterator[tuple[Task, Plan]]:
    """The choice with the efforts that it allows, the most thorough first: a screening of
    resolution V where it has more networks."""
    for effort in efforts(request):
        other = at_effort(task, effort)
        same = effort.experiment == screening.experiment
        if same and len(screening.seeds) == effort.seeds and task.effort.shorten == effort.shorten:
            yield other, screening
            continue
        try:
            plan = plan_screening(other)
        except InputError:  # the budget allows too few of its networks
            continue
        if same or len(plan.cells) > len(screening.cells):
            yield other, plan


def _budget_name(request: Choose) -> str:
    given = asdict(request.budgets).items()
    words = "-".join(f"{name.replace('_', '-')}-{text}" for name, text in given if text)
    return words.replace("/", "_")
