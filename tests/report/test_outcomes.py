"""Runs that learned nothing are named on every page and in every table, and no sentence, figure or
command treats what rests on them as a verdict."""

import csv
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from nextify.designs import default_factors, path
from nextify.findings.choice import choose
from nextify.report.cells import comparison_content, headline, step_words, steps_content
from nextify.report.cells.files import page
from nextify.report.cells.tables import lines_of
from nextify.report.choice.files import finalist_line
from nextify.report.choice.words import answer, notes
from nextify.report.factors import caveats, factor_content, words
from nextify.report.factors.contribution_figure import contribution_figure
from nextify.report.factors.files import factors_page
from nextify.report.factors.tables import as_values, contributions_csv
from nextify.report.marks import with_chance
from nextify.studies import plan_finals, plan_screening
from nextify.studies.kinds.finalists import possible
from studies.known_truth import Truth, small_task

from . import fake, fake_comparison, fake_experiment
from .fake_runs import result
from .test_report import _text

SHARE = 0.25
NORM = "BN to LN"


def answering_one_class(record, share=SHARE):
    """The same run, whose network always answers the largest class."""
    correct = np.arange(record.result.images) < share * record.result.images
    old = record.result
    told = result(correct, nll=1.4, calibration_error=0.0, curve=old.curve, answered=1)
    return replace(record, result=told)


def photographs(plan):
    return replace(plan, data={**plan.data, "classes": 4}, largest_class=SHARE)


@pytest.fixture(scope="module")
def experiment():
    """All runs with layer norm answer one class."""
    factors = tuple(default_factors(path("small"))[at] for at in (0, 2, 6))
    plan = photographs(fake_experiment.plan("full", 3, factors=factors, end_seeds=0))
    records, name = [], factors[2].name
    runs = [(cell, seed) for seed in plan.seeds for cell in range(len(plan.cells))]
    for cell, seed in runs:
        record = fake_experiment.finished(plan, cell, seed, truth=(0.02, 0.0, 0.0), pairs={})
        is_lost = name in plan.cells[cell].made
        records.append(answering_one_class(record) if is_lost else record)
    return plan, records, name


def test_an_experiment_says_on_what_it_rests_and_what_to_change(experiment):
    plan, records, norm = experiment
    content = factor_content([(plan, records)])
    (view,) = content.views
    told = words.headline(content)[0]
    assert f"No verdict on {norm}: it rests on runs that learned nothing." in told
    assert f"{norm} (" not in told, "it is neither said to help nor to hurt"
    verdict = caveats.verdict(view.found, view.found.contributions[2])
    assert verdict == ("no verdict: it rests on runs that learned nothing (finished runs only: "
                       "hurts; runs that learned something only: cannot be told)")  # fmt: skip
    note = caveats.notes(view.found)[0]
    assert f"12 of 24 finished runs learned nothing, 12 of the 12 with {norm}" in note
    assert "25.00 %" in note and "a lower learning_rate" in note
    (only,) = view.next
    assert "learning_rate=" in only.command and "lower-rate" in only.command
    assert "learned nothing" in only.why
    page = _text(factors_page(content, [], None))
    assert "▼ hurts" not in page
    assert "12 of 24 finished runs learned nothing" in page
    assert "Always to answer the largest class scores 25.00 %." in page
    assert "rests on" in contribution_figure(content).description


def test_the_tables_of_an_experiment(experiment):
    plan, records, norm = experiment
    content = factor_content([(plan, records)])
    lines = csv.DictReader(StringIO(contributions_csv(content)))
    line = next(each for each in lines if each["factor"] == norm)
    assert line["answer"] == "rests on runs that learned nothing"
    assert (line["chance"], line["learned_nothing"]) == ("0.25", "12")
    assert line["learned_only_answer"] == "cannot be told" and line["finished_only"] == ""
    (study,) = as_values(content)["studies"]
    assert study["chance"] == {"percent": 25.0, "is_the_largest_class": True}
    assert len(study["learned_nothing"]) == 12 and "(25.00 %)" in study["learned_nothing"][0]


