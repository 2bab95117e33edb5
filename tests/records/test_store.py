"""The study file keeps every bit, holds one study, and says in one line what is wrong with it."""

import sqlite3
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from example_plan import make_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.designs import Run
from nextify.errors import InputError
from nextify.records import EpochPoint, Measured, Outcome, Plan, Record, Result, Store

FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
POINTS = st.builds(
    EpochPoint,
    epoch=st.integers(0, 300),
    learning_rate=FLOATS,
    train_loss=FLOATS,
    accuracy=st.none() | FLOATS,
    images=st.integers(0, 50_000),
)
CURVES = st.lists(POINTS, max_size=3).map(tuple)
RESULTS = st.builds(
    Result,
    accuracy=FLOATS,
    nll=FLOATS,
    calibration_error=FLOATS,
    images=st.integers(0, 2**62),
    correct=st.binary(max_size=40),
    curve=CURVES,
    steps=st.integers(0, 2**62),
)
MEASURED = st.builds(
    Measured,
    seconds=FLOATS,
    evaluation_seconds=FLOATS,
    images_per_second=FLOATS,
    peak_memory=st.integers(0, 2**62),
)
ENVIRONMENTS = st.dictionaries(st.text(), st.text() | st.integers() | FLOATS, max_size=3)


def a_run(seed: int = 0) -> Run:
    plan = make_plan()
    return plan.run(plan.cells[1], seed)


def a_record(seed: int = 0, outcome: Outcome = "finished", message: str = "") -> Record:
    run = a_run(seed)
    result = Result(accuracy=0.1, nll=2.0, calibration_error=0.3, images=16, correct=b"\x01\xff")
    return Record(
        key=run.key,
        run=run.as_dict(),
        outcome=outcome,
        result=result if outcome == "finished" else None,
        message=message,
    )


def bits(record: Record) -> bytes:
    """Every float of a record, as bits: `==` does not tell 0.0 from -0.0."""
    values: list[float] = []
    curves = record.curve + (record.result.curve if record.result else ())
    for point in curves:
        values += [point.learning_rate, point.train_loss, point.accuracy or 0.0]
    if record.result:
        values += [record.result.accuracy, record.result.nll, record.result.calibration_error]
    return struct.pack(f"{len(values)}d", *values)


@settings(max_examples=60, deadline=None)
@given(
    result=st.none() | RESULTS,
    curve=CURVES,
    measured=st.none() | MEASURED,
    environment=ENVIRONMENTS,
    message=st.text(),
    outcome=st.sampled_from(["finished", "diverged", "failed"]),
)
def test_a_record_comes_back_bit_for_bit(result, curve, measured, environment, message, outcome):
    run = a_run()
    record = Record(
        key=run.key,
        run=run.as_dict(),
        outcome=outcome,
        result=result,
        curve=curve,
        measured=measured,
        environment=environment,
        message=message,
    )
    with in_memory() as store:
        assert store.add(record)
        assert store.get(run.key) == record
        assert bits(store.records()[0]) == bits(record)


def in_memory() -> Store:
    """A store without a disk, which a hundred examples would wait for."""
    store = Store(Path(":memory:"), sqlite3.connect(":memory:", isolation_level=None))
    store._prepare(create=True)
    return store


def test_a_record_survives_closing(tmp_path):
    record = a_record()
    with Store.open(tmp_path / "s.db") as store:
        store.add(record)
    with Store.open(tmp_path / "s.db", create=False) as store:
        assert store.records() == (record,)
        assert store.get("other") is None


def test_a_diverged_curve_keeps_nan_and_infinity(tmp_path):
    point = EpochPoint(epoch=1, learning_rate=float("inf"), train_loss=float("nan"))
    with Store.open(tmp_path / "s.db") as store:
        store.add(replace(a_record(outcome="diverged"), curve=(point,)))
        back = store.records()[0].curve[0]
    assert back.learning_rate == float("inf")
    assert back.train_loss != back.train_loss


