"""`write_report`: from a study to a folder of files that anyone can open."""

from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any

from nextify.errors import InputError
from nextify.findings import Score
from nextify.records import Plan, Record, Store
from nextify.report.cells import comparison_content, steps_content
from nextify.report.cells.files import drawings, texts
from nextify.report.factors import FactorContent, factor_content
from nextify.report.factors.files import factor_drawings, factor_texts
from nextify.report.page import ReportFiles, write_files
from nextify.studies.kinds import kind_of

Study = str | PathLike[str] | tuple[Plan, Iterable[Record]]


def write_report(
    study: Study,
    folder: str | PathLike[str],
    *,
    beside: Study | None = None,
    metric: Score = "accuracy",
    now: str | None = None,
) -> ReportFiles:
    """Write a study's page, figures and tables into a folder.

    Of a study of a path: its steps. Of an experiment: what each factor contributes. Of a
    comparison: which network is better on how many training images.
    `report.html` holds everything and asks nothing of the network. Equal records give equal
    bytes, whatever their order. Files of an earlier report are replaced, each at once.

    >>> write_report("study.db", "report").html  # doctest: +SKIP
    PosixPath('report/report.html')

    Args:
        study: a study file, or a plan with its records.
        folder: made if it is not there.
        beside: a second experiment on the same factors, at equal MACs say.
        metric: of an experiment's contributions; the page compares all three.
        now: a date to print on the page; None for no date.

    Raises:
        InputError: no such study file, no run recorded yet, the folder cannot be written;
            `beside` or another metric for a study without factors, or other factors in `beside`.
    """
    plan, records = _given(study)
    if beside is not None or metric != "accuracy":
        require_factors(plan)
    studies = [(plan, records)] + ([_given(beside)] if beside is not None else [])
    content, draw, write = _PAGES[kind_of(plan).page]
    shown = content(studies, metric)
    drawn = draw(shown)
    return write_files(folder, drawn, write(shown, drawn, now))


# What a page says, from studies and a score; its figures; its files by name.
_PAGES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "steps": (lambda studies, _: steps_content(*studies[0]), drawings, texts),
    "comparison": (lambda studies, _: comparison_content(*studies[0]), drawings, texts),
    "factors": (factor_content, factor_drawings, factor_texts),
}


def require_factors(plan: Plan, file: str = "FILE") -> None:
    """Check that a study, of a file, tells what factors contribute.

    Raises:
        InputError: a study of a path, or a comparison, with what to run instead.
    """
    match plan.experiment:
        case "path":
            raise InputError(
                f"study of path {plan.name!r} trains the path's steps in one order, which tells no "
                "factor's contribution; run an experiment on the same choices: "
                f"nextify study {plan.name} --data {plan.data['name']} --experiment resolution-5"
            )
        case "comparison":
            raise InputError(
                f"study {plan.title!r} compares whole networks, which have no factors to attribute "
                f"anything to; see what it found with: nextify report {file}"
            )


def write_factors(
    shown: FactorContent, folder: str | PathLike[str], *, now: str | None = None
) -> ReportFiles:
    """Write the report of an experiment that is worked out already; see `write_report`."""
    drawn = factor_drawings(shown)
    return write_files(folder, drawn, factor_texts(shown, drawn, now))


def _given(study: Study) -> tuple[Plan, Iterable[Record]]:
    return study if isinstance(study, tuple) else read_study(study)


def read_study(path: str | PathLike[str]) -> tuple[Plan, tuple[Record, ...]]:
    """The plan and the records of a study file.

    Raises:
        InputError: no such file, or no study file.
    """
    with Store.open(path, create=False) as store:
        return store.plan(), store.records()
