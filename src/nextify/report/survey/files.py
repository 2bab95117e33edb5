"""`write_survey`: a data set that was looked at, as a page, a figure and tables."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os import PathLike
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nextify.findings.survey import Files, Pair, Survey
from nextify.report import style
from nextify.report.canvas import Sheet
from nextify.report.notebook import as_url
from nextify.report.page import ReportFiles, csv_text, json_text, render, write_files
from nextify.report.style import Drawing, drawn
from nextify.report.survey import words
from nextify.words import tidy


def write_survey(
    found: Survey, folder: str | PathLike[str], *, now: str | None = None
) -> ReportFiles:
    """Write the page, with small copies of images inside it, a figure of the files' sizes, tables
    of classes and of duplicates, and JSON.

    Args:
        folder: made if it is not there. now: a date to print on the page; None for no date.

    Raises:
        InputError: the folder cannot be written.
    """
    files, drawings = found.files, []
    if files is not None and len(files.sizes) > 1:
        drawings.append(_sizes_drawn(files, found.image_size))
    texts = {
        "classes.csv": csv_text(list(_classes(found))),
        "duplicates.csv": csv_text([_line(pair) for pair in found.repeats.pairs] or [_NO_PAIR]),
        "report.json": json_text({"written": now, **as_values(found)}),
        "report.html": render("survey.html", drawings, now, plan=found, words=words, as_url=as_url),
    }
    return write_files(folder, drawings, texts)


def as_values(found: Survey) -> dict[str, Any]:
    """A survey, ready for JSON: without copies of images."""
    repeats, files = found.repeats, found.files
    return {
        "name": found.name,
        "source": found.source,
        "image_size": found.image_size,
        "split_seed": found.drawn,
        "classes": list(_classes(found)),
        "warnings": [{"about": head, "text": text} for head, text in words.warnings(found)],
        "leaks": [
            {"side": one, "other": other, **asdict(count)}
            for (one, other), count in repeats.leaks.items()
        ],
        "under_two_classes": asdict(repeats.crossed),
        "within_training": asdict(repeats.within),
        "pairs": len(repeats.pairs),
        "all_pairs": repeats.is_whole,
        "clues": [{**_tidied(asdict(each)), "tells": each.tells} for each in found.clues],
        "unreadable": dict(found.unreadable),
        "sizes": None if files is None else [
            {"width": width, "height": height, "images": count}
            for (width, height), count in files.sizes.most_common()
        ],
        "formats": None if files is None else dict(files.formats),
        "modes": None if files is None else dict(files.modes),
        "recipe": found.recipe,
        "command": found.command,
    }  # fmt: skip


def _tidied(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tidy(value) for name, value in values.items()}


def _classes(found: Survey) -> Iterator[dict[str, Any]]:
    for at, name in enumerate(found.classes):
        yield {"class": name, **{side: counts[at] for side, counts in found.counts.items()}}


def _line(pair: Pair) -> dict[str, Any]:
    sides = {"": pair.one, "other_": pair.other}
    named = {
        f"{which}{name}": value
        for which, shot in sides.items()
        for name, value in (("image", shot.name), ("side", shot.side), ("class", shot.label))
    }
    exact = "yes" if pair.exact else "no"
    mirrored = "yes" if pair.mirrored else "no"
    return {**named, "exact": exact, "likeness": tidy(pair.likeness), "mirrored": mirrored}


_NO_PAIR = dict.fromkeys((
    "image", "side", "class", "other_image", "other_side", "other_class", "exact", "likeness",
    "mirrored",
))  # fmt: skip


def _sizes_drawn(files: Files, image_size: int) -> Drawing:
    with style.style():
        sheet = Sheet(7.2, 2.3)
        shorter = [(min(size), count) for size, count in files.sizes.items()]
        forms = [(w / max(1, h), count) for (w, h), count in files.sizes.items()]
        sheet.head(0.55, 0.14, "Shorter side", "pixels; dotted: as networks see it")
        sheet.head(4.05, 0.14, "Form", "width / height")
        side = sheet.panel((0.55, 0.5, 3.0, 1.4))
        _histogram(side, shorter)
        side.axvline(image_size, color=style.ORANGE, lw=1.0, linestyle=(0, (1, 1.5)))
        _histogram(sheet.panel((4.05, 0.5, 3.0, 1.4)), forms)
        text = "Histograms of the shorter sides and of the forms of all images."
        return drawn(sheet.figure, "sizes", text)


def _histogram(axes: Axes, weighed: Sequence[tuple[float, int]]) -> None:
    values, counts = zip(*weighed, strict=True)
    low, high = min(values), max(values)
    room = 0.5 if high == low else 0.0
    axes.hist(values, bins=30, range=(low - room, high + room), weights=counts, color=style.BLUE)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylim(bottom=0)
