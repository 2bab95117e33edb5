"""Further scores of the cells of a path or comparison, and what probes found in each: words and
lines of a table."""

from typing import Any

from nextify.findings.scores import name_of
from nextify.report.cells.content import CellsContent, ComparisonContent, Line, ScoreRows
from nextify.report.factors.units import unit_of
from nextify.report.page import ends_of
from nextify.words import MISSING, tidy


def mean_of(probe: ScoreRows, line: Line) -> str:
    """A mean with half the width of its interval, in the score's unit."""
    unit, half = unit_of(probe.score), line.half
    text = unit.plain(line.mean.mean)
    return text if half is None else f"{text} ± {unit.plain(half)}"


def difference_of(probe: ScoreRows, line: Line) -> str:
    """A difference with its interval."""
    unit, move = unit_of(probe.score), line.move
    if move.value is None:
        return MISSING
    told = unit.span(move.interval) if move.interval else verdict_of(probe, line)
    return f"{unit.signed(move.value)} ({told})"


def verdict_of(probe: ScoreRows, line: Line) -> str:
    """Up, down, why neither, or that it is exact: no seed differs from another in any cell."""
    return "exact" if line.move.value is not None and _is_exact(probe) else line.move.verdict


def _is_exact(probe: ScoreRows) -> bool:
    known = [[v for v in line.mean.values if v is not None] for line in probe.rows]
    return any(len(row) > 1 for row in known) and all(len(set(row)) <= 1 for row in known)


def probe_lines(content: CellsContent) -> list[dict[str, Any]]:
    """A line a probe and cell; differences as those of accuracy: to the step before, or to the
    baseline."""
    return [
        {
            **_place(content, at),
            "probe": probe.score.name,
            "unit": probe.score.unit,
            **_numbers(probe, line),
        }
        for probe in content.probes
        for at, line in enumerate(probe.rows)
    ]


def score_lines(content: CellsContent) -> list[dict[str, Any]]:
    """A line a score by class and cell, as fractions."""
    return [
        {**_place(content, at), "score": name_of(of.score), **_numbers(of, line)}
        for of in content.by_class
        for at, line in enumerate(of.rows)
    ]


def _numbers(of: ScoreRows, line: Line) -> dict[str, Any]:
    return {
        "n": line.n,
        "mean": tidy(line.mean.mean),
        **_ends("mean", line.mean.interval),
        "difference": tidy(line.move.value),
        **_ends("difference", line.move.interval),
        "p": tidy(line.move.p),
        "p_holm": tidy(line.move.holm),
        "verdict": verdict_of(of, line),
    }


def _ends(name: str, interval: Any) -> dict[str, Any]:
    return {key: tidy(value) for key, value in ends_of(name, interval).items()}


def _place(content: CellsContent, at: int) -> dict[str, Any]:
    row = content.rows[at]
    if isinstance(content, ComparisonContent):
        return {"network": row.name, "images": row.images}
    return {"step": row.at, "name": row.name}
