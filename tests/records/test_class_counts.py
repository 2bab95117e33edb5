"""Scores by class are scikit-learn's, and records keep what they are made of."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from example_plan import make_plan
from sklearn.metrics import balanced_accuracy_score, f1_score

from nextify.errors import InputError
from nextify.records import ClassCounts, Record, Result
from nextify.records.record import record_from_dict
from nextify.records.rows import from_row, is_record, to_row


def counted(true, told, classes: int) -> ClassCounts:
    count = lambda of: tuple(np.bincount(of, minlength=classes).tolist())  # noqa: E731
    return ClassCounts(true=count(true), answered=count(told), right=count(true[true == told]))


@pytest.mark.parametrize("classes", [1, 2, 5, 40])
@pytest.mark.parametrize("present", [1.0, 0.5])
def test_they_are_those_of_scikit_learn(classes, present):
    """Also where classes have no test images, or are never answered."""
    rng = np.random.default_rng(classes)
    for _ in range(20):
        some = rng.permutation(classes)[: max(1, int(present * classes))]
        true = rng.choice(some, size=60)
        told = np.where(rng.random(60) < 0.6, true, rng.integers(classes, size=60))
        found = counted(true, told, classes)
        with warnings.catch_warnings():  # of answers that are no true class
            warnings.simplefilter("ignore")
            wanted = balanced_accuracy_score(true, told)
        assert found.balanced_accuracy == pytest.approx(wanted)
        f1 = f1_score(true, told, average="macro", zero_division=0)
        assert found.macro_f1 == pytest.approx(f1)


def test_one_class_always_is_one_of_the_classes_with_images():
    true = np.repeat([0, 1, 3], [90, 25, 5])
    always = counted(true, np.zeros(120, dtype=int), 4)
    assert always.balanced_accuracy == pytest.approx(1 / 3)
    assert always.macro_f1 == pytest.approx(f1_score(true, [0] * 120, average="macro"))
    assert counted(true, true, 4).of_the_largest == always


@pytest.mark.parametrize(
    "true, unequal", [((10, 20), False), ((10, 21), True), ((10, 0, 20), False), ((7,), False)]
)
def test_unequal_is_more_than_twice(true, unequal):
    assert ClassCounts(true=true, answered=true, right=true).unequal is unequal


def record(counts: ClassCounts | None) -> Record:
    plan = make_plan()
    run = plan.run(plan.cells[0], 0)
    result = Result(accuracy=0.5, nll=1.0, calibration_error=0.1, images=16, correct=b"\x0f\xf0",
                    answered=2, per_class=counts)  # fmt: skip
    return Record(key=run.key, run=run.as_dict(), outcome="finished", result=result)


COUNTS = ClassCounts(true=(12, 4), answered=(10, 6), right=(7, 1))


@pytest.mark.parametrize("counts", [None, COUNTS])
def test_they_come_back(counts):
    one = record(counts)
    row = to_row(one)
    assert ("per_class" in row["result"]) == (counts is not None)
    assert is_record(row) and from_row(row).result == one.result
    assert record_from_dict(one.as_dict()).result == one.result


@pytest.mark.parametrize(
    "changes", [{"true": (12, 5)}, {"right": (7, 2)}, {"answered": (10, 6, 0)}, {"true": (-4, 20)}]
)
def test_counts_that_do_not_add_up_are_refused(changes):
    values = record(replace(COUNTS, **changes)).as_dict()
    with pytest.raises(InputError, match="per_class"):
        record_from_dict(values)


def test_a_thousand_classes_take_little():
    """Of a run on ImageNet-1K: less than four numbers of three digits a class."""
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(1000), 50)
    told = np.where(rng.random(50_000) < 0.7, true, rng.integers(1000, size=50_000))
    one = record(None)
    counted_too = replace(one.result, per_class=counted(true, told, 1000))
    sizes = [len(to_row(replace(one, result=of))["result"]) for of in (one.result, counted_too)]
    assert sizes[1] - sizes[0] < 12_000
