"""Which look a reading is, and its level: planned, unplanned, late, too early, after the last."""

from dataclasses import replace

import numpy as np
import pytest

from nextify.experiments import looks
from nextify.findings import attribute
from nextify.findings.looking import due, looking_at
from nextify.records import History, Look, Registered

from . import factorial

LEVELS = factorial.all_levels(2)
OF_TWO = looks.chance_of_one(0.05, 2)


def settled(**given):
    about = {"hash": "0", "recorded": 0, "experiment": "full", "cells": 4, "seeds": 10, "runs": 40}
    return Registered(**{**about, **given})


def runs(seeds, of=10):
    """A plan of 10 seeds, and the records of the first."""
    return factorial.plan(LEVELS, seeds=of), factorial.records(
        factorial.plan(LEVELS, seeds=seeds), factorial.linear(0.01)
    )


def taken(looking, history):
    """The history with a look in it."""
    look = Look(
        number=looking.number, data=looking.data, runs=0, score="accuracy", verdicts={},
        level=looking.level, reached=looking.reached if looking.planned else 0,
        share=looking.share, bound=looking.bound,
    )  # fmt: skip
    return History(history.registered, (*history.looks, look), 0, look.number)


def test_unplanned_looks_spend_less_and_less_and_reading_again_is_the_same_look():
    history = History((settled(),))
    for number, seeds in enumerate((2, 4, 6), start=1):
        found = looking_at(*runs(seeds), history)
        assert (found.number, found.level) == (number, looks.unplanned(number))
        assert found.following == looks.unplanned(number + 1)
        history = taken(found, history)
        again = looking_at(*runs(seeds), history)
        assert (again.number, again.level) == (found.number, found.level)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_planned_looks_in_time_have_the_boundaries_of_obrien_and_fleming(count):
    history = History((settled(looks=count),))
    want = looks.planned(np.arange(1, count + 1) / count, OF_TWO)
    for number, seeds in enumerate(due(history), start=1):
        found = looking_at(*runs(seeds), history)
        assert (found.number, found.reached) == (number, number)
        assert found.bound == pytest.approx(want[number - 1], abs=1e-5)
        assert found.level == pytest.approx(looks.level_of(want[number - 1], 2), abs=1e-7)
        if number < count:
            following = looks.level_of(want[number], 2)
            assert found.following == pytest.approx(following, abs=1e-6)
        else:
            assert found.following is None
        history = taken(found, history)
        assert looking_at(*runs(seeds), history).level == pytest.approx(found.level, abs=1e-9)
    if count == 1:
        assert found.level == pytest.approx(0.95)  # the whole 5 % at the complete plan
    more = looking_at(*runs(12, of=12), history)
    assert (more.level, more.number, more.following) == (1.0, 0, None)


def test_there_is_no_verdict_before_a_planned_look():
    history = History((settled(looks=2),))
    early = looking_at(*runs(4), history)
    assert (early.level, early.number, early.reached) == (1.0, 0, 0)
    study, records = runs(4)
    found = attribute(study, records, level=early.level)
    assert {each.answer for each in found.contributions} == {"no verdict"}
    assert all(each.simultaneous is None for each in found.contributions)


def test_late_looks_spend_no_more_than_they_may():
    history = History((settled(looks=5),))
    for seeds in (3, 7, 9, 10):  # the first is between two; one is left out
        history = taken(looking_at(*runs(seeds), history), history)
    shares, bounds = zip(*((each.share, each.bound) for each in history.looks), strict=True)
    assert shares == pytest.approx((0.3, 0.7, 0.9, 1.0))
    assert [each.reached for each in history.looks] == [1, 3, 4, 5]
    assert looks.crossings(shares, bounds).sum() == pytest.approx(OF_TWO, abs=1e-8)


def test_files_from_before_have_their_intervals_as_before():
    for history in (History(), History((settled(recorded=8),))):
        found = looking_at(*runs(2), history)
        assert (found.number, found.level, found.following) == (0, 0.95, 0.95)


def test_a_look_that_is_lost_has_been_taken():
    history = History((settled(),), (), lost=1, last=1)
    assert looking_at(*runs(2), history).number == 2


def answers(values, margin, level=0.95):
    study = factorial.plan(factorial.all_levels(3), seeds=6)
    records = factorial.records(study, factorial.linear(*values), sd=0.01)
    return attribute(study, records, level=level, margin=margin).contributions


def test_the_margin_says_what_is_negligible():
    large, small, none = answers((0.05, 0.0045, 0.0), margin=0.02)
    assert (large.answer, large.within) == ("helps", False)
    assert (small.answer, small.within) == ("helps", True)
    assert (none.answer, none.within) == ("negligible", True)
    assert none.simultaneous.farthest <= 0.02
    assert answers((0.05, 0.0045, 0.0), margin=0.005)[2].answer == "not resolved"
    assert [c.within for c in answers((0.05, 0.0045, 0.0), margin=None)] == [False] * 3


def test_a_later_look_reaches_farther():
    first, later = (answers((0.0,), None, level)[0] for level in (0.95, looks.unplanned(3)))
    assert later.simultaneous.half > 1.2 * first.simultaneous.half
    alone = {"simultaneous": None, "wide": None, "answer": ""}
    assert replace(later, **alone) == replace(first, **alone)
