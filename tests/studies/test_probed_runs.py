"""Probes of a study's networks: in the worker when a run has ended, or later on kept networks."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue

import pytest

from nextify.commands.probing import probe, setup_of
from nextify.commands.watch import QUIET
from nextify.data import load
from nextify.designs import Run, design, path, recipe
from nextify.errors import InputError
from nextify.network.files import load_network
from nextify.probes import PROBES
from nextify.records import Measurement, Plan, Record, Store
from nextify.requests import DataSpec
from nextify.requests import Probe as Request
from nextify.studies import Frame, execute, plan_path
from nextify.studies.running.messages import Began, Died, Done, Message, Ready
from nextify.studies.running.probed import ProbeKept, TrainProbed
from nextify.studies.running.probing import Asked, probe_kept
from nextify.studies.running.weights import weights_file
from nextify.studies.running.worker import Orders, WorkerSetup, work

SPEC = DataSpec(source="embedded", train_limit=80, hold_out=True)
MINE = """
from nextify.probes import Found, Probe, Undefined

def measure(subject):
    if {broken}:
        raise RuntimeError("no luck")
    return Found(value=float(subject.images.mean()), curves={{"row": [1.0, 2.0]}})

PROBE = Probe(name="brightness", title="Brightness", version=3, unit="sd", measure=measure)
"""
COLLAPSE = Asked("feature-collapse", "feature-collapse", PROBES["feature-collapse"].version)


class Threads:
    """A crew of threads: no process has to start."""

    def __init__(self, seats: int = 1) -> None:
        self.seats = seats
        self.said: Queue[tuple[int, Message]] = Queue()
        self.runs: dict[int, Queue[tuple[Run, ...] | None]] = {}
        self.given: list[Run] = []

    def hire(self, seat: int, orders: Orders) -> None:
        self.runs[seat] = Queue()
        runs = iter(self.runs[seat].get, None)
        life = (orders, runs, lambda message: self.said.put((seat, message)))
        threading.Thread(target=work, args=life, daemon=True).start()

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        self.given += runs
        self.runs[seat].put(runs)

    def place(self, seat: int) -> str:
        return "here"

    def listen(self, seconds: float) -> Iterator[tuple[int, Message]]:
        with suppress(Empty):
            yield self.said.get(timeout=seconds)

    def dismiss(self) -> None:
        for runs in self.runs.values():
            runs.put(None)


@pytest.fixture(scope="module")
def images():
    return load(SPEC)


@pytest.fixture
def mine(tmp_path) -> Path:
    (tmp_path / "mine.py").write_text(MINE.format(broken=False))
    return tmp_path / "mine.py"


def a_run(images, **changes) -> Run:
    how = recipe("modern-small", **{"epochs": 1, "batch_size": 16, "crop": "none", **changes})
    return Run(design=design("convnext-mini"), recipe=how, data=images.identity())


def told(found: Measurement) -> Measurement:
    """Without what differs from time to time."""
    return replace(found, seconds=0.0)


def no_progress(epoch: int, epochs: int) -> None:
    pass


def test_a_kept_network_gives_the_same_bits_as_the_worker(images, mine, tmp_path):
    run, words = a_run(images), ("feature-collapse", str(mine))
    done = TrainProbed(words, keep_weights=True)(run, images, no_progress)
    assert [each.probe for each in done.measurements] == ["feature-collapse", "brightness"]
    assert all(each.value is not None and each.images == 20 for each in done.measurements)
    assert done.measurements[1].version == 3
    (tmp_path / "n.safetensors").write_bytes(done.weights)
    kept = ProbeKept({run.key: tmp_path / "n.safetensors"}, {run.key: words})
    again = kept(run, images, no_progress)
    assert list(map(told, again.measurements)) == list(map(told, done.measurements))
    card = load_network(tmp_path / "n.safetensors")[1]
    assert card.design == run.design and card.about["accuracy"] == done.record.result.accuracy


def test_probes_change_nothing_of_a_run(images):
    run = a_run(images)
    plain = TrainProbed(())(run, images, no_progress)
    probed = TrainProbed(("feature-collapse",))(run, images, no_progress)
    assert plain.record.result == probed.record.result and plain.record.key == probed.record.key
    assert plain.measurements == () and plain.weights is None and probed.weights is None


def test_what_fails_costs_no_run(images, tmp_path):
    (tmp_path / "bad.py").write_text(MINE.format(broken=True))
    words = (str(tmp_path / "bad.py"), str(tmp_path / "gone.py"), "feature-collapse")
    done = TrainProbed(words)(a_run(images), images, no_progress)
    bad, gone, fine = done.measurements
    assert done.record.outcome == "finished" and fine.value is not None
    assert (bad.probe, bad.failed, bad.reason) == (
        "brightness", True, "the probe failed: RuntimeError: no luck",
    )  # fmt: skip
    assert (gone.probe, gone.failed) == ("gone", True) and "no such file" in gone.reason


def test_a_diverged_run_is_not_probed(images):
    run = a_run(images, learning_rate=1e30, warmup_epochs=0.0)
    done = TrainProbed(("feature-collapse",), keep_weights=True)(run, images, no_progress)
    assert done.record.outcome == "diverged"
    assert (done.measurements, done.weights) == ((), None)


def plan_path_of(images, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    of = Frame(
        path("small"),
        data=images.identity(),
        data_source="Nothing.",
        seeds=seeds,
        recipe_changes={"epochs": 1, "batch_size": 16, "crop": "none"},
    )
    return plan_path(of)


def plan_on(images, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    plan = plan_path_of(images, seeds)
    return replace(plan, cells=plan.cells[-1:])


def test_a_study_records_them_keeps_networks_and_takes_probes_later(images, mine, tmp_path):
    file, plan = tmp_path / "s.study", replace(plan_on(images), probes=("feature-collapse",))
    train = TrainProbed(plan.probes, keep_weights=True)
    execute(plan, file, WorkerSetup(SPEC), train=train, crew=Threads())
    with Store.open(file, create=False) as store:
        first, records = store.measurements(), store.records()
        assert store.plan().probes == ("feature-collapse",)
    assert first.keys() == {record.key for record in records} and len(first) == 2
    assert {file.stem for file in (tmp_path / "s.study.weights").iterdir()} == first.keys()

    crew = Threads()
    done = probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=crew)
    assert (done.runs, done.before, done.measured) == (2, 2, 0) and not crew.given
    asked = [COLLAPSE, Asked(str(mine), "brightness", 3)]
    done = probe_kept(file, asked, WorkerSetup(SPEC), crew=Threads(2))
    assert (done.before, done.measured, done.unkept, done.failures) == (0, 2, 0, {})
    with Store.open(file, create=False) as store:
        later = store.measurements()
        assert store.records() == records and store.damage() is None
    for key in first:
        assert later[key]["feature-collapse"] == first[key]["feature-collapse"]
        assert later[key]["brightness"].value is not None

    newer = [replace(COLLAPSE, version=COLLAPSE.version + 1)]  # a version that is not there
    weights_file(file, records[0].key).unlink()
    weights_file(file, records[1].key).write_bytes(b"nothing")
    done = probe_kept(file, newer, WorkerSetup(SPEC), crew=Threads())
    assert (done.measured, done.unkept) == (0, 1)
    (trouble,) = done.failures.values()
    assert "cannot read network file" in trouble


def test_a_stacks_networks_are_kept_and_probed_one_by_one(images, tmp_path):
    """The whole way, on the images that there are: what is kept is each copy's own network."""
    file, plan = tmp_path / "s.study", replace(plan_on(images), copies=2)
    probed = TrainProbed(("feature-collapse",), keep_weights=True)
    crew = Threads()
    execute(plan, file, WorkerSetup(SPEC), train=probed, train_stack=probed.stack, crew=crew)
    assert [run.seed for run in crew.given] == [0, 1]
    with Store.open(file, create=False) as store:
        records, found = store.records(), store.measurements()
    assert [record.outcome for record in records] == ["finished"] * 2
    values = {found[record.key]["feature-collapse"].value for record in records}
    cards = [load_network(weights_file(file, record.key))[1] for record in records]
    assert len(values) == 2 and None not in values
    assert [card.about["run"] for card in cards] == [record.key for record in records]


