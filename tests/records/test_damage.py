"""A damaged study file says so, and what can be believed of it is what was written."""

import copy
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
from example_plan import make_plan

from nextify.errors import InputError
from nextify.records import (
    EpochPoint,
    Measured,
    Plan,
    Record,
    Result,
    Store,
    places,
    plan_from_dict,
    record_from_dict,
)

Numbers = dict[tuple[str, int], Record]


def plan_of(cells: int = 3, seeds: int = 4) -> Plan:
    return make_plan(seeds=tuple(range(seeds)), steps=cells)


def records_of(plan: Plan) -> Iterator[Record]:
    """One for each run, each with numbers of its own."""
    for at, (cell, seed) in enumerate(plan.places()):
        run = plan.run(cell, seed)
        right = at % 17
        curve = tuple(EpochPoint(epoch=e, learning_rate=0.1, train_loss=1 / e) for e in (1, 2))
        yield Record(
            key=run.key,
            run=run.as_dict(),
            outcome="finished",
            result=Result(
                accuracy=right / 16,
                nll=0.5 + at / 7,
                calibration_error=at / 100,
                images=16,
                correct=((1 << right) - 1).to_bytes(2, "big"),
                curve=curve,
                steps=50,
            ),
            curve=curve,
            measured=Measured(
                seconds=3.5, evaluation_seconds=0.5, images_per_second=200.0, peak_memory=10**8
            ),
            environment={"torch": "2.4", "machine": "x" * 300},
            cells=(cell.name,),
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A study file without damage, of several pages a table."""
    path = tmp_path_factory.mktemp("whole") / "s.study"
    plan = plan_of()
    with Store.open(path) as store:
        store.save_plan(plan)
        for record in records_of(plan):
            store.add(record)
    return path


def numbers(plan: Plan, records: tuple[Record, ...]) -> Numbers:
    """The record of each place; not the names of its cells, which a plan tells, too."""
    return {place: replace(record, cells=()) for place, record in places(plan, records).items()}


def flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def flip_many(content: bytearray, chance: random.Random) -> None:
    for _ in range(20):
        flip(content, chance)


def zero_a_page(content: bytearray, chance: random.Random) -> None:
    page = 4096 * chance.randrange(len(content) // 4096)
    content[page : page + 4096] = bytes(4096)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(1, len(content)) :]


def swap_pages(content: bytearray, chance: random.Random) -> None:
    one, other = (4096 * chance.randrange(len(content) // 4096) for _ in range(2))
    a, b = content[one : one + 4096], content[other : other + 4096]
    content[one : one + 4096], content[other : other + 4096] = b, a


def text_of_another(content: bytearray, chance: random.Random) -> None:
    """A digit of a text becomes another digit: what is read is as likely as what was written."""
    digits = [at for at, byte in enumerate(content) if 48 <= byte < 58]
    content[chance.choice(digits)] = 48 + chance.randrange(10)


DAMAGES: list[tuple[Callable[[bytearray, random.Random], None], int]] = [
    (flip, 120), (text_of_another, 60), (flip_many, 20), (zero_a_page, 30), (cut, 30),
    (swap_pages, 20),
]  # fmt: skip


def damaged(whole: Path, place: Path, damage, seed: int) -> bool:
    """A copy with some damage; whether anything is another now."""
    content = bytearray(whole.read_bytes())
    damage(content, random.Random(f"{damage.__name__} {seed}"))
    place.write_bytes(content)
    return bytes(content) != whole.read_bytes()


EVERY = pytest.mark.parametrize(
    ("damage", "times"), DAMAGES, ids=[each.__name__ for each, _ in DAMAGES]
)


@EVERY
def test_what_is_read_is_what_was_written_or_the_damage_is_named(whole, tmp_path, damage, times):
    plan, path, read = plan_of(), tmp_path / "s.study", 0
    written = numbers(plan, tuple(records_of(plan)))
    for seed in range(times):
        if not damaged(whole, path, damage, seed):
            continue
        try:
            with Store.open(path, create=False) as store:
                there, found, named = store.plan(), store.records(), store.damage()
        except InputError as error:
            assert "\n" not in str(error) and str(path) in str(error)
            continue
        read += 1
        now = numbers(there, found)
        lost = {place for place in written if now.get(place) != written[place]}
        assert there == plan and (not lost or named is not None), seed
        assert all(place not in now or now[place].outcome == "failed" for place in lost), seed
        assert named is None or len(named.runs) == sum(place in now for place in lost), seed
        for beside in tmp_path.glob("s.study-*"):
            beside.unlink()
    assert read > times // 3


@EVERY
def test_a_study_goes_on_with_what_is_left(whole, tmp_path, damage, times):
    """It keeps what can be believed, gets the rest anew, and is then as if nothing had been."""
    plan, path, kept = plan_of(), tmp_path / "s.study", 0
    written = numbers(plan, tuple(records_of(plan)))
    for seed in range(times // 5):
        damaged(whole, path, damage, seed)
        try:
            with Store.open(path) as store:
                store.save_plan(plan)
                left = numbers(plan, store.records())
                assert left.items() <= written.items(), seed
                for record in records_of(plan):
                    if (record.cells[0], record.seed) not in left:
                        assert store.add(record), seed
        except InputError as error:
            assert "\n" not in str(error) and str(path) in str(error)
        else:
            kept += 1
            with Store.open(path, create=False) as store:
                assert store.damage() is None and store.plan() == plan, seed
                assert numbers(plan, store.records()) == written, seed
        for beside in tmp_path.glob("s.study?*"):
            beside.unlink()
    assert kept > times // 15


ODD = (
    None, True, False, -1, 0.5, 10**400, 2**63, float("nan"), float("inf"), 1e-300, "", "x",
    "x" * 10**6, "\x00\n", [], {}, [1], {"a": 1}, [[[]]],
)  # fmt: skip


def parts(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a value of JSON."""
    if at:
        yield at
    match value:
        case dict():
            inside = list(value.items())
        case list():
            inside = list(enumerate(value))
        case _:
            inside = []
    for name, each in inside:
        yield from parts(each, (*at, name))


def changed(values: object, chance: random.Random) -> tuple[object, str]:
    """The same with one value of another kind, gone, or in a list; and where."""
    values = copy.deepcopy(values)
    *way, last = chance.choice(list(parts(values)))
    holder = values
    for name in way:
        holder = holder[name]  # type: ignore
    was, now = holder[last], chance.choice((*ODD, "gone", "wrapped"))  # type: ignore
    if now == "gone":
        del holder[last]  # type: ignore
    else:
        holder[last] = [was] if now == "wrapped" else now  # type: ignore
    return values, f"{way} {last}: {str(now)[:40]}"


@pytest.mark.parametrize("kind", ["plan", "record"])
def test_values_of_another_kind_are_refused_in_one_line(kind):
    """Or they are values of that kind: a text is as good as another."""
    plan = plan_of(2, 1)
    whole = plan if kind == "plan" else replace(next(records_of(plan)), cells=())
    read = plan_from_dict if kind == "plan" else record_from_dict
    values = json.loads(json.dumps(whole.as_dict()))
    refused = 0
    for seed in range(250):
        other, what = changed(values, random.Random(seed))
        try:
            found = read(other)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 600, what
        else:
            assert isinstance(found, type(whole)), what
    assert refused > 190


@pytest.mark.parametrize("table", ["plan", "runs"])
def test_what_a_hand_changed_is_named(whole, tmp_path, table):
    """Also where the new value is as likely as the one that was written."""
    path, chance = tmp_path / "s.study", random.Random(0)
    for column in ("plan",) if table == "plan" else ("result", "run", "curve", "measured"):
        path.write_bytes(whole.read_bytes())
        with closing(sqlite3.connect(path)) as file, file:
            text = file.execute(f"SELECT {column} FROM {table} WHERE rowid = 1").fetchone()[0]
            at = chance.choice([at for at, sign in enumerate(text) if sign.isdigit()])
            text = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
            file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = 1", (text,))
        with Store.open(path, create=False) as store:
            damage = store.damage()
            assert damage is not None and damage.has_plan == (table == "runs")
            assert len(damage.runs) == (table == "runs")


def test_the_numbers_of_a_record_agree_with_each_other():
    values = next(records_of(plan_of())).as_dict()
    for name, value, words in (
        ("accuracy", 0.25, "'result.accuracy' is 0.25, but 0 of 16 answers are right"),
        ("images", 17, "'result.images' is 17, and 'result.correct' is of 16 images"),
        ("accuracy", 1.5, "'result.accuracy' is 1.5; it must be from 0 to 1"),
        ("correct", "zz", "'result.correct' is 'zz'; it must be hexadecimal text"),
    ):
        with pytest.raises(InputError, match=words):
            record_from_dict({**values, "result": {**values["result"], name: value}})
    with pytest.raises(InputError, match="not the key of its 'run'"):
        record_from_dict({**values, "run": {**values["run"], "seed": 9}})


def test_files_from_before_there_were_digests_get_them(whole, tmp_path):
    """With the next study that goes on; until then they are read as far as they make sense."""
    path, plan = tmp_path / "old.study", plan_of()
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as file, file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            file.execute(f"DROP TRIGGER {name}")
        file.execute("DROP TABLE digests")
        file.execute("UPDATE runs SET result = '{' WHERE rowid = 1")
    with Store.open(path, create=False) as store:
        assert len(store.records()) == 12 and len(store.damage().runs) == 1
    with Store.open(path) as store:
        store.save_plan(plan)
        assert store.damage() is None and len(store.records()) == 11
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE runs SET message = 'another' WHERE rowid = 2")
    with Store.open(path, create=False) as store:
        assert len(store.damage().runs) == 1


def test_what_a_version_without_digests_writes_is_believed(whole, tmp_path):
    """It puts a plan in place of the plan, and a record in place of a failure."""
    path = tmp_path / "s.study"
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as file, file:
        (text,) = file.execute("SELECT plan FROM plan").fetchone()
        other = json.dumps({**json.loads(text), "title": "older"})
        file.execute("INSERT OR REPLACE INTO plan VALUES (1, ?)", (other,))
        file.execute("UPDATE runs SET message = 'm', recorded_at = '2026' WHERE rowid = 1")
        file.execute("DELETE FROM runs WHERE rowid = 2")
    with Store.open(path, create=False) as store:
        assert store.damage() is None and store.plan().title == "older"
        assert len(store.records()) == 11 and store.records()[0].message == "m"


def test_many_that_find_the_file_damaged_at_once(whole, tmp_path):
    """One makes it anew; none takes back what another has recorded meanwhile."""
    path, start = tmp_path / "s.study", Barrier(4)
    path.write_bytes(bytes(4096) + whole.read_bytes()[4096:])
    more = list(records_of(plan_of(seeds=6)))[-4:]

    def go_on(at: int) -> None:
        start.wait()
        with Store.open(path) as store:
            store.add(more[at])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(go_on, range(4)))
    with Store.open(path, create=False) as store:
        assert store.damage() is None and len(store.records()) == 16