def test_diverged_runs_stand_at_chance_beside_the_finished(small_print):
    factors = default_factors(path("small"))[:3]
    plan = photographs(fake_experiment.plan("full", 3, factors=factors, end_seeds=0))
    runs = [(cell, seed) for seed in plan.seeds for cell in range(len(plan.cells))]
    records = [
        fake_experiment.diverged(plan, cell, seed)
        if factors[1].name in plan.cells[cell].made and seed == 1
        else fake_experiment.finished(plan, cell, seed, truth=(0.0, 0.03, 0.0), pairs={})
        for cell, seed in runs
    ]
    content = factor_content([(plan, records)])
    (view,) = content.views
    assert view.found.contributions[1].answer == "rests on diverged runs"
    assert "4 of 24 runs diverged" in caveats.notes(view.found)[0]
    assert "no score" not in " ".join(caveats.notes(view.found)), "each has that of chance"
    page = _text(factors_page(content, [], None))
    assert "Diverged runs at chance" in page and "Finished runs only" in page
    contribution_figure(content)
    assert small_print[-1].startswith("n = 24 runs with a score in 8 cells of 8.")
    told = words.as_texts(content, view)
    assert "diverge" in told["Diverged runs"]


def test_a_path_whose_last_step_learned_nothing():
    plan = photographs(fake.plan(cells=3))
    records = [fake.finished(plan, cell, seed) for cell in range(3) for seed in plan.seeds]
    records[4:] = map(answering_one_class, records[4:])
    content = steps_content(plan, records)
    assert content.rows[2].unlearned == 2
    assert step_words.headline(content).endswith(
        "; no verdict, for it rests on runs that learned nothing."
    )
    lines = lines_of(content)["steps.csv"]
    assert [line["learned_nothing"] for line in lines] == [0, 0, 2]
    assert {line["largest_class_percent"] for line in lines} == {25.0}
    assert lines[2]["verdict"] == "rests on runs that learned nothing"
    text = _text(page(content, [], None))
    assert f"These runs learned nothing: {plan.cells[2].name}, seed 0 (25.00 %)" in text
    assert "▼ down" not in text
    axes = with_chance((70.0, 90.0), content.chance), with_chance((30.0, 90.0), content.chance)
    assert axes == ((70.0, 90.0), (24.5, 90.0)), "a line where it squashes nothing"


def test_a_network_that_learned_nothing_is_not_worse_and_none_is_the_best():
    plan = photographs(fake_comparison.plan(numbers=(1000,), names=("ResNet", "ConvNeXt")))
    records = [fake_comparison.finished(plan, cell, seed) for cell in (0, 1) for seed in plan.seeds]
    mixed = [answering_one_class(r) if at >= 4 else r for at, r in enumerate(records)]
    content = comparison_content(plan, mixed)
    assert content.rows[1].move.verdict == "rests on runs that learned nothing"
    assert "which is best rests on runs that learned nothing" in headline(content)[0]
    nothing = comparison_content(plan, list(map(answering_one_class, records)))
    assert headline(nothing) == [
        "None of 8 finished runs learned anything, so nothing can be said of any network. Train "
        "them otherwise: a lower learning_rate, more warmup_epochs or more epochs."
    ]


def chosen(task, truth, final_truth):
    screening = plan_screening(task)
    seen = truth.records(screening)
    finals = plan_finals(task, screening, seen)
    runs = final_truth.records(finals)
    return choose((screening, seen), (finals, runs), task.budgets, possible(task))


def test_no_finalist_that_learned_nothing_is_recommended():
    rising = tuple(0.6 + 0.01 * bin(at).count("1") for at in range(32))
    fine = Truth(rising, sd=0.001)
    found = chosen(small_task(reshaped=0), fine, fine)
    assert found.winner == "+++++" and found.chance.share == 1 / 10
    flat = list(rising)
    flat[31] = 0.1
    found = chosen(small_task(reshaped=0), fine, Truth(tuple(flat), sd=0.0))
    lost = found.finalist("+++++")
    assert (lost.standing, lost.unlearned, lost.behind) == ("learned nothing", 5, None)
    assert found.winner not in ("+++++", None)
    assert "+++++ learned nothing" in next(notes(found))
    assert finalist_line(lost, found.chance)["largest_class_percent"] == 10


def test_where_no_finalist_learned_anything_none_is_recommended():
    rising = Truth(tuple(0.6 + 0.01 * bin(at).count("1") for at in range(32)), sd=0.001)
    found = chosen(small_task(reshaped=0), rising, Truth((0.1,) * 32, sd=0.0))
    assert found.winner is None and found.margin is None and found.cheapest is None
    (told,) = answer(found)
    assert (
        told.startswith("No design can be chosen: no run of the finals learned anything")
        and "learning_rate" in told
    )


def test_a_screening_that_learned_nothing_has_no_finals():
    task = small_task()
    screening = plan_screening(task)
    nothing = Truth((0.1,) * 32, sd=0.0).records(screening)
    assert plan_finals(task, screening, nothing) is None
