"""Commands study and compare: from a request to a plan, its runs and its report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nextify.commands.answering import best_answers
from nextify.commands.probing import fill_in, probes_asked, unkept_note
from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, load
from nextify.errors import InputError
from nextify.files import is_there, require_place, require_writable
from nextify.findings import sigma_of
from nextify.findings.looking import due, recorded_looks, tried
from nextify.probes import probes_by_word
from nextify.records import Plan, Record, Store
from nextify.report import write_report
from nextify.report.announce import (
    announced,
    announced_stacks,
    announced_weights,
    loss_note,
    pilot_note,
    recipes_of,
)
from nextify.report.notebook import Shown, View
from nextify.report.page import ReportFiles
from nextify.report.write import look, read_history, read_study
from nextify.requests import Choose, Compare, Runs, Study, StudyRequest, changed
from nextify.studies import (
    Crew,
    Forecast,
    Pilot,
    Summary,
    WorkerSetup,
    execute,
    forecast,
    gpus,
    neighbours,
    run_pilot,
)
from nextify.studies.kinds import Asked, kind_asked, kind_of
from nextify.studies.kinds.factors import frame_of, is_experiment, tuning_file
from nextify.studies.kinds.kind import copies_said, plan_there, stacks_for
from nextify.studies.kinds.settle import settled
from nextify.studies.kinds.tuning import plan_tuning
from nextify.studies.running.clusters import cluster, crew_on
from nextify.studies.running.execute import workers_on
from nextify.studies.running.probed import TrainProbed
from nextify.studies.running.progress import Progress, Show
from nextify.studies.running.worker import TrainStack, train_stack
from nextify.training.machine import default_device, default_precision
from nextify.training.memory import require_memory_for
from nextify.training.seen import require_fair
from nextify.words import duration, plural, read_numbers


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Planned(Shown):
    """What would be done.

    Attributes:
        plan, file: of the study. seconds: that it will take; None where nothing was timed.
        forecasts: of an experiment: its own, then those of the next cheaper and the next better.
    """

    plan: Plan
    file: Path
    seconds: float | None = None
    forecasts: tuple[Forecast, ...] = ()

    def _view(self, *, pictures: bool) -> View:
        takes = "" if self.seconds is None else f", about {duration(self.seconds)}"
        runs = plural(len(self.plan.places()), "run")
        return View([self.plan.title, f"{runs}{takes}, in {self.file}"])


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Studied(Shown):
    """What has been done.

    Attributes:
        file: of the study. summary: of this start. report: the files that were written.
    """

    file: Path
    summary: Summary
    report: ReportFiles

    @property
    def study(self) -> tuple[Plan, tuple[Record, ...]]:
        """The plan and all its records."""
        return read_study(self.file)

    @property
    def findings(self) -> Any:
        """What the study found: steps, contributions of factors, or a comparison."""
        plan, records = self.study
        kind = kind_of(plan)
        if kind.page == "factors":  # as the report has it, which was the look
            (view,) = look([self.file]).views
            return view.found
        return kind.findings(plan, records)

    @property
    def look(self) -> tuple[int, int] | None:
        """The planned look that it stopped for, and how many there are; None where it did not stop
        for one."""
        planned = due(read_history(self.file))
        reached = recorded_looks(*self.study, planned)
        return (reached, len(planned)) if 0 < reached < len(planned) else None

    def _view(self, *, pictures: bool) -> View:
        (figure, *_) = [each for each in self.report.figures if each.suffix == ".png"]
        said = [self.study[0].title, f"report: {self.report.html}"]
        return View(said, figure=figure.read_bytes() if pictures else None)


def study(request: Study | Compare, watch: Watch = QUIET) -> Planned | Studied:
    """Train what the study file does not have yet, and write the report.

    Returns:
        Planned: where the request asks for the plan alone.

    Raises:
        InputError: anything that cannot be carried out as asked.
        Interrupted: by Ctrl-C; what is recorded is kept, and the same call goes on.
    """
    with cluster(request.runs.cluster):
        return _study(request, watch)


def _study(request: Study | Compare, watch: Watch) -> Planned | Studied:
    runs = request.runs
    if isinstance(request, Study) and request.experiment.tune_rate and is_experiment(request):
        tune(request, watch)
    probes = tuple(probes_asked(runs.probes))  # before images, which take longer
    planned, setup, say = _planned(request, probes, watch)
    if runs.plan:
        _require_same(planned)
        return say()
    if runs.file is None or isinstance(request, Compare):
        require_place(planned.file.parent, "--file")
    if runs.report:
        require_writable(Path(runs.report), "--report")  # before the work, not after it
    plan = now = planned.plan
    if isinstance(request, Study) and (request.experiment.looks or _has_looks(planned.file)):
        watch.damage(planned.file, goes_on=True)
        now = _until_next_look(plan, planned.file, runs.retry_failed)
    summary = trained(runs, now, planned.file, setup, watch, say)
    if now.count < plan.count:  # what is to come at later looks is planned, too
        summary = replace(summary, planned=len({run.key for run in plan.runs()}))
    folder = Path(runs.report or report_folder(planned.file))
    report = write_report(planned.file, folder, answers=best_answers(planned.file, folder))
    return Studied(file=planned.file, summary=summary, report=report)


def _require_same(planned: Planned) -> None:
    """Check that the study file, where there is one, is of what is planned, and change nothing."""
    file = planned.file
    if is_there(file) and (not file.is_file() or file.stat().st_size):
        with Store.open(file, create=False) as store:
            store.require(planned.plan)


def tune(request: Study, watch: Watch) -> None:
    """Train every cell of an experiment at every rate, on held-out images, as far as that is not
    recorded and the study proper has not its rates already; with `--plan`, say what that takes."""
    images = load(request.data)
    file = _file(request, images.name)
    asked = asked_of(request, request.runs, images, file)
    spec = replace(request.data, hold_out=True, image_size=images.image_size)
    plan = plan_tuning(replace(asked, images=load(spec)))
    there, runs = asked.there, request.runs
    if there is not None and {c.on for c in plan.cells} <= {c.on for c in there.cells}:
        return
    place, setup = tuning_file(file), WorkerSetup(spec)
    watch.note(f"tuning in {place}: {len(plan.cells)} networks and rates, {plan.count} runs")
    if runs.plan:
        return
    if runs.file is None:
        require_place(place.parent, "--file")
    if not is_there(place):
        require_memory_for(plan)
    trained(replace(runs, keep_weights=False), plan, place, setup, watch)


def _has_looks(file: Path) -> bool:
    """Whether looks were planned for a study that goes on."""
    if is_there(file):
        with suppress(InputError):  # which whoever opens it to write says
            return bool(due(read_history(file)))
    return False


def _until_next_look(plan: Plan, file: Path, retry_failed: bool) -> Plan:
    """What is to be trained now: of a study with planned looks, what the next one waits for: runs
    that failed, too, if they are to be tried again.

    The whole plan is in the file before its first run.
    """
    with Store.open(file) as store:
        whole = store.save_plan(plan)
        planned, records = due(store.history()), store.records()
    reached = recorded_looks(whole, tried(records) if retry_failed else records, planned)
    if reached == len(planned):
        return plan
    return replace(plan, seeds=tuple(s for s in plan.seeds if s in whole.seeds[: planned[reached]]))


def _planned(
    request: Study | Compare, probes: tuple[str, ...], watch: Watch
) -> tuple[Planned, WorkerSetup, Callable[[], Planned]]:
    """The plan and how a worker loads the images; and what says how all is done, with a forecast
    where that is new: to be called once nothing can refuse the plan any more."""
    kind = kind_asked(request)
    spec = replace(request.data, hold_out=request.hold_out)
    images = load(spec)
    file = _file(request, images.name)
    asked = asked_of(request, request.runs, images, file)
    plan, setup = replace(kind.plan(asked), probes=probes), WorkerSetup(spec)
    is_new = request.runs.plan or not is_there(file)
    if is_new:
        require_memory_for(plan)
        require_fair([cell.initial.source for cell in plan.cells if cell.initial], images)

    def say() -> Planned:
        watch.images(images)
        watch.note(recipes_of(plan))
        for text in filter(None, (announced_weights(plan), announced_stacks(plan))):
            watch.note(text)
        planned = Planned(plan=plan, file=file)
        return _forecast(planned, asked, setup, watch) if is_new else planned

    return Planned(plan=plan, file=file), setup, say


def _forecast(planned: Planned, asked: Asked, setup: WorkerSetup, watch: Watch) -> Planned:
    """With the time that it will take and, of an experiment, with what it will tell."""
    request, plan = asked.request, planned.plan
    assert not isinstance(request, Choose)
    crew = crew_of(request.runs)
    workers = workers_of(request.runs, plan, crew)
    no_pilot = (request if isinstance(request, Compare) else request.experiment).no_pilot
    # A path's plan is its steps, which are told at once; an experiment's is what it takes.
    no_pilot = no_pilot or (request.runs.plan and kind_of(plan).page == "steps")
    pilot = None if no_pilot else timed(plan, setup, workers, watch, crew)
    planned = replace(planned, seconds=pilot.total(plan, workers) if pilot else None)
    if kind_of(plan).page == "factors":
        planned = replace(planned, forecasts=_forecasts(asked, plan, pilot, workers))
    if not request.runs.plan:
        watch.note(announced(plan, planned.seconds, planned.forecasts))
    return planned


def asked_of(request: StudyRequest, how: Runs | Choose, images: Dataset, file: Path) -> Asked:
    """What a plan is made from, with what the request leaves unsaid: the precision, mixed on a GPU,
    how many runs are trained at once, and how to train."""
    device, there = default_device(), plan_there(file)
    precision = how.precision or default_precision(device)
    stacks = stacks_for(how.copies or copies_said(there), device, images, there)
    request = changed(
        request,
        precision=None if precision == "float32" else precision,
        copies=None if stacks.most == 1 else stacks.most,
    )
    request = settled(request, len(images.train), images.image_size, there)
    return Asked(
        request=request, precision=precision, images=images, file=file, there=there, stacks=stacks
    )


def trained(
    how: Runs | Choose,
    plan: Plan,
    file: Path,
    setup: WorkerSetup,
    watch: Watch,
    say: Callable[[], object] | None = None,
) -> Summary:
    """Train what a study file does not have yet; first `say` what is to be said once nothing
    refuses it."""
    watch.damage(file, goes_on=True)
    there = plan_there(file)
    if there is not None:  # what was asked for before is asked for still
        plan = replace(plan, probes=tuple(dict.fromkeys((*there.probes, *plan.probes))))
    train, progress, retry = kind_of(plan).train, watch.progress(), how.retry_failed
    stacked: TrainStack = train_stack
    if plan.probes or how.keep_weights:
        train = TrainProbed(plan.probes, how.keep_weights)
        stacked = train.stack
    if say is not None:
        progress = _said_first(say, progress)
    summary = execute(
        plan, file, setup, train=train, train_stack=stacked, workers=how.workers,
        crew=crew_of(how, file), progress=progress, retry_failed=retry,
    )  # fmt: skip
    for loss in summary.losses:
        watch.note(loss_note(loss))
    if plan.probes:
        told = fill_in(file, probes_by_word(plan.probes), setup, watch, how.workers)
        if told.unkept:
            watch.note(unkept_note(told))
    return summary


@contextmanager
def _said_first(say: Callable[[], object], progress: Progress) -> Iterator[Show]:
    """Progress that begins with something else."""
    say()
    with progress as show:
        yield show


def crew_of(how: Runs | Choose, file: Path | None = None) -> Crew | None:
    """The crew of the cluster that is asked for, for the runs of a file; None: this machine's."""
    return crew_on(how.cluster, file, most=how.workers, cores=how.cores_per_run)