def test_a_run_recorded_while_the_file_is_read_is_no_damage(whole, tmp_path, monkeypatch):
    """Whichever table is read at that moment."""
    path, more = tmp_path / "s.study", iter(list(records_of(plan_of(seeds=9)))[12:])
    path.write_bytes(whole.read_bytes())
    monkeypatch.setattr("nextify.records.store._BUSY_SECONDS", 0.01)
    tables = ["runs", "cells", "digests", "history"]

    class Slow(sqlite3.Connection):
        def execute(self, query, *values):
            if any(f"FROM {table} " in query for table in tables):
                with suppress(InputError):  # the reader has the file
                    writer.add(next(more))
            return super().execute(query, *values)

    with Store.open(path) as writer:
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Slow))
        with Store.open(path, create=False) as store:
            assert store.damage() is None
            with store.at_one_moment():
                assert store.records() == store.records()


def test_a_reader_beside_a_writer(whole, tmp_path):
    path = tmp_path / "s.study"
    path.write_bytes(whole.read_bytes())

    def write() -> None:
        with Store.open(path) as store:
            for record in list(records_of(plan_of(seeds=12)))[12:]:
                store.add(record)

    with ThreadPoolExecutor(1) as thread, Store.open(path, create=False) as store:
        writing = thread.submit(write)
        while not writing.done():
            assert store.damage() is None
        writing.result()
        assert len(store.records()) == 36


@pytest.mark.parametrize("at", [60, 68])  # the version of the tables, and whose file it is
def test_a_header_that_is_anothers(whole, tmp_path, at):
    path = tmp_path / "s.study"
    content = bytearray(whole.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)
    if at == 60:
        with pytest.raises(InputError, match="made by a newer version"):
            Store.open(path, create=False)
    else:
        with Store.open(path) as store:
            assert len(store.records()) == 12


def test_another_study_is_not_put_in_the_place_of_a_lost_plan(whole, tmp_path):
    path = tmp_path / "s.study"
    path.write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE plan SET plan = '{}'")
    with Store.open(path) as store:
        with pytest.raises(InputError, match="none of this study"):
            store.save_plan(make_plan(epochs=7))
        assert store.save_plan(plan_of()) == plan_of() and len(store.records()) == 12
