"""What all choices have in common: their images, their folder, and the network at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from nextify.commands.answering import evaluation_of, write_answers
from nextify.commands.at_work import AtWork
from nextify.commands.probing import probes_asked
from nextify.commands.studying import (
    asked_of,
    crew_of,
    timed,
    trained,
    workers_of,
)
from nextify.commands.watch import Watch
from nextify.data import Dataset, load
from nextify.data.subsets import whole
from nextify.errors import InputError
from nextify.files import is_there, read_json, require_writable, write_json
from nextify.findings import grid
from nextify.findings.choice import Choice, Finalist
from nextify.records import Plan
from nextify.report.announce import announced_judges, announced_latency
from nextify.report.choice import words
from nextify.report.choice.figure import choice_figure
from nextify.report.choice.files import write_choice
from nextify.report.choice.words import answer, as_fields, as_values, head, row
from nextify.report.details import learned_nothing
from nextify.report.evaluation.words import Answers
from nextify.report.notebook import View
from nextify.report.page import ReportFiles
from nextify.requests import Choose, DataSpec, Evaluate, changed, command_line
from nextify.studies import Outcome, Pilot, Summary, WorkerSetup
from nextify.studies.kinds import Asked
from nextify.studies.kinds.choosing import FINALS, SCREENING
from nextify.studies.kinds.efforts import Phase, suited, total_seconds
from nextify.studies.kinds.frame import size_of
from nextify.studies.kinds.latency import Latency
from nextify.studies.kinds.racing import RATES
from nextify.studies.kinds.winner import train_winner
from nextify.studies.running.weights import first_kept
from nextify.training.folder import NETWORK
from nextify.words import duration, read_seconds

_NAME, _PRINT = "'name' of the data", "'fingerprint' of the data"
_ANOTHER = "name another folder with --output"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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

    def _view(self, *, pictures: bool) -> View:
        choice = self.choice
        if choice is None:
            return View(["no design can be chosen: no run of the screening has a score"])
        rows = [row(choice, each) for each in choice.finalists]
        held_out = self.data is not None
        figure = choice_figure(choice, held_out=held_out).png if pictures else None
        return View(answer(choice), head(choice), rows, figure)

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Grounds:
    """What a choice is made on.

    Attributes:
        asked: with its images those that finalists are chosen by. images: of the request. judged:
            what the finals train on and are judged by. folder: where all is kept.
    """

    asked: Asked
    images: Dataset
    judged: Dataset
    folder: Path

    @property
    def request(self) -> Choose:
        """As it is settled."""
        assert isinstance(self.asked.request, Choose)
        return self.asked.request

    def begin(self, settings: Mapping[str, Any]) -> bool:
        """Check that the folder can be written, unless that is for nothing, and holds no other
        choice; whether this one was begun."""
        if not self.request.plan:
            require_writable(self.folder, "--output")
        is_begun = any(is_there(self.folder / first) for first in (SCREENING, RATES))
        if is_begun:
            _require_same(self.folder, settings)
        return is_begun

    def show(self, watch: Watch) -> None:
        """Note by which images is chosen."""
        watch.images(self.images)
        if self.request.hold_out:
            watch.note(announced_judges(self.images.origin.validation))

    def everything(self) -> Dataset:
        """What the network that is chosen is trained on, with the test images that it leaves."""
        if self.request.hold_out:
            return whole(self.judged, self.images.test)
        return whole(self.images)

    def latency(self, watch: Watch) -> Latency | None:
        """What measures latencies and keeps them in the folder; None where none is asked for."""
        if self.request.latency is None:
            return None
        allowed = read_seconds("--latency", self.request.latency)
        file = self.folder / "latency.json"
        if self.asked.there is None and not self.request.plan:
            file.unlink(missing_ok=True)  # of what was refused, which may have been other networks
        return Latency(
            allowed=allowed,
            size=size_of(self.judged.identity()),
            file=None if self.request.plan else file,
            on_measured=lambda name, took: watch.note(announced_latency(name, took, allowed)),
        )


def grounds(request: Choose, images: Dataset, folder: Path, first: str) -> Grounds:
    """The grounds of a choice.

    Args:
        first: the name of the first study file.
    """
    asked = asked_of(request, request, images, folder / first)
    asked = replace(asked, request=_with_hold_out(asked))
    held = _screened(asked)
    judged = held if asked.request.hold_out else images
    return Grounds(asked=replace(asked, images=held), images=images, judged=judged, folder=folder)


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


def _setup_of(request: Choose, plan: Plan) -> WorkerSetup:
    size = int(plan.data["image_size"])
    return WorkerSetup(replace(request.data, hold_out=plan.held_out, image_size=size))


def piloted(request: Choose, plan: Plan, watch: Watch) -> tuple[Pilot | None, int]:
    """A plan's pilot, if it is to have one, and how many of its runs are trained side by side."""
    crew = crew_of(request)
    workers = workers_of(request, plan, crew)
    if request.no_pilot:
        return None, workers
    return timed(plan, _setup_of(request, plan), workers, watch, crew), workers


