"""The command probe."""

from collections.abc import Iterable
from dataclasses import asdict
from statistics import mean
from typing import Any

from nextify.cli.show import note, print_json, print_table, say
from nextify.commands.probing import Probed, ProbedStudy, StudyMeasurement, probe
from nextify.commands.watch import ON_STDERR
from nextify.report.probes import words
from nextify.report.probes.content import ProbesContent, as_values
from nextify.requests import Probe
from nextify.words import MISSING, plural


def run(request: Probe, as_json: bool) -> int:
    """Carry out probe."""
    match probe(request, ON_STDERR):
        case Probed() as done:
            if as_json:
                print_json(as_values(done.content))
            else:
                _print(done.content)
            if done.report:
                (note if as_json else say)(f"report: {done.report.html}")
            return 1 if done.content.failures else 0
        case ProbedStudy() as studied:
            if as_json:
                print_json([_values(each) for each in studied.measurements])
            else:
                _print_study(studied)
            failed = any(each.found.failed for each in studied.measurements)
            return 1 if failed or studied.runs.failures else 0


def _print(content: ProbesContent) -> None:
    head = [*words.HEAD, *(each.name for each in content.networks)]
    print_table(head, words.rows(content))
    say("")
    say(words.on_images(content))
    for text in words.said(content):
        say(text)


def _values(of: StudyMeasurement) -> dict[str, Any]:
    place = {"network": of.network, "cell": of.cell, "seed": of.seed, "key": of.key}
    return {**place, **asdict(of.found)}


def _print_study(done: ProbedStudy) -> None:
    by_probe: dict[str, list[StudyMeasurement]] = {}
    for each in done.measurements:
        by_probe.setdefault(each.found.probe, []).append(each)
    rows = [_row(name, (each.found for each in some)) for name, some in by_probe.items()]
    print_table(["probe", "unit", "runs", "mean", "lowest", "highest", "without"], rows)
    for name, some in by_probe.items():
        reasons = dict.fromkeys(each.found.reason for each in some if each.found.reason)
        for reason in reasons:
            count = sum(each.found.reason == reason for each in some)
            say(f"{name}: {plural(count, 'run')}: {reason}")
    runs = done.runs
    say(f"\n{plural(runs.measured, 'network')} probed in this start, of {runs.runs} finished runs")


def _row(name: str, found: Iterable[Any]) -> list[str]:
    every = list(found)
    values = [each.value for each in every if each.value is not None]
    numbers = [words.number(of(values)) if values else MISSING for of in (mean, min, max)]
    return [name, every[0].unit or MISSING, str(len(values)), *numbers,
            str(len(every) - len(values))]  # fmt: skip
