"""`write_report`: from a study to a folder of files that anyone can open."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from typing import Any

from nextify import requests
from nextify.errors import InputError
from nextify.findings.meaning import Control
from nextify.findings.misread import as_read_now
from nextify.findings.probed import score_named
from nextify.findings.scores import AnyScore
from nextify.records import NO_HISTORY, History, Look, Plan, Record, Store
from nextify.records.measurement import AllProbed
from nextify.report.cells import comparison_content, steps_content
from nextify.report.cells.files import drawings, texts
from nextify.report.evaluation.words import Answers
from nextify.report.factors import FactorContent, View, factor_content
from nextify.report.factors.content import SPELLED, primary_of, spelled
from nextify.report.factors.files import factor_drawings, factor_texts
from nextify.report.factors.outcomes import scored
from nextify.report.page import ReportFiles, write_files
from nextify.studies.kinds import kind_of

Study = str | PathLike[str] | tuple[Plan, Iterable[Record]]


def write_report(
    study: Study,
    folder: str | PathLike[str],
    *,
    now: str | None = None,
    probed: AllProbed | None = None,
    answers: Answers | None = None,
) -> ReportFiles:
    """Write a study's page, figures and tables into a folder.

    Of a study of a path: its steps. Of an experiment: what each factor contributes. Of a
    comparison: which network is better on how many training images.
    `report.html` holds everything and asks nothing of the network. Equal records give equal
    bytes, whatever their order. Files of an earlier report are replaced, each at once.

    >>> write_report("study.db", "report").html  # doctest: +SKIP
    PosixPath('report/report.html')

    Args:
        study: a study file, or a plan with its records. To read an experiment's file is a look,
            which the file keeps.
        folder: made if it is not there.
        now: a date to print on the page; None for no date.
        probed: what probes found of the runs, beside what the study files hold of it.
        answers: of the best network; None: the page does not speak of them.

    Raises:
        InputError: no such study file, no run recorded yet, or the folder cannot be written.
    """
    plan, records = _given(study)
    page = kind_of(plan).page
    if page == "factors":
        return write_factors(look([study], probed=probed), folder, now=now, answers=answers)
    shown = _CONTENTS[page](plan, records, {**read_probed(study), **(probed or {})})
    drawn = drawings(shown)
    history = NO_HISTORY if isinstance(study, tuple) else read_history(study)
    return write_files(folder, drawn, texts(shown, drawn, now, history, answers))


_CONTENTS: dict[str, Callable[..., Any]] = {
    "steps": steps_content,
    "comparison": comparison_content,
}


def look(
    studies: Iterable[Study],
    metric: AnyScore | str | None = None,
    file: str = "",
    margin: float | None = None,
    *,
    probed: AllProbed | None = None,
    control: Control = "simultaneous",
    without_failed: bool = False,
) -> FactorContent:
    """What a report says of one experiment, or of two; of study files it is a look, which they
    keep.

    Args:
        metric, file, margin, control, without_failed: see `factor_content`; by default the first
            file's primary score. A name is that of a score as options spell it, of a probe, or of
            one of its named values. probed: beside what the files hold.

    Raises:
        InputError: as `factor_content` does, or nothing of this name is measured. A file that
            cannot be written is read all the same.
    """
    given = tuple(studies)
    histories = [NO_HISTORY if isinstance(each, tuple) else read_history(each) for each in given]
    known = {**dict(pair for each in given for pair in read_probed(each).items()), **(probed or {})}
    score = _score(metric, known) if metric else primary_of(histories[0])
    shown = factor_content(
        map(_given, given), score, file, histories=histories, margin=margin, probed=known,
        control=control, without_failed=without_failed,
    )  # fmt: skip
    pairs = zip(shown.views, given, strict=True)
    views = [_kept(view, score, study) for view, study in pairs]
    if None in views:
        return look(given, metric, file, margin, probed=probed, control=control,
                    without_failed=without_failed)  # fmt: skip
    return replace(shown, views=tuple(filter(None, views)))


def _score(of: AnyScore | str, probed: AllProbed) -> AnyScore:
    if not isinstance(of, str):
        return of
    return SPELLED.get(spelled(of)) or score_named(of, probed)


def _kept(view: View, metric: AnyScore, study: Study) -> View | None:
    """The same once its file holds the look, if that can be; None where another reader has taken
    the look's number meanwhile."""
    looking = view.looking
    if isinstance(study, tuple) or not looking.number or not view.has_intervals:
        return view
    this = Look(
        number=looking.number,
        data=looking.data,
        runs=scored(view.found),
        score=spelled(metric),
        verdicts={each.name: each.answer for each in view.found.contributions},
        level=looking.level,
        reached=looking.reached if looking.planned else 0,
        share=looking.share,
        bound=looking.bound,
    )
    with suppress(InputError), Store.open(study, create=False) as store:
        if not store.keep_look(this):
            return None
        return replace(view, looking=replace(looking, history=store.history(), is_saved=True))
    return view


def require_factors(plan: Plan, file: str = "FILE") -> None:
    """Check that a study, of a file, tells what factors contribute.

    Raises:
        InputError: a study of a path, or a comparison, with what to run instead.
    """
    match plan.experiment:
        case "path":
            spec = plan.where or requests.DataSpec(source=plan.data["name"])
            how = requests.Experiment(experiment="resolution-5")
            of = requests.Study(path=plan.name, data=spec, experiment=how)
            raise InputError(
                f"study of path {plan.name!r} trains the path's steps in one order, which tells no "
                "factor's contribution; run an experiment on the same choices: "
                f"{requests.command_line(of)}"
            )
        case "comparison":
            raise InputError(
                f"study {plan.title!r} compares whole networks, which have no factors to attribute "
                f"anything to; see what it found with: nextify report {file}"
            )


def write_factors(
    shown: FactorContent,
    folder: str | PathLike[str],
    *,
    now: str | None = None,
    answers: Answers | None = None,
) -> ReportFiles:
    """Write the report of an experiment that is worked out already; see `write_report`."""
    drawn = factor_drawings(shown)
    return write_files(folder, drawn, factor_texts(shown, drawn, now, answers))


def _given(study: Study) -> tuple[Plan, Iterable[Record]]:
    return study if isinstance(study, tuple) else read_study(study)


def read_history(path: str | PathLike[str]) -> History:
    """What was settled of a study before its first run and since, and the looks.

    Raises:
        InputError: no such file, or no study file.
    """
    with Store.open(path, create=False) as store:
        return store.history()


def read_probed(study: Study) -> AllProbed:
    """What probes found of a study file's runs, as far as their present versions would find the
    same; nothing of a plan with its records.

    Raises:
        InputError: no such file, or no study file.
    """
    if isinstance(study, tuple):
        return {}
    with Store.open(study, create=False) as store, store.at_one_moment():
        return as_read_now(store.plan(), store.records(), store.measurements())


def read_study(path: str | PathLike[str]) -> tuple[Plan, tuple[Record, ...]]:
    """The plan and the records of a study file.

    Raises:
        InputError: no such file, or no study file.
    """
    with Store.open(path, create=False) as store, store.at_one_moment():
        return store.plan(), store.records()