def require_times(request: Choose) -> None:
    """Check the times of a request before images are loaded, which takes longer."""
    if request.latency is not None:
        read_seconds("--latency", request.latency)
    if request.within is not None:
        _most(request.within)
        if request.no_pilot:
            raise InputError(
                f"--within is {request.within}, and how long a choice takes is told by a pilot; "
                "leave out --no-pilot"
            )


def _most(within: str) -> float:
    return read_seconds("--within", within, "90min or 2h")


def decided(request: Choose, found: Sequence[Sequence[Phase]]) -> int:
    """Which of some choices, the most thorough first, is made by the time that it takes.

    Raises:
        InputError: all take longer than is asked for.
    """
    at = suited(found, None if request.within is None else _most(request.within))
    if at is not None:
        return at
    least = total_seconds(found[-1])
    about = "cannot be told: a step of training takes too long to be timed"
    if least is not None:
        about = f"is about {duration(least)}; give that, or less to do: epochs=N, --train-limit N"
        about += "" if request.candidates else ", fewer --factors"
    raise InputError(f"--within is {request.within}, and the least that this choice takes {about}")


def run_on(request: Choose, watch: Watch, plan: Plan, file: Path) -> Summary:
    watch.note(f"{file.stem}: {len(plan.cells)} networks, {plan.count} runs")
    plan = replace(plan, probes=tuple(probes_asked(request.probes)))
    return trained(request, plan, file, _setup_of(request, plan), watch)


def finished(
    on: Grounds,
    request: Choose,
    settings: Mapping[str, Any],
    work: Callable[[], Outcome],
    watch: Watch,
    *,
    anew: bool,
) -> Chosen:
    """Carry out the studies, train the winner, if there is one, and write the report.

    Args:
        request: that the command follows from. work: carries out the studies.
    """
    keep = partial(_keep, on.folder, {"command": command_line(request), "settings": settings})
    keep(None, anew=anew)
    chosen = _finish(on, work(), settings, watch)
    keep(chosen.as_dict())
    return chosen


def _finish(on: Grounds, outcome: Outcome, settings: Mapping[str, Any], watch: Watch) -> Chosen:
    """Train the winner, if there is one, and write the report."""
    for each in (*outcome.failures, *outcome.divergences):
        watch.note(f"{each.step}, seed {each.seed}: {each.message}")
    choice, folder, winner, report = outcome.choice, on.folder, None, None
    judged = "finals" if choice and choice.race else None  # a lap's few images show little
    for name, (plan, records) in outcome.studies.items():
        if judged in (None, name) and (nothing := learned_nothing(plan, grid(plan, records))):
            watch.note(f"{name}: {nothing}")
    if choice and (best := _best(choice)):
        finals = outcome.studies["finals"][0]
        but_test = " but the test images" if finals.held_out else ""
        watch.note(f"winner: {best.name} on all images{but_test}")
        with watch.steps() as shown:  # no epochs: their accuracies are of images that it has seen
            winner = train_winner(on.everything(), finals, choice, folder, shown.step, watch.note)
    is_trained = bool(winner and winner["outcome"] == "finished")
    is_untested = is_trained and outcome.studies["finals"][0].held_out
    file = folder / NETWORK if is_trained else None
    data = on.request.data if is_untested else None
    if choice:
        where = folder / "report"
        told = _answers(on.request, choice, outcome, file, data, where)
        report = write_choice(choice, outcome.studies, settings, where, winner=winner, answers=told)
    return Chosen(
        choice=choice, winner=winner, outcome=outcome, folder=folder, report=report, file=file,
        data=data,
    )  # fmt: skip


def _answers(
    request: Choose,
    choice: Choice,
    outcome: Outcome,
    file: Path | None,
    data: DataSpec | None,
    folder: Path,
) -> Answers | None:
    """Write the page of a network's answers to images that it has not seen: the winner's, where
    some are left, else that of a network of its design which the finals kept. None: no network."""
    if file is None:
        return None
    if data is not None:
        return write_answers(Evaluate(network=str(file), data=data), words.SHOWN, None, folder)
    finals, records = outcome.studies["finals"]
    at = [cell.name for cell in finals.cells].index(str(choice.winner))
    kept = first_kept(folder.parent / FINALS, grid(finals, records)[at])
    if kept is None:
        return Answers(words.NOT_SHOWN)
    seed, network = kept
    asked = evaluation_of(network, request.data, int(finals.data["image_size"]))
    return write_answers(asked, words.SHOWN, words.of_finals(seed), folder)


def _best(choice: Choice | None) -> Finalist | None:
    return choice.finalist(choice.winner) if choice and choice.winner else None


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
