"""`write_choice`: a choice as a page, a figure and tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from nextify.findings import Grid, grid
from nextify.findings.choice import Choice, Finalist
from nextify.findings.outcomes import Chance
from nextify.records import Plan, Record
from nextify.report import details
from nextify.report.cells.content import ComparisonContent, comparison_content
from nextify.report.cells.files import main_figure
from nextify.report.choice import words
from nextify.report.choice.figure import choice_figure
from nextify.report.evaluation.words import Answers
from nextify.report.page import ReportFiles, csv_text, ends_of, json_text, render, write_files
from nextify.words import tidy


@dataclass(frozen=True, slots=True)
class Phase:
    """A study of the choice.

    Attributes:
        name: of its file without the ending. runs: the records, cells by seeds.
    """

    name: str
    plan: Plan
    runs: Grid

    @property
    def counts(self) -> dict[str, int]:
        """How many runs are planned, and how many had each outcome."""
        planned = self.plan.count
        outcomes = [run.outcome for row in self.runs for run in row if run]
        became = {name: outcomes.count(name) for name in ("finished", "diverged", "failed")}
        return {"planned": planned, **became, "missing": planned - len(outcomes)}


def write_choice(
    choice: Choice,
    studies: Mapping[str, tuple[Plan, Iterable[Record]]],
    asked: Mapping[str, Any],
    folder: str | PathLike[str],
    *,
    winner: Mapping[str, Any] | None = None,
    answers: Answers | None = None,
    now: str | None = None,
) -> ReportFiles:
    """Write what was chosen, how sure that is and how it was found.

    >>> write_choice(choice, studies, settings, "report").html  # doctest: +SKIP
    PosixPath('report/report.html')

    Args:
        studies: the screening, or the rates and the race, and the finals, by the names of their
            files without the ending.
        asked: what makes the choice another one, in words: budgets and settings.
        winner: what came of its training, as plain values. answers: of its network.
        folder: made if it is not there.
        now: a date to print on the page; None for no date.

    Raises:
        InputError: the folder cannot be written.
    """
    records = {name: tuple(runs) for name, (_, runs) in studies.items()}
    phases = [Phase(name, plan, grid(plan, records[name])) for name, (plan, _) in studies.items()]
    finals = phases[-1].plan
    drawn = [choice_figure(choice, held_out=finals.held_out)]
    if choice.race:
        drawn.append(main_figure(_raced(choice, studies["race"][0], records["race"])))
    what = "The best of candidates for {}" if choice.race else "A design for {} within a budget"
    page = render(
        "choice.html",
        drawn,
        now,
        plan=replace(finals, title=what.format(finals.data["name"])),
        choice=choice,
        answer=[*words.answer(choice), *words.tested(winner)],
        notes=list(words.notes(choice)),
        phases=phases,
        runs=[row for phase in phases for row in phase.runs],
        asked=details.in_text(asked),
        words=words,
        answers=answers,
        winner=winner,
    )
    about = {"written": now, "settings": asked, "choice": words.as_values(choice)}
    texts = {
        "finalists.csv": csv_text([finalist_line(e, choice.chance) for e in choice.finalists]),
        "report.json": json_text({**details.facts(finals), **about, "phases": _values(phases)}),
        "report.html": page,
    }
    return write_files(folder, drawn, texts)


def _raced(choice: Choice, race: Plan, records: Iterable[Record]) -> ComparisonContent:
    """The laps of a race, in which candidates that left are called so."""
    gone = {each.name for each in choice.race if each.left is not None}
    cells = (
        replace(cell, network=f"{cell.network} (left)") if cell.network in gone else cell
        for cell in race.cells
    )
    return comparison_content(replace(race, cells=tuple(cells)), records)


def _values(phases: Sequence[Phase]) -> dict[str, Any]:
    return {
        phase.name: {"runs": phase.counts, **details.as_values(phase.plan, phase.runs)}
        for phase in phases
    }


def finalist_line(of: Finalist, chance: Chance | None = None) -> dict[str, Any]:
    """A finalist as fields of a file."""
    each = details.hundredfold(of)
    values = {
        "design": each.name,
        **{name: getattr(each, name) for name in ("changed", "recipe", "params", "macs")},
        "activation_memory_bytes": each.activation_memory,
        **{f"{name}_used_percent": 100 * use for name, use in each.use.items()},
        "predicted_percent": each.predicted,
        "predicted_sd_points": each.predicted_sd,
        **{name: getattr(each, name) for name in ("runs", "finished", "diverged", "failed")},
        "learned_nothing": each.unlearned,
        "largest_class_percent": None if chance is None else 100 * chance.share,
        "accuracy_percent": each.mean,
        **ends_of("accuracy", each.interval, "_percent"),
        **ends_of("accuracy_wide", each.wide, "_percent"),
        **ends_of("to_best_other", each.behind, "_points"),
        **ends_of("to_best_other_wide", each.behind_wide, "_points"),
        "standing": each.standing,
        "training_seconds": each.seconds,
        **({"latency_seconds": each.latency.median} if each.latency else {}),
    }
    return {name: tidy(value) for name, value in values.items()}
