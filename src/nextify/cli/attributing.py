"""The commands attribute and report."""

from nextify.cli.show import file_values, print_json, print_table, say
from nextify.commands.attributing import Attributed, Shares, attribute, report
from nextify.commands.watch import ON_STDERR
from nextify.findings.across import General
from nextify.findings.meaning import Meaning
from nextify.report.factors import (
    FactorContent,
    View,
    caveats,
    look_words,
    meaning_words,
    outcomes,
    words,
)
from nextify.report.factors.overview import overview
from nextify.report.factors.sides import sides
from nextify.report.factors.tables import as_values
from nextify.report.settled import settled
from nextify.requests import Attribute, Report
from nextify.words import plural


def run(request: Attribute | Report, as_json: bool) -> int:
    """Carry out attribute or report."""
    if isinstance(request, Attribute):
        return _attribute(request, as_json)
    files = report(request, ON_STDERR)
    if as_json:
        print_json(file_values(files))
    else:
        say(f"report: {files.html}")
    return 0


def _attribute(request: Attribute, as_json: bool) -> int:
    found = attribute(request, ON_STDERR)
    if as_json:
        print_json(attributed_values(found))
    else:
        print_attributed(found)
    return 0


def attributed_values(found: Attributed) -> dict[str, object]:
    """What factors contribute, for JSON."""
    written = {"crosscheck": list(found.checks), "report": str(found.report.html)}
    return {**as_values(found.content), **written}


def print_attributed(found: Attributed) -> None:
    """What factors contribute, for people."""
    shown = found.content
    for at, view in enumerate(shown.views):
        _print(shown, view, found.checks[at] if found.checks else {})
    if shown.general:
        head = ["factor", f"{shown.unit.name}, mean", "95 %, other data sets", "in general"]
        print_table(head, [_in_general(shown, each) for each in shown.general])
        say(f"\n{words.general(shown)}\n")
    say(f"report: {found.report.html}")


def _in_general(shown: FactorContent, each: General) -> list[str]:
    unit = shown.unit
    return [each.name, unit.signed(each.mean), unit.span(each.simultaneous), each.answer]


def _print(shown: FactorContent, view: View, checks: Shares) -> None:
    runs, planned = outcomes.scored(view.found), view.found.counts.planned
    label = f"networks {view.label}: " if len(shown.views) > 1 else ""
    say(
        f"{label}{view.plan.title}: {view.plan.experiment}, {plural(runs, 'run')} "
        f"of {planned} with a score\n"
    )
    head, rows = overview(shown, view)
    found = [[_check(tool, of[row[0]], shown) for tool, of in checks.items()] for row in rows]
    print_table(
        [*head[:-1], *checks, head[-1]],
        [[*row[:-1], *own, row[-1]] for row, own in zip(rows, found, strict=True)],
    )
    say(f"\ngap: {words.adds_up(shown, view)}")
    tuned = [words.stability(view)] * bool(view.plan.tuned)
    looked = [*settled(view.looking.history), *look_words.this_look(shown, view)]
    for text in (*sides(shown, view), *tuned, *looked):
        say(text)
    if view.meaning:
        for text in (*meaning_words.sentences(shown, view.meaning), *_judged(view.meaning)):
            say(text)
    for text in filter(None, [look_words.margin_note(view), *caveats.notes(view.found)]):
        say(f"note: {text}")
    for each in view.next:
        say(f"next: {each.why} {plural(each.runs, 'new run')}:\n  {each.command}")
    if not view.next:
        say(f"next: {words.nothing_next(view)}")
    say("")


def _judged(of: Meaning) -> list[str]:
    return [meaning_words.how_judged(of), *map(words.sentence, meaning_words.caveats(of))]


def _check(tool: str, value: float, shown: FactorContent) -> str:
    """A share of the variance as it is, a Shapley value in the score's unit."""
    return shown.unit.signed(value) if tool == "shapiq" else f"{value:.3f}"
