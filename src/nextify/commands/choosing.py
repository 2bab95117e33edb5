"""The command choose: from a budget to a design, its accuracy, and a trained network."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nextify.commands.at_work import AtWork
from nextify.commands.probing import probes_asked
from nextify.commands.studying import asked_of, show_images, timed, trained, workers_of
from nextify.commands.training import evaluate
from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, load
from nextify.data.subsets import whole
from nextify.errors import InputError
from nextify.files import is_there, read_json, require_writable, write_json
from nextify.findings import grid
from nextify.findings.choice import Choice, Finalist
from nextify.fitting import budgets_of
from nextify.records import Plan
from nextify.report.announce import (
    announced_judges,
    announced_path,
    announced_phase,
    announced_screening,
    announced_stacks,
    left_out_note,
    recipes_of,
)
from nextify.report.choice import words
from nextify.report.choice.figure import choice_figure
from nextify.report.choice.files import Shown, write_choice
from nextify.report.choice.words import HEAD, answer, as_fields, as_values, row
from nextify.report.details import learned_nothing
from nextify.report.evaluation.files import write_evaluation
from nextify.report.notebook import in_notebook
from nextify.report.page import ReportFiles
from nextify.requests import Choose, DataSpec, Evaluate, changed, command_line
from nextify.studies import (
    Outcome,
    Phase,
    Summary,
    Task,
    WorkerSetup,
    carry_out,
    left_out,
    phases,
    plan_screening,
)
from nextify.studies.kinds import Asked
from nextify.studies.kinds.choosing import (
    FINALS,
    MOST_SECONDS,
    SCREENING,
    settings_of,
    sharper,
    takes_too_long,
    task_of,
    total_seconds,
)
from nextify.studies.kinds.winner import train_winner
from nextify.studies.running.weights import weights_file
from nextify.training.folder import NETWORK
from nextify.training.memory import require_memory_for

_NAME, _PRINT = "'name' of the data", "'fingerprint' of the data"
_ANOTHER = "name another folder with --output"


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen(AtWork):
    """What has been chosen, and its network, ready for work.

    Attributes:
        choice: None if no run of the screening has a score.
        winner: of the network's training on all images; None where there is none.
        outcome: of both studies. folder: where all of it is.
        report: the files that were written; None without a choice.
    """

    choice: Choice | None
    winner: Mapping[str, Any] | None
    outcome: Outcome
    folder: Path
    report: ReportFiles | None

    def _repr_html_(self) -> str:
        if self.choice is None:
            return in_notebook(["no design can be chosen: no run of the screening has a score"])
        told, rows = answer(self.choice), [row(each) for each in self.choice.finalists]
        figure = choice_figure(self.choice, held_out=self.data is not None)
        return in_notebook(told, HEAD, rows, figure.png)

    @property
    def is_trained(self) -> bool:
        """Whether there is a network."""
        return self.winner is not None and self.winner["outcome"] == "finished"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        best = _best(self.choice) if self.winner else None
        return {
            "choice": self.choice and as_values(self.choice),
            "design": best and as_fields(best.design),
            "winner": self.winner,
            "folder": str(self.folder),
            "report": self.report and str(self.report.html),
            "failed": [asdict(each) for each in self.outcome.failures],
            "diverged": [asdict(each) for each in self.outcome.divergences],
        }


def choose(request: Choose, watch: Watch = QUIET) -> PlannedChoice | Chosen:
    """Screen the path's choices within the budget, let finalists compete, train the winner.

    Returns:
        PlannedChoice: where the request asks for the plan alone.

    Raises:
        InputError: anything that cannot be carried out as asked.
        KeyboardInterrupt: by Ctrl-C; what is recorded is kept, and the same call goes on.
    """
    ready = _ready(request)
    task, folder, judged = ready.task, ready.folder, ready.judged
    screening = plan_screening(task)
    if not request.plan:  # which writes nothing, and neither does what is refused
        require_writable(folder, "--output")
    if is_begun := is_there(folder / SCREENING):
        _require_same(folder, settings_of(task))
    ready.show(screening, watch)
    if request.plan or not is_begun:
        require_memory_for(screening)
        task, screening, found = _forecast(request, task, screening, judged, watch, is_begun)
        if note := left_out_note(left_out(task, screening.cells)):
            watch.note(note)
        if request.plan:
            return PlannedChoice(
                task=task,
                screening=screening.asked_by(task.request),
                phases=found,
                images=len(judged.train) + len(judged.test),
                settings=settings_of(task),
            )
        for phase in found:
            watch.note(announced_phase(phase))
    settings = settings_of(task)
    keep = partial(_keep, folder, {"command": command_line(task.request), "settings": settings})
    keep(None, anew=not is_begun)
    outcome = carry_out(task, folder, partial(_run, request, watch))
    chosen = _finish(request, outcome, ready.everything, folder, settings, watch)
    keep(chosen.as_dict())
    return chosen


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    """What a choice begins with.

    Attributes:
        images: of the request. held: what the screening trains and is judged on. judged: the
            same of the finals. folder: where all is kept.
    """

    images: Dataset
    held: Dataset
    judged: Dataset
    task: Task
    folder: Path

    def show(self, screening: Plan, watch: Watch) -> None:
        """Note what is chosen among, and by which images."""
        show_images(self.images, watch)
        watch.note(announced_path(self.task.frame.path))
        watch.note(recipes_of(screening))
        if text := announced_stacks(screening):
            watch.note(text)
        if self.judged is self.held:
            watch.note(announced_judges(self.images.origin.validation))

    def everything(self) -> Dataset:
        """What the network that is chosen is trained on, with the test images that it leaves."""
        if self.judged is self.held:
            return whole(self.held, self.images.test)
        return whole(self.images)


def _ready(request: Choose) -> _Ready:
    budgets_of(**asdict(request.budgets))  # before images, which take longer
    probes_asked(request.probes)
    images = load(request.data)
    folder = Path(request.output or f"runs/choose-{images.name}-{_budget_name(request)}")
    asked = asked_of(request, request, images, folder / SCREENING)
    settled = _with_hold_out(asked)
    asked = replace(asked, request=settled)
    held = _screened(asked)
    judged = held if settled.hold_out else images
    task = task_of(replace(asked, images=held), judged.identity(), judged.largest_class)
    return _Ready(images=images, held=held, judged=judged, task=task, folder=folder)


def _with_hold_out(asked: Asked) -> Choose:
    """The request; where the folder has images to choose by beside its test images, these judge the
    finals, too. A choice that goes on does it as it began."""
    request, there = asked.request, asked.there
    assert isinstance(request, Choose)
    if there is None:
        return changed(request, hold_out=request.hold_out or bool(asked.images.origin.validation))
    begun = any(isinstance(each, Choose) and each.hold_out for each in there.requests)
    return changed(request, hold_out=request.hold_out or begun)


def _screened(asked: Asked) -> Dataset:
    """The screening's images: a fifth of the training images to choose finalists by, so that the
    test images have not chosen who is judged by them. One that was begun before it was so goes on
    as it was."""
    images = asked.images
    if asked.there is not None and not asked.there.held_out:
        return images
    return load(replace(asked.request.data, hold_out=True, image_size=images.image_size))


def _setup(request: Choose, plan: Plan) -> WorkerSetup:
    size = int(plan.data["image_size"])
    return WorkerSetup(replace(request.data, hold_out=plan.held_out, image_size=size))


def _run(request: Choose, watch: Watch, plan: Plan, file: Path) -> Summary:
    watch.note(f"{file.stem}: {len(plan.cells)} networks, {plan.count} runs")
    plan = replace(plan, probes=tuple(probes_asked(request.probes)))
    return trained(request, plan, file, _setup(request, plan), watch)


def _finish(
    request: Choose,
    outcome: Outcome,
    everything: Callable[[], Dataset],
    folder: Path,
    settings: Mapping[str, Any],
    watch: Watch,
) -> Chosen:
    """Train the winner, if there is one, and write the report."""
    for each in (*outcome.failures, *outcome.divergences):
        watch.note(f"{each.step}, seed {each.seed}: {each.message}")
    for name, (plan, records) in outcome.studies.items():
        if nothing := learned_nothing(plan, grid(plan, records)):
            watch.note(f"{name}: {nothing}")
    choice, winner = outcome.choice, None
    if choice and (best := _best(choice)):
        finals = outcome.studies["finals"][0]
        but_test = " but the test images" if finals.held_out else ""
        watch.note(f"winner: {best.name} on all images{but_test}")
        with watch.steps() as shown:  # no epochs: their accuracies are of images that it has seen
            winner = train_winner(everything(), finals, choice, folder, shown.step, watch.note)
    is_trained, report = bool(winner and winner["outcome"] == "finished"), None
    is_untested = is_trained and outcome.studies["finals"][0].held_out
    file, data = folder / NETWORK if is_trained else None, request.data if is_untested else None
    if choice:
        where = folder / "report"
        page = _shown(request, choice, outcome, file, data, where)
        report = write_choice(choice, outcome.studies, settings, where, winner=winner, shown=page)
    return Chosen(
        choice=choice, winner=winner, outcome=outcome, folder=folder, report=report, file=file,
        data=data,
    )  # fmt: skip


def _shown(
    request: Choose,
    choice: Choice,
    outcome: Outcome,
    file: Path | None,
    data: DataSpec | None,
    folder: Path,
) -> Shown | None:
    """Write the page of a network's answers to images that it has not seen: the winner's, where
    some are left, else that of a network of its design which the finals kept. None: there is none.
    """
    if file is None:
        return None
    seed = None
    if data is None:
        finals, records = outcome.studies["finals"]
        at = [cell.name for cell in finals.cells].index(str(choice.winner))
        runs = [run for run in grid(finals, records)[at] if run and run.result]
        kept = {run.seed: weights_file(folder.parent / FINALS, run.key) for run in runs}
        seed = min((seed for seed, path in kept.items() if path.exists()), default=None)
        if seed is None:
            return None
        file = folder.parent / kept[seed].parent.name / kept[seed].name  # as the folder is named
        data = replace(request.data, image_size=int(finals.data["image_size"]))
    asked = Evaluate(network=str(file), data=data)
    shown = Shown(seed)
    content = replace(evaluate(asked).content, network=words.SHOWN, worth=shown.worth)
    write_evaluation(content, folder / "network")
    return shown


def _best(choice: Choice | None) -> Finalist | None:
    return choice.finalist(choice.winner) if choice and choice.winner else None


def _forecast(
    request: Choose, task: Task, screening: Plan, images: Dataset, watch: Watch, is_begun: bool
) -> tuple[Task, Plan, tuple[Phase, ...]]:
    """What the choice will take, with the screening that the time allows, where none is named."""
    workers, pilot = workers_of(request.workers, screening), None
    if not request.no_pilot:
        pilot = timed(screening, _setup(request, screening), workers, watch)
    count = len(images.train) + len(images.test)
    usual = phases(task, screening, pilot, workers, count)
    undecided = request.experiment is None and not is_begun
    more = sharper(task, request) if undecided else None
    if more is None:
        return task, screening, usual
    found = phases(*more, pilot, workers, count)
    if takes_too_long(found, usual):
        watch.note(
            announced_screening(
                screening, total_seconds(usual), (more[1], total_seconds(found)), MOST_SECONDS
            )
        )
        return task, screening, usual
    require_memory_for(more[1])
    watch.note(announced_screening(more[1], total_seconds(found), None, MOST_SECONDS))
    return *more, found


def _budget_name(request: Choose) -> str:
    given = asdict(request.budgets).items()
    words = "-".join(f"{name.replace('_', '-')}-{text}" for name, text in given if text)
    return words.replace("/", "_")


def _require_same(folder: Path, settings: Mapping[str, Any]) -> None:
    """Check that a folder holds no other choice."""
    remedy = f"remove it, which loses no run, or {_ANOTHER}"
    kept = read_json(folder / "choice.json", "choice", remedy)
    there = settings if kept is None else kept.get("settings")
    if not isinstance(there, dict):
        raise InputError(f"file {folder / 'choice.json'} is no choice; {remedy}")
    same_images = there.get(_PRINT) == settings.get(_PRINT)
    for name in {**settings, **there}:
        if name == _NAME and same_images:
            continue
        if there.get(name) != settings.get(name):
            raise InputError(
                f"folder {folder} holds another choice: {name} is {there.get(name)!r} there and "
                f"{settings.get(name)!r} here; {_ANOTHER}"
            )


def _keep(
    folder: Path, asked: Mapping[str, Any], answer: Mapping[str, Any] | None, anew: bool = False
) -> None:
    """Write what was asked, and the answer once there is one."""
    file = folder / "choice.json"
    if answer or anew or not is_there(file):
        write_json(file, {**asked, **(answer or {})})
