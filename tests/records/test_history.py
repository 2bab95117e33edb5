"""What a study file says of the time before its runs, and of every look since."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.errors import InputError
from nextify.records import Look, Plan, Record, Store, plan_hash
from nextify.requests import Study, made

KEPT = Path(__file__).parent / "kept"


def asked(plan: Plan, **options) -> Plan:
    """The plan as it is made by a request."""
    return plan.asked_by(made(Study, {"path": "small", "experiment": "full", **options}))


def failed(plan: Plan) -> Record:
    run = plan.run(plan.cells[0], plan.seeds[0])
    return Record(key=run.key, run=run.as_dict(), outcome="failed", cells=(plan.cells[0].name,))


def look(number=1, data="a", score="accuracy") -> Look:
    return Look(number=number, data=data, runs=3, score=score, verdicts={"kernel": "helps"},
                level=0.97)  # fmt: skip


@pytest.fixture
def file(plan, tmp_path) -> Path:
    """A study registered before its first run, with two looks."""
    path = tmp_path / "s.study"
    with Store.open(path) as store:
        store.save_plan(asked(plan, margin=0.5, looks=2, seeds=2))
        assert store.keep_look(look()) and store.keep_look(look(2, "b"))
    return path


def test_a_plan_is_registered_before_the_first_run(file, plan):
    with Store.open(file, create=False) as store:
        history = store.history()
    (first,) = history.registered
    assert (first.hash, first.recorded) == (plan_hash(plan), 0)
    assert (first.score, first.margin, first.looks) == ("accuracy", 0.5, 2)
    assert (first.cells, first.seeds, first.runs) == (len(plan.cells), len(plan.seeds), plan.count)
    assert first.at.endswith("+00:00") and history.is_kept
    assert [each.number for each in history.looks] == [1, 2] and history.last == 2


def test_what_changes_is_added_with_the_runs_by_then(file, plan):
    more = replace(plan, seeds=(*plan.seeds, 7))
    with Store.open(file) as store:
        store.save_plan(asked(plan, seeds=2))  # what is not said stays
        store.add(failed(plan))
        store.save_plan(asked(more, score="nll"))
        store.save_plan(asked(more, seeds=2))
        store.save_plan(asked(plan, seeds=2))  # the file holds the larger one
        first, second = store.history().registered
    assert (second.recorded, second.seeds, second.score) == (1, len(plan.seeds) + 1, "nll")
    assert (second.margin, second.looks) == (0.5, 2) and second.hash != first.hash


def test_a_hash_is_of_what_is_trained(plan):
    """Not of words, nor of what later versions add at its default."""
    assert plan_hash(plan) == plan_hash(replace(plan, title="other", command="x"))
    cell = replace(plan.cells[0], changed="in other words", params=1)
    assert plan_hash(plan) == plan_hash(replace(plan, cells=(cell, *plan.cells[1:])))
    recipe = replace(plan.cells[0].recipe, epochs=plan.cells[0].recipe.epochs + 1)
    for other in (
        replace(plan, seeds=(*plan.seeds, 9)),
        replace(plan, cells=(replace(cell, recipe=recipe), *plan.cells[1:])),
        replace(plan, data={**plan.data, "fingerprint": "another"}),
        replace(plan, held_out=True),
    ):
        assert plan_hash(other) != plan_hash(plan)


def test_the_same_look_is_kept_once(file):
    with Store.open(file) as store:
        before = store.history()
        assert store.keep_look(look(2, "b")) and store.history() == before
        assert store.keep_look(look(2, "b", "nll")) and store.history().last == 2
        assert not store.keep_look(look(2, "c", "nll")) and len(store.history().looks) == 3


def test_a_file_whose_runs_came_first_gets_none(tmp_path, plan):
    path = tmp_path / "old.study"
    path.write_bytes((KEPT / "factors-6.study").read_bytes())
    with Store.open(path) as store:
        there = store.plan()
        store.save_plan(replace(there, seeds=(*there.seeds, 99)))
        assert store.history().registered == () and not store.history().is_kept


def test_versions_from_before_are_not_told_of_damage(file):
    """They take every digest of a place that they do not know for a row that is lost."""
    with closing(sqlite3.connect(file)) as opened:
        places = [place for (place,) in opened.execute("SELECT place FROM digests")]
    assert places and not any(place.startswith("history") for place in places)


def test_a_look_that_a_hand_changed_is_named_and_counts(file):
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("UPDATE history SET told = replace(told, 'helps', 'hurts') WHERE number = 2")
    for goes_on in (False, True):
        with Store.open(file, create=goes_on) as store:
            damage, history = store.damage(), store.history()
        assert (damage is None) == goes_on and (damage is None or damage.history == 1)
        assert [each.number for each in history.looks] == [1]
        assert (history.lost, history.last) == (1, 2) and history.is_kept


def test_a_file_that_is_made_anew_keeps_them(file):
    content = bytearray(file.read_bytes())
    content[:100] = bytes(100)  # the header
    file.write_bytes(content)
    with Store.open(file, create=False) as store:
        assert [each.number for each in store.history().looks] == [1, 2]
    with Store.open(file) as store:
        history = store.history()
    assert [each.number for each in history.looks] == [1, 2] and history.registered[0].looks == 2
    assert history.lost == 0


def test_fields_of_newer_versions_are_left_out_and_others_refused(file):
    from nextify.records.mending import write_history

    values = {"number": 3, "data": "c", "runs": 1, "score": "nll", "verdicts": {}, "level": 0.9}
    with closing(sqlite3.connect(file)) as opened, opened:
        write_history(opened, "look", 3, "2030", json.dumps({**values, "mood": 1}))
    with Store.open(file, create=False) as store:
        assert store.history().looks[-1].score == "nll"
    with closing(sqlite3.connect(file)) as opened, opened:
        write_history(opened, "look", 4, "2030", json.dumps({**values, "level": 7}))
    with Store.open(file, create=False) as store, pytest.raises(InputError, match="'level' is 7"):
        store.history()
