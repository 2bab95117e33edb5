"""What all reports share: the frame of a page, tables as text, and a folder of files."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nextify import words
from nextify.errors import InputError
from nextify.files import alone, replace_file
from nextify.findings import Interval
from nextify.report import details
from nextify.report.style import Drawing, legible


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


def render(template: str, drawings: Sequence[Drawing], now: str | None, **values: Any) -> str:
    """A page as HTML text: one file, with its style and figures inside.

    Args:
        drawings: any that the template knows may be missing.
        now: a date to print; None for no date.
        values: what the template reads besides `figures`, `details` and the numbers' formats `n`.
    """
    figures = {drawing.name: drawing.inline for drawing in drawings}
    page = _templates().get_template(template)
    return page.render(figures=figures, now=now, n=words, details=details, **values)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("nextify.report"),
        autoescape=True,  # names and messages come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def csv_text(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines of the same fields as comma-separated values, with a header; an empty field where
    there is no number."""
    file = StringIO()
    writer = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def ends_of(name: str, interval: Interval | None, unit: str = "") -> dict[str, float | None]:
    """An interval as two fields of a line.

    >>> ends_of("gain", Interval(0.1, 0.3), "_points")
    {'gain_low_points': 0.1, 'gain_high_points': 0.3}
    """
    low, high = (interval.low, interval.high) if interval else (None, None)
    return {f"{name}_low{unit}": low, f"{name}_high{unit}": high}


def json_text(values: Mapping[str, Any]) -> str:
    """Values as a file of JSON."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def write_files(
    folder: str | PathLike[str], drawings: Sequence[Drawing], texts: Mapping[str, str]
) -> ReportFiles:
    """Write a report's figures and its texts by file name; the first CSV file is the main one.

    Raises:
        InputError: the folder cannot be written.
    """
    place = Path(folder)
    figures = _figure_files(drawings)
    _write(place, {**figures, **{name: legible(text).encode() for name, text in texts.items()}})
    main, *others = (place / name for name in texts if name.endswith(".csv"))
    html, values = place / "report.html", place / "report.json"
    return ReportFiles(html, main, values, tuple(map(place.joinpath, figures)), tuple(others))


def write_drawings(drawings: Sequence[Drawing], folder: str | PathLike[str]) -> tuple[Path, ...]:
    """Write figures as SVG, PNG and PDF into a folder, which is made if it is not there.

    Raises:
        InputError: the folder cannot be written.
    """
    files = _figure_files(drawings)
    _write(Path(folder), files)
    return tuple(map(Path(folder).joinpath, files))


def _figure_files(drawings: Sequence[Drawing]) -> dict[str, bytes]:
    return {
        f"{each.name}.{kind}": data
        for each in drawings
        for kind, data in (("svg", each.svg.encode()), ("png", each.png), ("pdf", each.pdf))
    }


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files or say why not; a reader never sees half a file, nor two reports mixed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, "name another folder", wait=True):
            for name, data in files.items():
                replace_file(folder / name, data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"report folder {folder} cannot be written ({reason}); name another folder"
        ) from error
