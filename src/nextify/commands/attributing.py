"""Commands attribute and report: from study files to their pages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nextify.commands.answering import best_answers
from nextify.commands.studying import report_folder
from nextify.commands.watch import QUIET, Watch
from nextify.errors import InputError
from nextify.findings.crosscheck import fanova_importances, shapiq_values
from nextify.findings.factor_runs import FactorRuns, factor_runs
from nextify.findings.looking import due
from nextify.findings.meaning import CONTROLS
from nextify.report import write_report
from nextify.report.factors import FactorContent
from nextify.report.factors.content import primary_of
from nextify.report.factors.overview import overview
from nextify.report.factors.words import headline
from nextify.report.notebook import Shown, View
from nextify.report.page import ReportFiles
from nextify.report.write import (
    look,
    read_history,
    read_probed,
    read_study,
    require_factors,
    write_factors,
)
from nextify.requests import Attribute, Report

Shares = dict[str, dict[str, float]]  # by tool and factor


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Attributed(Shown):
    """What factors contribute.

    Attributes:
        content: all numbers of the page. checks: what other tools say, a study each.
        report: the files that were written.
    """

    content: FactorContent
    checks: tuple[Shares, ...]
    report: ReportFiles

    def _view(self, *, pictures: bool) -> View:
        head, rows = overview(self.content, self.content.views[0])
        (figure, *_) = [each for each in self.report.figures if each.suffix == ".png"]
        said = [*headline(self.content), f"report: {self.report.html}"]
        return View(said, head, rows, figure=figure.read_bytes() if pictures else None)


def attribute(request: Attribute, watch: Watch = QUIET) -> Attributed:
    """What each factor of an experiment contributes, and what is not known; writes the page.

    Raises:
        InputError: no such file, or a study without factors.
    """
    files = [Path(name) for name in (request.file, *request.beside)]
    for file in files:
        watch.damage(file)
    studies = [read_study(file) for file in files]
    for file, (plan, _) in zip(files, studies, strict=True):
        require_factors(plan, str(file))
    _require_useful(request, files)
    content = look(
        files, request.score, request.file, request.margin, control=CONTROLS[request.matrix],
        without_failed=request.without_failed,
    )  # fmt: skip
    score = content.metric
    for view, file in zip(content.views, files, strict=True):
        if view.looking.number and view.has_intervals and not view.looking.is_saved:
            watch.note(f"study file {file} cannot be written: this look is not kept in it")
    asked = studies if request.crosscheck else []
    checks = tuple(_crosscheck(factor_runs(*study, score), watch.note) for study in asked)
    other = "" if score == primary_of(read_history(files[0])) else request.score or ""
    place = Path(request.output) if request.output else _folder(files, other)
    answers = best_answers(files[0], place) if len(files) == 1 else None
    written = write_factors(content, place, answers=answers)
    return Attributed(content=content, checks=checks, report=written)


def report(request: Report, watch: Watch = QUIET) -> ReportFiles:
    """Write a study's page, figures and tables.

    Raises:
        InputError: no such file, no run recorded yet, or the folder cannot be written.
    """
    file = Path(request.file)
    watch.damage(file)
    folder = Path(request.output or report_folder(file))
    return write_report(file, folder, answers=best_answers(file, folder))


def _require_useful(request: Attribute, files: list[Path]) -> None:
    """Check that no option is given for what these studies do not have; before any look.

    Raises:
        InputError: one is, with what gives them that.
    """
    names = " and ".join(map(str, files))
    if CONTROLS[request.matrix] != "simultaneous" and not any(map(read_probed, files)):
        raise InputError(
            f"--matrix is {request.matrix}, which judges what probes find, and none was measured "
            f"in {names}; measure first (nextify probe {files[0]}), or leave --matrix out"
        )
    if request.without_failed and not any(due(read_history(file)) for file in files):
        raise InputError(
            f"--without-failed takes a planned look, and none is planned in {names} (nextify study "
            "--looks N plans some, before the first run); leave it out: failed runs hold nothing up"
        )


def _folder(files: list[Path], score: str) -> Path:
    """Beside the first file: where `study` writes its report, unless more was asked for, such as
    another score than the study's own."""
    first, *others = files
    parts = [first.stem, *(f"and-{other.stem}" for other in others)]
    return first.with_name("-".join([*parts, *[score] * bool(score), "report"]))


def _crosscheck(runs: FactorRuns, note: Callable[[str], None]) -> Shares:
    """What other tools say; a note where one is not installed or cannot read these runs."""
    found: Shares = {}
    for name, ask in (("fANOVA share", fanova_importances), ("shapiq", shapiq_values)):
        try:
            found[name] = ask(runs)
        except InputError as error:
            note(f"{name}: {error}")
    return found
