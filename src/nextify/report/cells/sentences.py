"""What the reports of a path and of a comparison say alike, in plain sentences."""

from collections.abc import Iterable
from typing import TypeVar

from nextify.findings import Interval
from nextify.findings.blocks import Uneven
from nextify.findings.outcomes import RESTS
from nextify.report import details
from nextify.report.cells.content import CellsContent, Line, Row
from nextify.words import listed, plural, span

AnyLine = TypeVar("AnyLine", bound=Line)
Paragraph = tuple[str, str]  # a heading word and the text

POINTS = 100.0  # accuracy as a fraction to percentage points


def progress(content: CellsContent) -> str:
    """How much of the plan is recorded, and what became of it."""
    planned, _, *lost, missing = content.counts.values()
    return details.progress(planned, missing, *lost)


def between(interval: Interval | None) -> str:
    """An interval of differences.

    >>> between(Interval(-0.1, 0.3))
    '−0.10 to +0.30'
    """
    return span(interval.low, interval.high) if interval else span(None, None)


def no_intervals(content: CellsContent) -> Paragraph:
    """Why there are none, and what that means."""
    better = "Two seeds give intervals; three give better ones."
    if content.all_agree:
        why = f"Runs of a {content.noun} agree to the last digit, whatever the seed."
        better = "More test images would show how they differ, and more seeds may."
    elif len(content.plan.seeds) == 1:
        why = f"Each {content.noun} was trained with one seed."
    else:
        why = f"No {content.noun} has two finished runs that show a spread."
        better = f"Two finished runs of each {content.noun} give intervals; three give better ones."
    return "No intervals.", (
        f"{why} How far runs differ by chance alone is then unknown, no interval is possible, and "
        f"none is drawn. Any difference on this page may be chance. {better}"
    )


def with_images(names: str) -> str:
    """On differences that only intervals for the same test images exclude from zero."""
    return f"With new test images too, {names} would no longer exclude zero. " if names else ""


def open_with_images(rows: Iterable[Row]) -> list[Row]:
    """Those whose difference an interval for new test images does not exclude from zero."""
    return [row for row in rows if row.move.wide and not row.move.wide.excludes_zero]


def leaning(rows: Iterable[AnyLine]) -> list[AnyLine]:
    """Those whose difference the two cells' own seeds do not exclude from zero."""
    return [row for row in rows if row.move.own and not row.move.own.excludes_zero]


def halves(rows: Iterable[Row]) -> list[float]:
    """Half the widths of the differences' intervals."""
    return [row.move.interval.half for row in rows if row.move.interval]


def firm(rows: Iterable[Row]) -> list[Row]:
    """Those whose difference stands when all are judged together."""
    return [row for row in rows if row.move.holm is not None and row.move.holm < 0.05]


def sizes(uneven: Uneven) -> str:
    """The spread of one cell and that of the others."""
    return f"{POINTS * uneven.sd:.2f} points against {POINTS * uneven.others:.2f}"


def varies(name: str, where: str, uneven: Uneven) -> str:
    """On a cell whose spread clearly differs."""
    p = max(uneven.p, 0.0001)
    return f"{name} varies more than the others {where}({sizes(uneven)}; corrected p = {p:.1g})"


def uneven(content: CellsContent, model: str, odd: str) -> Paragraph:
    """The warning where a `model` does not hold."""
    steps = content.noun == "step"
    return "Warning: an assumption does not hold.", (
        f"{model}Here {odd}. Intervals that involve it are too narrow, the others "
        f"{'' if steps else 'there '}too wide. The columns difference_own_… of "
        f"{'steps' if steps else 'comparison'}.csv rest on each pair of {content.noun}s alone."
    )


def left_out(content: CellsContent) -> list[Paragraph]:
    """On runs without a score, where there are any."""
    parts, counts, noun = [], content.counts, content.noun
    if lost := details.lost(counts["diverged"], counts["failed"]):
        parts.append(
            f"Runs without a score: {listed(lost)}. Means are over the runs that finished, and so "
            f"flatter a {noun} that often diverges; a verdict is one only where it also holds with "
            "the diverged runs at the level of chance."
        )
    if counts["missing"]:
        parts.append(
            f"{plural(counts['missing'], 'planned run')} not recorded yet. Where a {noun} "
            "lacks a seed, its difference is adjusted for that seed, and is not the plain "
            "difference of the two means."
        )
    shown = [("Left out.", " ".join(parts))] if parts else []
    if nothing := details.learned_nothing(content.plan, content.runs):
        shown.insert(0, ("Runs that learned nothing.", nothing))
    return shown


def by_chance(tested: int) -> str:
    """How many of so many intervals at 95 % exclude zero by chance.

    >>> by_chance(1), by_chance(14)
    ('0.05', '0.7')
    """
    expected = 0.05 * tested
    return f"{expected:.2f}" if expected < 0.1 else f"{expected:.1f}"


def no_verdict(rows: Iterable[Line]) -> str:
    """Differences without a verdict, and what that rests on; empty where there are none."""
    told = [
        f"No verdict on {listed(names)}: it {reason}."
        for reason in RESTS
        if (names := [row.name for row in rows if row.move.rests == reason])
    ]
    return " ".join(told)


def none_learned(content: CellsContent) -> str:
    """Where all finished runs learned nothing, that and what to change; empty elsewhere."""
    finished = content.counts["finished"]
    if not finished or sum(row.unlearned for row in content.rows) < finished:
        return ""
    return (
        f"None of {plural(finished, 'finished run')} learned anything, so nothing can be said of "
        f"any {content.noun}. Train them otherwise: {details.CHANGE}."
    )