class presses_ctrl_c:
    """A progress that does, when a network is probed."""

    def __enter__(self):
        return self.show

    def __exit__(self, *_) -> None:
        pass

    def show(self, snapshot) -> None:
        if snapshot.endings:
            raise KeyboardInterrupt


def test_an_interrupt_loses_nothing_and_the_same_goes_on(images, tmp_path):
    file, plan = tmp_path / "s.study", plan_on(images)
    execute(plan, file, WorkerSetup(SPEC), train=TrainProbed((), True), crew=Threads())
    with pytest.raises(KeyboardInterrupt, match="1 of 2 networks are measured"):
        probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=Threads(), progress=presses_ctrl_c())
    crew = Threads()
    done = probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=crew)
    assert (done.before, done.measured) == (1, 1) and len(crew.given) == 1


def test_a_damaged_file_is_mended_before_networks_are_probed(images, tmp_path):
    file = tmp_path / "s.study"
    execute(plan_on(images), file, WorkerSetup(SPEC), train=TrainProbed((), True), crew=Threads())
    content = bytearray(file.read_bytes())
    content[16:100] = bytes(84)  # of the header
    file.write_bytes(content)
    assert probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=Threads()).measured == 2
    with Store.open(file, create=False) as store:
        assert store.damage() is None and len(store.measurements()) == 2