def workers_of(how: Runs | Choose, plan: Plan, crew: Crew | None) -> int:
    """How many runs, or stacks, of a plan are trained side by side."""
    return crew.seats if crew else how.workers or workers_on(plan, gpus())


def timed(
    plan: Plan, setup: WorkerSetup, workers: int, watch: Watch, crew: Crew | None
) -> Pilot | None:
    """The plan's pilot; None, and a note, where that takes too long, too."""
    what = "network" if plan.experiment == "comparison" else "design"
    watch.note(f"timing a few steps of each {what} ...")
    pilot = run_pilot(plan, setup, workers, crew)
    if note := pilot_note(plan, pilot, what):
        watch.note(note)
    return pilot


def report_folder(file: Path) -> Path:
    """Where a study's report goes by default: beside it, under its name."""
    return file.parent / f"{file.stem}-report"


def _file(request: Study | Compare, data_name: str) -> Path:
    """Where the study is kept; by default one file for all experiments on the same factors, so
    that one can extend another."""
    if request.runs.file:
        return Path(request.runs.file)
    held_out = "-held-out" * request.hold_out
    if isinstance(request, Study) and request.weights:
        held_out = f"-from-weights{held_out}"
    match request:
        case Compare():
            return Path(f"runs/compare-{data_name}{held_out}.study")
        case Study() if is_experiment(request):
            matched = request.experiment.matched
            equal = f"-equal-{matched}" if matched else ""
            tuned = "-tuned" * bool(request.experiment.tune_rate)
            name = f"{request.path}-{data_name}-factors{equal}{tuned}{held_out}"
            return Path(f"runs/{name}.study")
    return Path(f"runs/{request.path}-{data_name}{held_out}.study")


def _forecasts(asked: Asked, plan: Plan, pilot: Pilot | None, workers: int) -> tuple[Forecast, ...]:
    """The plan's forecast, then those of the next cheaper and the next better plan."""
    request = asked.request
    assert isinstance(request, Study) and asked.file is not None
    sigma = _sigma(request.experiment.sigma, asked.file)
    every = (plan, *neighbours(frame_of(asked), plan))
    return tuple(forecast(p, pilot=pilot, workers=workers, sigma=sigma) for p in every if p)


def _sigma(text: str | None, file: Path) -> float | None:
    """The spread between seeds in points: as given, or as the study file has it so far."""
    if text is not None:
        sigma, *others = read_numbers("--sigma", text)
        if others or not 0 < sigma <= 100:
            raise InputError(f"--sigma is {text!r}; give points of accuracy, as 0.4")
        return sigma
    if not is_there(file):
        return None
    with Store.open(file, create=False) as store:
        return sigma_of(store.plan(), store.records())
