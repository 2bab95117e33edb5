"""Balanced accuracy and macro F1 as scores of studies."""

from dataclasses import replace

import numpy as np
import pytest

from nextify.errors import InputError
from nextify.experiments.fractions import full
from nextify.findings import attribute, measure_comparison, measure_steps
from nextify.findings.factor_runs import factor_runs
from nextify.findings.outcomes import DIVERGED, Chance, with_diverged
from nextify.findings.scores import ATTRIBUTED, BETTER, BY_CLASS, beside_accuracy, score_of
from nextify.records import ClassCounts, Record
from nextify.report.factors.units import UNITS
from nextify.requests.commands import Metric

from . import factorial, simulate

SIZES = (240, 90, 40, 30)


def counts(recalls) -> ClassCounts:
    """Of a network that takes these shares of each class for it, and the rest for the first."""
    right = tuple(round(n * share) for n, share in zip(SIZES, recalls, strict=True))
    wrong = sum(SIZES) - sum(right)
    answered = (right[0] + wrong, *right[1:])
    return ClassCounts(true=SIZES, answered=answered, right=right)


def counted(record: Record, rare: float) -> Record:
    """With the recall of the rare classes, whatever the accuracy was."""
    if record.result is None:
        return record
    by_class = counts((0.9, 0.8, rare, rare))
    accuracy = sum(by_class.right) / sum(SIZES)
    images = {"images": sum(SIZES), "correct": b""}
    return replace(record, result=replace(record.result, accuracy=accuracy, per_class=by_class,
                                          **images))  # fmt: skip


def experiment(**options):
    """The first choice helps the rare classes; diverging, if at all, is by the last one."""
    study = replace(
        factorial.plan(full(3), experiment="full", seeds=4),
        data={"name": "x", "classes": 4, "test": sum(SIZES)},
        largest_class=SIZES[0] / sum(SIZES),
    )
    rng = np.random.default_rng(2)
    records = factorial.records(study, lambda levels, rate: 0.8, images=400, **options)
    for at, one in enumerate(records):
        made = one.run["design"]["widths"][0]
        levels = full(3)[made - 8]
        records[at] = counted(one, 0.4 + 0.2 * (levels[0] > 0) + 0.03 * rng.normal())
    return study, records


def test_every_score_has_a_unit_a_direction_and_a_name():
    assert set(ATTRIBUTED) == set(UNITS) <= set(BETTER)
    assert {each.replace(" ", "-") for each in ATTRIBUTED} == set(Metric.__args__)


def test_they_are_read_off_the_counts():
    one = counted(experiment()[1][0], 0.5).result
    assert score_of(one, "balanced accuracy") == one.per_class.balanced_accuracy
    assert score_of(one, "macro f1") == one.per_class.macro_f1
    for score in BY_CLASS:
        assert np.isnan(score_of(replace(one, per_class=None), score))
        assert np.isnan(score_of(None, score))


@pytest.mark.parametrize("score", BY_CLASS)
def test_a_choice_that_helps_the_rare_classes_is_found(score):
    """Each half of the classes' recall moved by 0.2: 0.1 on average, and little of accuracy."""
    study, records = experiment()
    found = attribute(study, records, score).contributions
    assert found[0].answer == "helps" and {each.answer for each in found[1:]} == {"not resolved"}
    if score == "balanced accuracy":
        assert found[0].estimate.value == pytest.approx(0.1, abs=0.02)
    assert all(each.wide is None for each in found), "classes of images are not kept"
    (accuracy, *_) = attribute(study, records).contributions
    assert accuracy.estimate.value < found[0].estimate.value / 2


@pytest.mark.parametrize("score, chance", [("balanced accuracy", 1 / 4), ("macro f1", None)])
def test_a_diverged_run_is_one_that_always_answers_the_largest_class(score, chance):
    known = counts((1, 0, 0, 0))
    chance = chance or 2 * SIZES[0] / (SIZES[0] + sum(SIZES)) / 4
    values, lost = np.array([0.5, np.nan, np.nan]), np.array([False, True, False])
    found = with_diverged(values, lost, score, Chance(0.6, 400), known)
    np.testing.assert_allclose(found, [0.5, chance, np.nan])
    np.testing.assert_array_equal(with_diverged(values, lost, score, Chance(0.6)), values)


@pytest.mark.parametrize("score", BY_CLASS)
def test_no_choice_helps_by_diverging(score):
    """The runs with the last choice that do not diverge are the better ones."""

    def diverge(levels, rng):
        return levels[2] > 0 and rng.random() < 0.4

    study, records = experiment(diverge=diverge)
    better = [
        counted(one, 0.7) if "f2" in cell.made else one
        for one, cell in zip(
            records, [c for c in study.cells for _ in study.seeds_of(c)], strict=True
        )
    ]
    found = attribute(study, better, score)
    assert found.readings[0].reading == "diverged at chance"
    assert found.contributions[2].answer == DIVERGED
    read = factor_runs(study, better, score)
    assert read.counts.true == SIZES


def test_runs_that_counted_nothing_are_a_line_or_left_out():
    study, records = experiment()
    old = [replace(one, result=replace(one.result, per_class=None)) for one in records]
    with pytest.raises(InputError, match="no run of study 'simulated' counted its test images"):
        attribute(study, old, "macro f1")
    mixed = attribute(study, [old[0], *records[1:]], "macro f1")
    assert (mixed.counts.finished, mixed.counts.without) == (31, 1)
    assert beside_accuracy(old) == () and beside_accuracy([*old, records[0]]) == BY_CLASS


def test_equal_classes_need_no_second_score():
    _, records = experiment()
    each = ClassCounts(true=(100,) * 4, answered=(100,) * 4, right=(90,) * 4)
    equal = replace(records[0], result=replace(records[0].result, per_class=each))
    assert beside_accuracy([equal]) == ()


def test_steps_and_networks_have_them_too():
    plan = simulate.plan(2, 3)
    data = {"name": "x", "classes": 4, "test": sum(SIZES)}
    plan = replace(plan, data=data, largest_class=0.6)
    correct = np.arange(400) % 5 > 0
    records = [
        counted(
            simulate.record(plan, cell, seed, correct), 0.4 + 0.3 * cell + 0.02 * seed * (cell + 1)
        )
        for cell in (0, 1)
        for seed in range(3)
    ]
    steps = measure_steps(plan, records, "balanced accuracy")
    assert steps.overall.verdict == "up" and steps.overall.value == pytest.approx(0.16, abs=0.01)
    assert steps.overall.wide is None
    cells = [replace(cell, network=cell.name) for cell in plan.cells]
    compared = replace(plan, cells=tuple(cells), experiment="comparison",
                       data={**data, "train": 100})  # fmt: skip
    records = [
        counted(
            simulate.record(compared, cell, seed, correct),
            0.4 + 0.3 * cell + 0.02 * seed * (cell + 1),
        )
        for cell in (0, 1)
        for seed in range(3)
    ]
    assert measure_comparison(compared, records, "macro f1").at[0].leader == 1