class Dying(Threads):
    """Its workers die while they load the images."""

    def hire(self, seat: int, orders: Orders) -> None:
        assert seat not in self.runs, "hired again"
        self.runs[seat] = Queue()
        self.said.put((seat, Died("it was killed")))


class Losing(Threads):
    """Its first worker loses its GPU at the first network, and has the second when it ends."""

    def hire(self, seat: int, orders: Orders) -> None:
        if self.given:
            super().hire(seat, orders)
        else:
            self.said.put((seat, Ready({})))

    def give(self, seat: int, runs: tuple[Run, ...]) -> None:
        if self.runs:
            super().give(seat, runs)
            return
        (run,) = runs
        failed = Record(key=run.key, run=run.as_dict(), outcome="failed", message="no GPU")
        for each in [Died("no GPU")] if self.given else [Began(), Done(failed)]:
            self.said.put((seat, each))
        self.given += runs


def test_workers_that_die_cost_what_they_had_begun_and_end_it_where_none_can_start(
    images, tmp_path
):
    file = tmp_path / "s.study"
    execute(plan_on(images), file, WorkerSetup(SPEC), train=TrainProbed((), True), crew=Threads())
    with pytest.raises(InputError, match="no worker could start: it was killed while it loaded"):
        probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=Dying(2))
    done = probe_kept(file, [COLLAPSE], WorkerSetup(SPEC), crew=Losing())
    assert done.measured == 1 and [*done.failures.values()] == ["no GPU"]


def test_other_images_are_refused(images, tmp_path):
    file = tmp_path / "s.study"
    execute(plan_on(images, (0,)), file, WorkerSetup(SPEC), train=TrainProbed((), True),
            crew=Threads())  # fmt: skip
    others = WorkerSetup(replace(SPEC, train_limit=90))
    with pytest.raises(InputError, match="the images are not those"):
        probe_kept(file, [COLLAPSE], others, crew=Threads())
    with Store.open(file, create=False) as store:
        assert store.measurements() == {}


def test_what_an_earlier_version_read_wrong_is_measured_anew_or_left_out(images, tmp_path):
    """Of two networks, both probed when shortcuts were taken for stages, one is still kept."""
    file, plan = tmp_path / "s.study", plan_on(images)
    cells = [cell for cell in plan_path_of(images).cells if cell.name == "BN to LN"]
    plan = replace(plan, cells=tuple(cells))
    train = TrainProbed(("signal",), keep_weights=True)
    execute(plan, file, WorkerSetup(SPEC), train=train, crew=Threads())
    with Store.open(file) as store:
        for key, found in store.measurements().items():
            store.keep_measurements(key, [replace(found["signal"], version=1)])
        gone, kept = (record.key for record in store.records())
    weights_file(file, gone).unlink()
    asked = Asked("signal", "signal", PROBES["signal"].version)
    assert probe_kept(file, [asked], WorkerSetup(SPEC), crew=Threads()).measured == 1
    noted = []
    done = probe(Request(networks=(str(file),), probes="signal"), replace(QUIET, note=noted.append))
    assert noted[0].startswith("1 finished run of 2 cannot be probed any more")
    found = {each.key: each.found for each in done.measurements}
    assert found[gone].value is None and "may have misread it" in found[gone].reason
    assert found[kept].value is not None and found[kept].curves


def test_images_that_were_moved_are_taken_in_as_the_study_took_them(images):
    spec = DataSpec(source="photos", train_limit=64, permute_pixels=3, test_image_size=32)
    plan = replace(plan_on(images), where=spec)
    moved = Request(networks=("s.study",), data=DataSpec(source="elsewhere"))
    size = images.image_size
    there = replace(spec, source="elsewhere", image_size=size)
    assert setup_of(plan, moved) == WorkerSetup(there)
    fewer = replace(moved, data=DataSpec(source="elsewhere", train_limit=32))
    assert setup_of(plan, fewer) == WorkerSetup(replace(there, train_limit=32))
    as_ever = Request(networks=("s.study",))
    assert setup_of(plan, as_ever) == WorkerSetup(replace(spec, image_size=size))
