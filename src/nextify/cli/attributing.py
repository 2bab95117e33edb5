"""`nextify attribute`: what each factor of an experiment contributes, and what is not known."""

from argparse import Namespace
from pathlib import Path

from nextify.cli.show import note, print_json, print_table, say
from nextify.errors import InputError
from nextify.findings import Experiment, Score, experiment
from nextify.findings.crosscheck import fanova_importances, shapiq_values
from nextify.report.factors import FactorContent, View, factor_content, words
from nextify.report.factors.contribution_figure import signed_count
from nextify.report.factors.tables import as_values
from nextify.report.write import read_study, require_factors, write_factors
from nextify.words import plural

# As options spell them.
_METRICS: dict[str, Score] = {
    "accuracy": "accuracy",
    "nll": "nll",
    "logit-accuracy": "logit accuracy",
}

Shares = dict[str, dict[str, float]]  # by tool and factor


def run(options: Namespace) -> int:
    """Carry out the command."""
    files = [Path(name) for name in (options.file, options.beside) if name]
    studies = [read_study(file) for file in files]
    for file, (plan, _) in zip(files, studies, strict=True):
        require_factors(plan, str(file))
    metric = _METRICS[options.metric]
    shown = factor_content(studies, metric, options.file)
    checks: list[Shares] = []
    if options.crosscheck:
        checks = [_crosscheck(experiment(*study, metric)) for study in studies]
    place = Path(options.output) if options.output else _folder(files, options.metric)
    written = write_factors(shown, place)
    if options.json:
        print_json({**as_values(shown), "crosscheck": checks, "report": str(written.html)})
        return 0
    for at, view in enumerate(shown.views):
        _print(shown, view, checks[at] if checks else {})
    say(f"report: {written.html}")
    return 0


def _folder(files: list[Path], metric: str) -> Path:
    """Beside the first file: where `study` writes its report, unless more was asked for."""
    first, *others = files
    parts = [first.stem, *(f"and-{other.stem}" for other in others)]
    parts += [metric] if metric != "accuracy" else []
    return first.with_name("-".join([*parts, "report"]))


def _crosscheck(runs: Experiment) -> Shares:
    """What other tools say; a note where one is not installed or cannot read these runs."""
    found: Shares = {}
    for name, ask in (("fANOVA share", fanova_importances), ("shapiq", shapiq_values)):
        try:
            found[name] = ask(runs)
        except InputError as error:
            note(f"{name}: {error}")
    return found


def _print(shown: FactorContent, view: View, checks: Shares) -> None:
    counts = view.found.counts
    label = f"networks {view.label}: " if len(shown.views) > 1 else ""
    say(
        f"{label}{view.plan.title}: {view.plan.experiment}, {plural(counts.finished, 'run')} "
        f"of {counts.planned} with a score\n"
    )
    head = ["factor", shown.unit.name, "95 %, all together", "params", "MACs", "memory"]
    print_table(
        [*head, *checks, "verdict"],
        [_row(shown, view, checks, at) for at in range(len(shown.names))],
    )
    say(f"\ngap: {words.adds_up(shown, view)}")
    for text in view.found.notes:
        say(f"note: {text}")
    for each in view.next:
        say(f"next: {each.why} {plural(each.runs, 'new run')}:\n  {each.command}")
    if not view.next:
        say(f"next: {words.nothing_next(view)}")
    say("")


def _row(shown: FactorContent, view: View, checks: Shares, at: int) -> list[str]:
    each, unit, costs = view.found.contributions[at], shown.unit, view.costs
    added = (costs.params[at], costs.macs[at], costs.training_bytes[at]) if costs else (None,) * 3
    return [
        each.name,
        unit.signed(each.estimate.value),
        unit.span(each.simultaneous),
        *(signed_count(n, "B" * (place == 2)) for place, n in enumerate(added)),
        *(_check(tool, found[each.name], shown) for tool, found in checks.items()),
        each.verdict,
    ]


def _check(tool: str, value: float, shown: FactorContent) -> str:
    """A share of the variance as it is, a Shapley value in the score's unit."""
    return shown.unit.signed(value) if tool == "shapiq" else f"{value:.3f}"