def test_a_message_with_a_file_name_that_is_not_unicode(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        store.add(a_record(outcome="failed", message="cannot read \udcff.png"))
        assert store.records()[0].message == "cannot read \\udcff.png"


def test_the_first_record_stays_unless_it_failed(tmp_path):
    failed, first = a_record(outcome="failed", message="no memory"), a_record()
    with Store.open(tmp_path / "s.db") as store:
        assert store.add(failed)
        assert store.add(first)
        assert not store.add(a_record(outcome="diverged"))
        assert not store.add(failed)
        assert store.records() == (first,)


def test_delete_failed_forgets_failures_among_the_given_only(tmp_path):
    lost = a_record(3, "failed")
    kept = (a_record(0), a_record(1, "diverged"), a_record(2, "failed"))
    keys = [record.key for record in (*kept[:2], lost)]
    with Store.open(tmp_path / "s.db") as store:
        for record in (*kept, lost):
            store.add(record)
        assert store.delete_failed(keys) == 1
        assert store.records() == kept
        assert store.delete_failed(keys) == 0


def test_the_plan_comes_back_equal(tmp_path, plan):
    with Store.open(tmp_path / "s.db") as store:
        assert store.save_plan(plan) == plan
    with Store.open(tmp_path / "s.db", create=False) as store:
        assert store.plan() == plan
        assert [run.key for run in store.plan().runs()] == [run.key for run in plan.runs()]


@pytest.mark.parametrize(
    ("first", "second", "seeds", "command"),
    [
        ((0, 1), (0, 1), (0, 1), "nextify study --seeds 0,1"),
        ((0, 1), (0, 1, 2), (0, 1, 2), "nextify study --seeds 0,1,2"),
        ((0, 1, 2), (1,), (0, 1, 2), "nextify study --seeds 0,1,2"),
        ((4, 1), (0,), (0, 1, 4), "nextify study --seeds 4,1 && nextify study --seeds 0"),
    ],
)
def test_seeds_are_united(tmp_path, first, second, seeds, command):
    with Store.open(tmp_path / "s.db") as store:
        store.save_plan(make_plan(seeds=first))
        store.save_plan(make_plan(seeds=second))
        assert (store.plan().seeds, store.plan().command) == (seeds, command)
        store.save_plan(make_plan(seeds=second))
        assert store.plan().command == command


def other_plans() -> list[tuple[Plan, str]]:
    plan = make_plan()
    first, *rest = plan.cells
    deeper = replace(first, design=replace(first.design, kernel_size=5))
    return [
        (make_plan(epochs=10), "recipe field 'epochs' of step 'ResNet-50' is 5 there and 10 here"),
        (replace(plan, name="small"), "the path is 'resnet50' there and 'small' here"),
        (replace(plan, precision="bfloat16"), "the precision is 'float32' there and 'bfloat16'"),
        (replace(plan, data={**plan.data, "train": 7}), "field 'train' of the data is 1000 there"),
        (make_plan(steps=2), "the number of steps is 3 there and 2 here"),
        (replace(plan, cells=tuple(rest)), "step 1 is 'ResNet-50' there and 'training recipe'"),
        (
            replace(plan, cells=(deeper, *rest)),
            "design field 'kernel_size' of step 'ResNet-50' is 3 there and 5 here",
        ),
    ]


@pytest.mark.parametrize(("other", "words"), other_plans())
def test_another_study_is_refused_and_changes_nothing(tmp_path, plan, other, words):
    with Store.open(tmp_path / "s.db") as store:
        store.save_plan(plan)
        with pytest.raises(InputError, match="name another file") as refused:
            store.save_plan(other)
        assert words in str(refused.value)
        assert store.plan() == plan


def test_words_that_only_describe_may_change(tmp_path, plan):
    with Store.open(tmp_path / "s.db") as store:
        store.save_plan(plan)
        store.save_plan(replace(plan, title="better", data_source="From there."))
        assert store.plan().title == "better"


def test_a_study_goes_on_when_its_images_are_renamed(tmp_path, plan):
    """And its runs keep their keys, in which the old name is."""
    renamed = replace(plan, data={**plan.data, "name": "moved"}, seeds=(0, 1, 2))
    with Store.open(tmp_path / "s.db") as store:
        store.save_plan(plan)
        joined = store.save_plan(renamed)
        assert joined.seeds == (0, 1, 2) and joined.data == plan.data
        cell = plan.cells[0]
        assert joined.run(cell, 0).key == plan.run(cell, 0).key
        other = replace(renamed, data={**renamed.data, "fingerprint": "cd" * 32})
        with pytest.raises(InputError, match="'name' of the data is 'tiny' there and 'moved' here"):
            store.save_plan(other)


def sqlite_file(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path


def refused(path: Path, words: str, *, create: bool = True) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Store.open(path, create=create)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_not_made_for_a_reader(tmp_path):
    refused(tmp_path / "s.db", "does not exist; make it with", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder(tmp_path):
    refused(tmp_path / "no" / "s.db", "there is no folder")


def test_a_folder_is_not_a_study_file(tmp_path):
    refused(tmp_path, "is a folder")


def test_a_device_is_not_a_study_file():
    refused(Path("/dev/null"), "not a regular file")


def test_a_name_too_long_for_the_disk(tmp_path):
    refused(tmp_path / ("x" * 300), "cannot be opened")


@pytest.mark.parametrize("create", [True, False])
def test_not_an_sqlite_file(tmp_path, create):
    path = tmp_path / "s.db"
    path.write_bytes(b"\x89PNG" * 500)
    refused(path, "is not a study file", create=create)
    assert path.read_bytes() == b"\x89PNG" * 500


@pytest.mark.parametrize("create", [True, False])
def test_an_sqlite_file_of_something_else(tmp_path, create):
    path = sqlite_file(tmp_path / "s.db", "CREATE TABLE songs (name TEXT)")
    before = path.read_bytes()
    refused(path, "of another program", create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(("version", "age"), [(99, "a newer"), (0, "an older")])
def test_another_schema(tmp_path, create, version, age):
    path = tmp_path / "s.db"
    Store.open(path).close()
    sqlite_file(path, f"PRAGMA user_version = {version}")
    refused(path, f"made by {age} version", create=create)


def test_an_empty_file_is_new_to_a_writer_and_empty_to_a_reader(tmp_path):
    path = tmp_path / "s.db"
    path.touch()
    refused(path, "is empty", create=False)
    with Store.open(path) as store:
        assert store.records() == ()
        with pytest.raises(InputError, match="holds no plan"):
            store.plan()


def test_a_kill_in_the_middle_of_creating_leaves_an_empty_file(tmp_path):
    """A kill leaves pages that nobody committed, and the journal that takes them back."""
    begun, killed = tmp_path / "begun.db", tmp_path / "killed.db"
    with closing(sqlite3.connect(begun, isolation_level=None)) as process:
        process.execute("PRAGMA cache_size = 1")  # pages go to the disk before the commit
        process.execute("BEGIN IMMEDIATE")
        for table in range(40):
            process.execute(f"CREATE TABLE runs{table} (key TEXT)")
        killed.write_bytes(begun.read_bytes())
        Path(f"{killed}-journal").write_bytes(Path(f"{begun}-journal").read_bytes())
    assert killed.stat().st_size > 0
    refused(killed, "is empty", create=False)
    assert killed.stat().st_size == 0
    with Store.open(killed) as store:
        assert store.records() == ()


def test_a_read_only_file_can_be_read_but_not_continued(unprivileged):
    path = unprivileged / "s.db"
    with Store.open(path) as store:
        store.add(a_record())
    path.chmod(0o400)
    refused(path, "read-only")
    with Store.open(path, create=False) as store:
        assert len(store.records()) == 1
        with pytest.raises(InputError, match="read-only"):
            store.add(a_record(1))


def test_a_read_only_folder(unprivileged):
    path = unprivileged / "s.db"
    with Store.open(path) as store:
        store.add(a_record())
    unprivileged.chmod(0o500)
    refused(path, "folder")
    refused(unprivileged / "new.db", "folder")
    with Store.open(path, create=False) as store:
        assert len(store.records()) == 1


def test_a_folder_that_may_not_be_entered(unprivileged):
    unprivileged.chmod(0o000)
    refused(unprivileged / "s.db", "cannot be opened")


def test_a_damaged_file(tmp_path):
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        for seed in range(20):
            store.add(a_record(seed))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xaa" * (len(content) - 4096))
    with Store.open(path, create=False) as store, pytest.raises(InputError, match="is damaged"):
        store.records()


@pytest.mark.parametrize("nonsense", ["{", "[]", "null", '{"accuracy":1}'])
def test_a_damaged_row(tmp_path, plan, nonsense):
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        store.add(a_record())
        store.save_plan(plan)
    quoted = nonsense.replace("'", "''")
    sqlite_file(path, f"UPDATE runs SET result = '{quoted}'", f"UPDATE plan SET plan = '{quoted}'")
    with Store.open(path, create=False) as store:
        assert store.records() == () and store.damage().unknown == 1
        with pytest.raises(InputError, match="is damaged"):
            store.plan()


def test_a_full_disk_keeps_what_was_recorded_and_the_file_usable(tmp_path):
    with Store.open(tmp_path / "s.db") as store:
        store.add(a_record(0))
        pages = store._pragma("page_count")
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match="the disk is full"):
            store.add(replace(a_record(1), message="x" * 100_000))
        assert store.records() == (a_record(0),)
        store._connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
        store.add(a_record(1))
    with Store.open(tmp_path / "s.db") as store:
        assert store.records() == (a_record(0), a_record(1))


def test_another_program_that_holds_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("nextify.records.store._BUSY_SECONDS", 0.01)
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="locked by another program"):
            store.add(a_record())
        other.execute("ROLLBACK")
        other.close()
        assert store.add(a_record())


def test_one_file_and_nothing_beside_it(tmp_path):
    """A study that is copied as a file is copied whole, also while it is open."""
    with Store.open(tmp_path / "s.db") as store:
        store.add(a_record())
        assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
        (tmp_path / "copy.db").write_bytes((tmp_path / "s.db").read_bytes())
    with Store.open(tmp_path / "copy.db", create=False) as copy:
        assert copy.records() == (a_record(),)


def test_many_that_make_the_file_at_once(tmp_path):
    start = Barrier(8)

    def open_and_save(seed: int) -> None:
        start.wait()
        with Store.open(tmp_path / "s.db") as store:
            store.save_plan(make_plan(seeds=(seed,)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(open_and_save, range(8)))
    with Store.open(tmp_path / "s.db", create=False) as store:
        assert sorted(store.plan().seeds) == list(range(8))
