"""`write_report`: from a study to a folder of files that anyone can open."""

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from nextify.errors import InputError
from nextify.files import replace_file
from nextify.findings import Score
from nextify.records import Plan, Record, Store
from nextify.report.comparison import comparison_content
from nextify.report.comparison.files import comparison_drawings, comparison_files
from nextify.report.content import Content, content
from nextify.report.cost_figure import cost_figure
from nextify.report.curve_figure import curve_figure
from nextify.report.factors import FactorContent, factor_content
from nextify.report.factors.files import factor_drawings, factor_files
from nextify.report.page import page
from nextify.report.step_figure import step_figure
from nextify.report.style import Drawing
from nextify.report.tables import report_json, steps_csv

Study = str | PathLike[str] | tuple[Plan, Iterable[Record]]


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What was written.

    Attributes:
        html: the page. csv, json: its numbers. figures: SVG, PNG and PDF files.
        tables: further CSV files.
    """

    html: Path
    csv: Path
    json: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...] = ()


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
    match plan.experiment:
        case "path":
            return _write_path(content(plan, records), Path(folder), now)
        case "comparison":
            return _write_comparison(plan, records, Path(folder), now)
    studies = [(plan, records)] + ([_given(beside)] if beside is not None else [])
    return write_factors(factor_content(studies, metric), folder, now=now)


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
    drawings = factor_drawings(shown)
    figures = _figure_files(drawings)
    place = Path(folder)
    _write(place, {**figures, **factor_files(shown, drawings, now)})
    return ReportFiles(
        html=place / "report.html",
        csv=place / "contributions.csv",
        json=place / "report.json",
        figures=tuple(place / name for name in figures),
        tables=(place / "interactions.csv",),
    )


def write_drawings(drawings: list[Drawing], folder: str | PathLike[str]) -> tuple[Path, ...]:
    """Write figures as SVG, PNG and PDF into a folder, which is made if it is not there.

    Raises:
        InputError: the folder cannot be written.
    """
    files = _figure_files(drawings)
    _write(Path(folder), files)
    return tuple(Path(folder) / name for name in files)


def _write_path(shown: Content, place: Path, now: str | None) -> ReportFiles:
    drawings = [d for d in (step_figure(shown), cost_figure(shown), curve_figure(shown)) if d]
    files = {
        **_figure_files(drawings),
        "steps.csv": steps_csv(shown).encode(),
        "report.json": report_json(shown, now).encode(),
        "report.html": _page(shown, drawings, now),
    }
    _write(place, files)
    return ReportFiles(
        html=place / "report.html",
        csv=place / "steps.csv",
        json=place / "report.json",
        figures=tuple(place / name for name in _figure_files(drawings)),
    )


def _write_comparison(
    plan: Plan, records: Iterable[Record], place: Path, now: str | None
) -> ReportFiles:
    shown = comparison_content(plan, records)
    drawings = comparison_drawings(shown)
    figures = _figure_files(drawings)
    _write(place, {**figures, **comparison_files(shown, drawings, now)})
    return ReportFiles(
        html=place / "report.html",
        csv=place / "comparison.csv",
        json=place / "report.json",
        figures=tuple(place / name for name in figures),
        tables=(place / "gains.csv",) if shown.gains else (),
    )


def _given(study: Study) -> tuple[Plan, Iterable[Record]]:
    return study if isinstance(study, tuple) else read_study(study)


def read_study(path: str | PathLike[str]) -> tuple[Plan, tuple[Record, ...]]:
    """The plan and the records of a study file.

    Raises:
        InputError: no such file, or no study file.
    """
    with Store.open(path, create=False) as store:
        return store.plan(), store.records()


def _page(shown: Content, drawings: list[Drawing], now: str | None) -> bytes:
    return page(shown, {drawing.name: drawing for drawing in drawings}, now).encode()


def _figure_files(drawings: list[Drawing]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for drawing in drawings:
        files[f"{drawing.name}.svg"] = drawing.svg.encode()
        files[f"{drawing.name}.png"] = drawing.png
        files[f"{drawing.name}.pdf"] = drawing.pdf
    return files


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files or say why not; a reader never sees half a file."""
    try:
        for name, data in files.items():
            replace_file(folder / name, data, shared=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"report folder {folder} cannot be written ({reason}); name another folder"
        ) from error
