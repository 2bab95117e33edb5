"""What probes found of a run's network is kept beside its record, with digests as all else."""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_damage import plan_of, records_of

from nextify.errors import InputError
from nextify.records import Measurement, Store, plan_hash
from nextify.records.measurement import from_row, to_row
from nextify.records.same import united

KEPT = Path(__file__).parent / "kept"
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MEASUREMENTS = st.builds(
    Measurement,
    probe=NAMES,
    version=st.integers(0, 2**31),
    unit=st.text(),
    value=st.none() | FLOATS,
    values=st.dictionaries(st.text(), FLOATS, max_size=3),
    units=st.dictionaries(st.text(), st.text(), max_size=2),
    curves=st.dictionaries(st.text(), st.lists(FLOATS | st.lists(FLOATS)), max_size=2),
    reason=st.text(),
    failed=st.booleans(),
    images=st.integers(0, 2**40),
    seconds=st.floats(0, 1e9),
)


def found_of(key: str, probe: str = "depth") -> Measurement:
    value = int(key[:6], 16) / 7
    return Measurement(
        probe=probe, version=2, unit="px", value=value, values={"stage1": value / 3},
        curves={"block": [value, 0.5], "map": [[1.0, 2.0], [3.0, value]]}, images=500, seconds=1.5,
    )  # fmt: skip


@pytest.fixture
def file(tmp_path):
    """A study file whose runs have what two probes found."""
    path, plan = tmp_path / "s.study", plan_of()
    with Store.open(path) as store:
        store.save_plan(plan)
        for record in records_of(plan):
            store.add(record, plan, [found_of(record.key), found_of(record.key, "noise")])
    return path


def expected() -> dict[str, dict[str, Measurement]]:
    keys = [record.key for record in records_of(plan_of())]
    return {key: {name: found_of(key, name) for name in ("depth", "noise")} for key in keys}


@settings(max_examples=40, deadline=None)
@given(MEASUREMENTS)
def test_a_measurement_comes_back_bit_for_bit(found):
    assert from_row(to_row("k", found)) == found


def test_they_are_read_by_run_and_probe(file):
    with Store.open(file, create=False) as store:
        assert store.measurements() == expected() and len(store.records()) == 12
        assert store.damage() is None


def test_a_later_one_takes_the_place_of_the_one_before(file):
    key = next(iter(expected()))
    later = replace(found_of(key), version=3, value=None, reason="too small")
    with Store.open(file) as store:
        store.keep_measurements(key, [later])
        store.keep_measurements(key, [later])
        assert store.measurements() == {**expected(), key: {**expected()[key], "depth": later}}
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("SELECT count(*) FROM probes").fetchone() == (24,)


def test_a_second_record_of_a_run_changes_nothing(file):
    record = next(records_of(plan_of()))
    with Store.open(file) as store:
        assert not store.add(record, found=[Measurement(probe="depth", version=9)])
        assert store.measurements() == expected()


@pytest.mark.parametrize("create", [True, False])
def test_files_from_before_have_none_and_go_on(file, create):
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("DROP TABLE probes")
    with Store.open(file, create=False) as store:
        assert store.measurements() == {} and len(store.records()) == 12
    with Store.open(file, create=create) as store:
        key = next(iter(expected()))
        store.keep_measurements(key, [found_of(key)])
        assert store.measurements() == {key: {"depth": found_of(key)}} and store.damage() is None


def test_versions_from_before_are_not_told_of_damage(file):
    """They take every digest of a place that they do not know for a row that is lost."""
    with closing(sqlite3.connect(file)) as opened:
        places = [place for (place,) in opened.execute("SELECT place FROM digests")]
    assert places and not any(place.startswith("probe") for place in places)


def test_one_that_a_hand_changed_is_left_out_and_counted(file):
    key = next(iter(expected()))
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(
            "UPDATE probes SET told = replace(told, '500', '501') WHERE key = ? AND probe < 'e'",
            (key,),
        )
    left = {**expected(), key: {"noise": found_of(key, "noise")}}
    for goes_on in (False, True):
        with Store.open(file, create=goes_on) as store:
            damage = store.damage()
            assert store.measurements() == left and len(store.records()) == 12
        assert (damage is None) == goes_on
        assert damage is None or (damage.probes, damage.runs, damage.has_plan) == (1, (), True)


def test_a_file_that_is_made_anew_keeps_them(file):
    content = bytearray(file.read_bytes())
    content[:100] = bytes(100)  # the header
    file.write_bytes(content)
    with Store.open(file, create=False) as store:
        assert store.measurements() == expected()
        with pytest.raises(InputError, match="is damaged; start the study's command again"):
            store.keep_measurements("k", [found_of("0" * 6)])
    with Store.open(file) as store:
        assert store.measurements() == expected() and store.damage() is None


def test_what_is_read_is_what_was_written_or_the_damage_is_named(file, tmp_path):
    whole, read = file.read_bytes(), 0
    for seed in range(60):
        content, chance = bytearray(whole), random.Random(seed)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path = tmp_path / "other.study"
        path.write_bytes(content)
        try:
            with Store.open(path, create=False) as store:
                found, damage = store.measurements(), store.damage()
        except InputError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        there = {(key, name): one for key, own in found.items() for name, one in own.items()}
        wanted = {(key, name): one for key, own in expected().items() for name, one in own.items()}
        lost = {place for place in wanted if there.get(place) != wanted[place]}
        assert not (there.keys() - wanted.keys()) and not (lost & there.keys()), seed
        assert not lost or damage is not None, seed
    assert read > 20


def test_a_field_of_a_newer_version_is_left_out_and_nonsense_refused(file):
    key = next(iter(expected()))
    *_, told = to_row(key, found_of(key))
    newer = told.replace("{", '{"mood":1,', 1)
    assert from_row((key, "depth", 2, newer)) == found_of(key)
    for wrong in ('{"value":"high"}', '{"images":-1}', "[]", "{"):
        with pytest.raises((ValueError, TypeError)):
            from_row((key, "depth", 2, wrong))


def test_which_were_asked_is_in_the_plan_and_in_no_key():
    plan = plan_of()
    asked = replace(plan, probes=("depth", "mine.py"))
    assert "probes" not in plan.as_dict() and asked.as_dict()["probes"] == ("depth", "mine.py")
    assert [run.key for run in asked.runs()] == [run.key for run in plan.runs()]
    more = replace(plan, probes=("noise", "depth"), seeds=(*plan.seeds, 9))
    assert united(asked, more).probes == ("depth", "mine.py", "noise")
    assert united(asked, plan).probes == asked.probes  # what was asked for is asked for still


def test_what_was_registered_before_there_were_probes_is_still_the_plan():
    with Store.open(KEPT / "factors-7.study", create=False) as store:
        plan, (first, *_) = store.plan(), store.history().registered
    assert plan_hash(plan) == first.hash == plan_hash(replace(plan, probes=("depth",)))
