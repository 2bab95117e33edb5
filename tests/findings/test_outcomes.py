"""Runs that diverge, and runs that learn nothing: outcomes, on which no verdict rests."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nextify.experiments.fractions import full
from nextify.findings import attribute, measure_steps
from nextify.findings.attribute import attribute_runs
from nextify.findings.factor_runs import factor_runs
from nextify.findings.outcomes import (
    DIVERGED,
    UNLEARNED,
    Chance,
    chance_of,
    learned_nothing,
    with_diverged,
)
from nextify.records import Record, Result
from nextify.records.record import ClassCounts

from . import factorial, simulate

IMAGES, SHARE = 368, 0.25


def result(accuracy: float, images: int = IMAGES, answered: int | None = None) -> Result:
    return Result(accuracy=accuracy, nll=1.0, calibration_error=0.0, images=images, correct=b"",
                  answered=answered)  # fmt: skip


@pytest.mark.parametrize(
    ("answered", "right", "told"),
    [
        ((166, 34), (159, 13), True),  # fewer right than always the first class, and it has learned
        ((166, 34), (149, 3), False),  # dealt out at random
        ((200, 0), (180, 0), False),
    ],
)
def test_who_finds_a_rare_class_has_learned_however_few_are_right(answered, right, told):
    counts = ClassCounts(true=(180, 20), answered=answered, right=right)
    of_all = replace(result(sum(right) / 200, 200), per_class=counts)
    assert learned_nothing(of_all, Chance(0.9, 200)) is not told


@pytest.mark.parametrize("sizes", [(180, 20), (92, 92, 92, 92), (30, 10, 4, 4)])
def test_of_those_who_guess_one_in_twenty_seems_to_have_learned(sizes):
    draw = np.random.default_rng(0)
    true = np.repeat(np.arange(len(sizes)), sizes)
    passed = 0
    for _ in range(1000):
        answers = draw.choice(len(sizes), len(true), p=draw.dirichlet([1.0] * len(sizes)))
        counts = ClassCounts(
            true=sizes,
            answered=tuple(np.bincount(answers, minlength=len(sizes)).tolist()),
            right=tuple(np.bincount(true[answers == true], minlength=len(sizes)).tolist()),
        )
        given = result(float((answers == true).mean()), len(true), len(set(answers.tolist())))
        passed += not learned_nothing(
            replace(given, per_class=counts), Chance(max(sizes) / len(true))
        )
    assert passed <= 1000 * 0.05 + 2.5 * (1000 * 0.05 * 0.95) ** 0.5


def photographs(levels=None, **options):
    """A plan whose test images are a quarter of one of four classes."""
    made = factorial.plan(full(4) if levels is None else levels, experiment="full", **options)
    data = {"name": "photographs", "classes": 4, "test": IMAGES}
    return replace(made, data=data, largest_class=SHARE)


def truth(levels, rate) -> float:
    """The first choice helps; with the last all runs answer one class."""
    return SHARE if levels[3] > 0 else 0.6 + 0.05 * (levels[0] > 0)


def answering_one_class(study, sd=0.004) -> list[Record]:
    """Runs with the last choice score the share of the largest class, all alike."""
    found = factorial.records(study, truth, sd=sd, images=IMAGES)
    flat = [abs(each.result.accuracy - SHARE) < 0.1 for each in found]
    return [
        replace(each, result=replace(each.result, accuracy=SHARE)) if is_flat else each
        for each, is_flat in zip(found, flat, strict=True)
    ]


@pytest.mark.parametrize("images", [20, 368, 10_000])
def test_the_threshold_is_that_of_the_exact_test(images):
    right = np.arange(images + 1)
    told = [
        learned_nothing(result(r / images, images), Chance(SHARE)) for r in right[:: images // 20]
    ]
    by_test = [
        stats.binomtest(int(r), images, SHARE, alternative="greater").pvalue > 0.05
        for r in right[:: images // 20]
    ]
    assert told == by_test and any(told) and not all(told)


def test_one_class_only_is_nothing_whatever_the_accuracy():
    assert learned_nothing(result(0.9, answered=1), Chance(SHARE))
    assert not learned_nothing(result(0.9, answered=2), Chance(SHARE))
    assert not learned_nothing(result(1.0, answered=1), Chance(1.0)), "of one class all is known"
    assert not learned_nothing(None, Chance(SHARE))
    assert not learned_nothing(result(0.1), None)


def test_chance_is_the_largest_class_or_one_of_equal_classes():
    study = photographs()
    assert chance_of(study) == Chance(SHARE, IMAGES)
    assert chance_of(replace(study, largest_class=None)) == Chance(1 / 4, IMAGES, known=False)
    assert chance_of(replace(study, data={"name": "x"}, largest_class=None)) is None


def test_what_diverged_runs_score():
    values = np.array([[0.5, np.nan, 0.2], [0.5, 0.9, np.nan]])
    lost = np.array([[False, True, False], [False, False, False]])
    chance = Chance(SHARE, IMAGES)
    assert with_diverged(values, lost, "accuracy", chance)[0, 1] == SHARE
    logit = with_diverged(values, lost, "logit accuracy", chance)[0, 1]
    assert logit == pytest.approx(np.log(SHARE / (1 - SHARE)), abs=0.01)
    ranks = with_diverged(values, lost, "nll", chance)  # less is better: the last is the highest
    np.testing.assert_array_equal(ranks, [[2.5, 5, 1], [2.5, 4, np.nan]])


def test_without_such_runs_nothing_changes():
    study = photographs()
    records = factorial.records(study, lambda levels, rate: 0.6 + 0.05 * (levels[0] > 0))
    found = attribute(study, records)
    alone = attribute_runs(study, factor_runs(study, records))
    assert replace(found, chance=None) == alone
    assert found.readings == () and found.contributions[0].answer == "helps"


@pytest.mark.parametrize("score", ["accuracy", "nll", "logit accuracy"])
def test_a_factor_whose_runs_diverge_does_not_help(score):
    """Its low-scoring runs diverge, so that the finished ones look better."""
    study = photographs(seeds=4)

    def diverge(levels, rng):
        return levels[3] > 0 and rng.random() < 0.4

    records = factorial.records(
        study, lambda levels, rate: 0.6 + 0.03 * (levels[3] > 0), sd=0.005, diverge=diverge
    )
    found = attribute(study, records, score)
    by = {each.reading: each.contributions[3].answer for each in found.readings}
    assert by.pop("finished runs") == "helps"
    assert "helps" not in by.values()
    assert found.contributions[3].answer == DIVERGED and found.rests == (DIVERGED,)
    shown = found.readings[0]
    assert shown.reading == ("finished runs" if score == "nll" else "diverged at chance")
    assert shown.contributions[3].estimate == found.contributions[3].estimate


def test_a_diverged_run_counts_as_chance_in_the_estimate():
    study = photographs(seeds=1)
    records = factorial.records(study, lambda levels, rate: 0.65, sd=0.001)
    at = next(at for at, cell in enumerate(study.cells) if cell.made == ("f3",))
    lost = replace(records[at], outcome="diverged", result=None)
    found = attribute(study, [*records[:at], lost, *records[at + 1 :]])
    # An exact Shapley weight of the cell {f3} in 2^4: +1/4 for being next to the start.
    fell = found.contributions[3].estimate.value
    assert fell == pytest.approx((SHARE - 0.65) * (1 / 4), abs=0.002)
    assert found.counts.diverged == 1 and found.counts.cells == 16


def test_all_diverged_or_no_classes_known_is_as_before():
    study = photographs()
    records = factorial.records(study, lambda levels, rate: 0.6, diverge=lambda levels, rng: True)
    found = attribute(study, records)
    assert found.counts.finished == 0 and found.readings == ()
    assert {each.answer for each in found.contributions} == {"cannot be told"}
    unsaid = replace(study, data={"name": "x"}, largest_class=None)
    some = factorial.records(unsaid, lambda levels, rate: 0.6, diverge=lambda row, rng: row[0] > 0)
    assert attribute(unsaid, some).readings == ()


def test_a_factor_whose_runs_answer_one_class_has_no_verdict():
    study = photographs(seeds=3)
    found = attribute(study, answering_one_class(study))
    by = {each.reading: [one.answer for one in each.contributions] for each in found.readings}
    assert by["finished runs"][3] == "hurts" and by["learned something"][3] == "cannot be told"
    assert found.contributions[3].answer == UNLEARNED and found.rests == (UNLEARNED,)
    assert found.contributions[0].answer == "helps", "it does, among the runs that learned"
    assert not any(each.found for each in found.interactions if "f3" in (each.first, each.second))
    assert {each.rests for each in found.interactions} <= {"", UNLEARNED}
    last = found.unlearned[3]
    assert (last.made, last.not_made) == ((24, 24), (0, 24)) and last.p < 1e-6


def test_no_verdict_where_no_run_learned_anything():
    study = photographs()
    records = factorial.records(study, lambda levels, rate: SHARE, sd=0.0)
    found = attribute(study, records)
    assert {each.answer for each in found.contributions} <= {UNLEARNED, "no interval"}


def steps(accuracies, images=400):
    """A path's plan and records: cells by seeds; None diverged."""
    data = {"name": "x", "classes": 4, "test": images}
    plan = replace(
        simulate.plan(len(accuracies), len(accuracies[0])), data=data, largest_class=0.25
    )
    rng, records = np.random.default_rng(0), []
    for cell, row in enumerate(accuracies):
        for seed, accuracy in enumerate(row):
            if accuracy is None:
                run = plan.run(plan.cells[cell], seed)
                records.append(Record(key=run.key, run=run.as_dict(), outcome="diverged"))
                continue
            correct = rng.permutation(np.arange(images) < round(accuracy * images))
            records.append(simulate.record(plan, cell, seed, correct))
    return plan, records


def test_a_step_that_learned_nothing_is_not_down():
    found = measure_steps(*steps([[0.80, 0.81, 0.80], [0.90, 0.91, 0.91], [0.25, 0.25, 0.25]]))
    assert [each.verdict for each in found.differences] == ["", "up", UNLEARNED]
    assert found.overall.verdict == UNLEARNED and not found.overall.resolved


def test_a_step_whose_runs_diverge_is_not_up():
    found = measure_steps(*steps([[0.80, 0.81, 0.80], [0.90, None, 0.91], [0.70, 0.71, 0.70]]))
    up, down = found.differences[1:]
    assert up.verdict == DIVERGED and down.verdict == DIVERGED
    assert found.overall.verdict == "down", "neither end has a diverged run"
    assert found.means[1].n == 2, "means are over the finished runs"
