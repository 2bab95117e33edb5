"""A plan is carried out whole, whatever single runs do; what cannot be recorded stops it."""

import io
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from tiny_study import (
    Broken,
    NoData,
    Trainer,
    begun,
    determined,
    tiny_plan,
    tiny_record,
    undisturbed,
)

from nextify.commands.watch import QUIET
from nextify.data import load
from nextify.designs import path
from nextify.errors import InputError
from nextify.machine import cores
from nextify.records import Plan, Record, Store
from nextify.report.cells import steps_content
from nextify.report.details import troubles
from nextify.report.write import read_study
from nextify.requests import DataSpec
from nextify.studies import (
    Done,
    Frame,
    Interrupted,
    LocalCrew,
    Snapshot,
    Summary,
    WorkerSetup,
    execute,
    gpus,
    plain,
    plan_path,
)
from nextify.studies.running.locks import RunLocks


class Here:
    """A study in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.study, self.log = folder / "study.db", folder / "log"

    def execute(self, plan: Plan, **options) -> Summary:
        mischief, company = options.pop("mischief", {}), options.pop("company", 1)
        trainer = Trainer(self.log, mischief=mischief, company=company)
        options = {"setup": NoData(), "workers": 2, "devices": (), **options}
        setup = options.pop("setup")
        return execute(plan, self.study, setup, train=trainer, **options)

    def keys_begun(self) -> list[str]:
        return [key for key, _ in begun(self.log)]


@pytest.fixture
def here(tmp_path) -> Here:
    return Here(tmp_path)


def keys(plan: Plan) -> list[str]:
    return [run.key for run in plan.runs()]


def test_all_runs_are_recorded_in_the_order_of_the_plan(here):
    plan = tiny_plan()
    summary = here.execute(plan, workers=1)
    assert here.keys_begun() == keys(plan)
    assert determined(here.study) == undisturbed(plan)
    assert (summary.planned, summary.finished, summary.done) == (6, 6, 6)
    assert (summary.recorded, summary.failed, summary.diverged, summary.elsewhere) == (0, 0, 0, 0)


def test_workers_share_the_runs_and_have_one_thread_each(here):
    here.execute(tiny_plan(seeds=(0, 1, 2)), workers=2, company=2)
    assert len({process for _, process in begun(here.log)}) == 2
    with Store.open(here.study) as store:
        records = store.records()
    assert [record.environment for record in records] == [{"threads": "1", "gpu": ""}] * 9
    assert os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def test_a_damaged_record_is_named_left_out_and_trained_again(here):
    plan, notes = tiny_plan(), []
    watch = replace(QUIET, note=notes.append)
    here.execute(plan, workers=1)
    content = bytearray(here.study.read_bytes())
    at = content.index(b'"accuracy":0.') + 13
    content[at] = 48 + (content[at] - 47) % 10  # another digit
    here.study.write_bytes(content)
    watch.damage(here.study)
    content = steps_content(*read_study(here.study))
    assert content.counts == {"planned": 6, "finished": 5, "diverged": 0, "failed": 1, "missing": 0}
    (trouble,) = troubles(plan, content.runs)
    assert "damaged" in trouble.message
    watch.damage(here.study, goes_on=True)
    run = f"{trouble.name}, seed {trouble.seed}"
    assert notes == [
        f"study file {here.study} is damaged: 1 record lost ({run}), left out until the study's "
        "command trains them again",
        f"study file {here.study} is damaged: 1 record lost ({run}), trained again",
    ]
    assert here.execute(plan, workers=1).finished == 1
    assert determined(here.study) == undisturbed(plan)
    watch.damage(here.study)
    assert len(notes) == 2


def test_a_study_whose_file_has_lost_its_first_page_goes_on(here):
    """Without its header and the definitions of its tables: the rows are on other pages."""
    plan, notes = tiny_plan(), []
    here.execute(plan, workers=1)
    content = here.study.read_bytes()
    here.study.write_bytes(bytes(4096) + content[4096:])
    replace(QUIET, note=notes.append).damage(here.study, goes_on=True)
    kept = here.study.with_name(f"{here.study.name}.damaged")
    assert notes == [
        f"study file {here.study} is damaged: no record is lost; as it was, it is kept as {kept}"
    ]
    assert here.execute(plan, workers=1).finished == 0
    assert determined(here.study) == undisturbed(plan)
    assert kept.read_bytes() == bytes(4096) + content[4096:]


def test_workers_are_dealt_over_the_gpus_unless_told_otherwise(here, monkeypatch):
    """As many to each; what a worker sees of the machine is one GPU, by the name it has here."""
    monkeypatch.setattr("nextify.studies.running.cards.cores", lambda: 4)
    here.execute(tiny_plan(), workers=None, devices=("3", "MIG-5"), company=4)
    with Store.open(here.study) as store:
        found = {r.measured.peak_memory: r.environment["gpu"] for r in store.records()}
    assert sorted(found.values()) == ["3", "3", "MIG-5", "MIG-5"]  # by process


def test_one_worker_in_a_container_with_one_core(here, tmp_path, monkeypatch):
    """Even where the machine has many: the quota of time is what the workers share."""
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("150000 100000\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(8), raising=False)
    monkeypatch.setattr("nextify.studies.running.cards.cores", partial(cores, tmp_path))
    hired, hire = [], LocalCrew.hire
    monkeypatch.setattr(
        LocalCrew, "hire", lambda crew, at, orders: (hired.append(at), hire(crew, at, orders))[1]
    )
    assert here.execute(tiny_plan(), workers=None).finished == 6
    assert hired == [0]


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (2, None, ("0", "1")),
        (2, "5, 7", ("5", "7")),
        (1, "3,-1,4", ("3",)),
        (0, "", ()),
        (2, "GPU-8a, GPU-b", ("GPU-8a", "GPU-b")),
        (1, "MIG-1,MIG-2", ("MIG-1", "MIG-2")),  # of which a process sees one
        (0, "MIG-1,MIG-2", ()),
    ],
)
def test_gpus_keep_the_names_that_the_user_gave_them(monkeypatch, count, visible, names):
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == names


def test_the_second_time_nothing_is_left_to_do(here, monkeypatch):
    plan = tiny_plan()
    here.execute(plan)
    monkeypatch.setattr(LocalCrew, "hire", lambda *_: pytest.fail("a worker was started"))
    summary = here.execute(plan)
    assert (summary.recorded, summary.finished, summary.done) == (6, 0, 6)


def test_another_seed_adds_its_runs_only(here):
    here.execute(tiny_plan(seeds=(0,)))
    summary = here.execute(tiny_plan(seeds=(0, 1)))
    assert (summary.recorded, summary.finished) == (3, 3)
    assert len(here.keys_begun()) == 6


def test_steps_that_are_the_same_run_are_trained_once(here):
    plan = tiny_plan(steps=2, seeds=(0,))
    same = replace(plan.cells[1], recipe=plan.cells[0].recipe)
    summary = here.execute(replace(plan, cells=(plan.cells[0], same)))
    assert (summary.planned, summary.finished) == (1, 1)
    (record,) = determined(here.study).values()
    assert record.cells == (plan.cells[0].name, same.name)


def test_runs_that_go_wrong_do_not_stop_the_others(here):
    wrong = {
        1: "raise", 2: "kill", 3: "memory", 4: "diverge", 5: "segfault", 6: "exit", 7: "gpu memory",
    }  # fmt: skip
    plan = tiny_plan(steps=1, seeds=tuple(range(9)))
    summary = here.execute(plan, mischief=wrong)
    assert (summary.finished, summary.failed, summary.diverged) == (2, 6, 1)
    assert sorted(here.keys_begun()) == sorted(keys(plan))
    messages = {setback.seed: setback.message for setback in summary.failures}
    assert messages == {
        1: "ZeroDivisionError: by nothing [here]",
        2: "its process was killed by SIGKILL (by hand, or by the system because memory ran out)",
        3: "out of memory",
        5: "its process was killed by SIGSEGV",
        6: "its process exited with code 3",
        7: "out of memory: CUDA out of memory. Tried to allocate 20 GiB",
    }
    assert [setback.seed for setback in summary.divergences] == [4]
    with Store.open(here.study) as store:
        trace = store.get(keys(plan)[1]).environment
        assert "ZeroDivisionError" in trace["traceback"]
        assert store.get(keys(plan)[2]).environment == {"device": "none"}


def test_failures_are_retried_when_asked_for_and_divergences_never(here):
    plan = tiny_plan(steps=1, seeds=(0, 1, 2))
    here.execute(plan, mischief={1: "raise", 2: "diverge"})
    summary = here.execute(plan)
    assert (summary.recorded, summary.finished, len(here.keys_begun())) == (3, 0, 3)
    assert [(f.seed, f.earlier) for f in summary.failures] == [(1, True)]
    summary = here.execute(plan, retry_failed=True)
    assert (summary.recorded, summary.finished, summary.failures) == (2, 1, ())
    assert here.keys_begun()[3:] == [keys(plan)[1]]
    assert len(summary.divergences) == 1


def test_failures_that_are_not_asked_for_stay(here):
    here.execute(tiny_plan(seeds=(0, 1)), mischief={0: "raise", 1: "raise"})
    summary = here.execute(tiny_plan(seeds=(0,)), retry_failed=True)
    assert summary.finished == 3
    with Store.open(here.study, create=False) as store:
        assert [each.seed for each in store.records() if each.outcome == "failed"] == [1] * 3


def test_a_full_disk_stops_the_study_and_loses_nothing_recorded(here):
    """The supervisor writes: its live state too, which is no reason to stop."""
    plan = tiny_plan(steps=1, seeds=(0, 1, 2, 3))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def show(snapshot: Snapshot) -> None:
        if snapshot.done == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))

    try:
        with pytest.raises(InputError, match="cannot be read or written") as stopped:
            here.execute(plan, workers=1, progress=shown_by(show))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(stopped.value)
    assert list(determined(here.study)) == keys(plan)[:2]
    assert here.execute(plan).finished == 2


def test_a_study_file_that_vanishes_stops_the_study(here, monkeypatch):
    plan = tiny_plan()
    save = Store.save_plan

    def save_and_lose(store: Store, plan: Plan) -> Plan:
        saved = save(store, plan)
        here.study.unlink()
        return saved

    monkeypatch.setattr(Store, "save_plan", save_and_lose)
    with pytest.raises(InputError, match="does not exist"):
        here.execute(plan)


def test_another_study_in_the_file_is_refused_before_any_work(here):
    here.execute(tiny_plan(steps=1, seeds=(0,)))
    with pytest.raises(InputError, match="recipe field 'epochs'"):
        here.execute(tiny_plan(steps=1, seeds=(0,), epochs=4))
    assert len(here.keys_begun()) == 1


def test_images_that_changed_since_the_plan(here):
    other = NoData({**tiny_plan().data, "train": 7})
    with pytest.raises(InputError, match="'train' was 1000 and is 7 now"):
        here.execute(tiny_plan(), setup=other)
    assert determined(here.study) == {}


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("input", InputError, "^no such folder$"),
        ("kill", InputError, "no worker could start: .* SIGKILL .* fewer workers"),
        ("bug", RuntimeError, "no worker could start: KeyError: 'oops'\n"),
    ],
)
def test_data_that_cannot_be_loaded(here, how, error, words):
    with pytest.raises(error, match=words):
        here.execute(tiny_plan(), setup=Broken(how))
    assert determined(here.study) == {}


def test_one_worker_that_cannot_start_leaves_the_work_to_the_others(here, tmp_path):
    summary = here.execute(tiny_plan(), setup=Broken("kill", tmp_path / "first"))
    assert summary.finished == 6


def test_workers_start_without_statistics():
    """scipy.stats takes a second to import, and no process of a study needs it."""
    code = (
        "import sys, nextify.studies; print('numpy' in sys.modules, 'scipy.stats' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_no_workers():
    with pytest.raises(InputError, match="workers is 0; it must be at least 1"):
        execute(tiny_plan(), "study.db", NoData(), workers=0)


def test_a_run_that_another_process_holds_comes_last(here):
    """The supervisor passes on, and comes back when it is free."""
    plan = tiny_plan()
    locks = RunLocks(here.study)
    assert locks.claim(keys(plan)[0])
    waits: list[int] = []

    def show(snapshot: Snapshot) -> None:
        if snapshot.done == 5 and snapshot.waiting:
            waits.append(snapshot.waiting)
            locks.release(keys(plan)[0])

    summary = here.execute(plan, workers=1, progress=shown_by(show))
    locks.close()
    assert waits == [1]
    assert (summary.finished, summary.elsewhere) == (6, 0)
    assert here.keys_begun() == [*keys(plan)[1:], keys(plan)[0]]


def test_a_run_that_another_process_records_meanwhile(here):
    plan = tiny_plan()
    locks = RunLocks(here.study)
    assert locks.claim(keys(plan)[0])

    def show(snapshot: Snapshot) -> None:
        if snapshot.done == 5 and snapshot.waiting:
            with Store.open(here.study) as store:
                store.add(tiny_record(plan.runs()[0]))

    summary = here.execute(plan, workers=1, progress=shown_by(show))
    locks.close()
    assert (summary.finished, summary.elsewhere, summary.done) == (5, 1, 6)
    assert keys(plan)[0] not in here.keys_begun()


def test_an_interrupt_counts_what_was_recorded_and_not_yet_counted(here, monkeypatch):
    add = Store.add

    def add_and_press_ctrl_c(store: Store, record: Record, *others: str | None) -> bool:
        add(store, record, *others)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add", add_and_press_ctrl_c)
    with pytest.raises(Interrupted, match="interrupted: 1 of 6 runs are recorded in") as stop:
        here.execute(tiny_plan(), workers=1)
    assert (stop.value.summary.finished, stop.value.summary.done) == (1, 1)


def test_two_threads_of_one_process_share_the_runs(here):
    """A process's locks do not exclude the process itself, and closing a file drops them all."""
    plan = tiny_plan(seeds=(0, 1, 2))
    found: list[Summary] = []
    threads = [
        threading.Thread(target=lambda: found.append(here.execute(plan, workers=1)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(here.keys_begun()) == sorted(keys(plan))
    assert [each.done for each in found] == [9, 9]
    assert sum(each.finished for each in found) == 9


class WithFiles:
    """Trains, and hands over files: bytes and a path."""

    def __init__(self, folder: Path, name: str = "weights") -> None:
        self.folder, self.name = folder, name

    def __call__(self, run, dataset, on_progress) -> Done:
        large = self.folder / run.key
        large.write_text(f"large {run.seed}")
        return Done(tiny_record(run), {"small": run.key.encode(), self.name: large})


def test_files_of_a_run_are_kept_beside_the_study(tmp_path):
    plan, study = tiny_plan(steps=1), tmp_path / "study.db"
    (tmp_path / "drafts").mkdir()
    execute(plan, study, NoData(), train=WithFiles(tmp_path / "drafts"), workers=1, devices=())
    for run in plan.runs():
        kept = tmp_path / "study.db.artefacts" / run.key
        assert (kept / "small").read_text() == run.key
        assert (kept / "weights").read_text() == f"large {run.seed}"
    assert list((tmp_path / "drafts").iterdir()) == []


@pytest.mark.parametrize(("name", "words"), [("a/b", "leave folders out"), ("a" * 300, "kept")])
def test_files_that_cannot_be_kept(tmp_path, name, words):
    train = WithFiles(tmp_path, name)
    with pytest.raises(InputError, match=words):
        execute(tiny_plan(), tmp_path / "s.db", NoData(), train=train, workers=1, devices=())
    assert determined(tmp_path / "s.db") == {}


class shown_by:
    """A progress that is a function."""

    def __init__(self, show) -> None:
        self.show = show

    def __enter__(self):
        return self.show

    def __exit__(self, *_) -> None:
        pass


def test_progress_that_breaks_does_not_stop_the_study(here):
    stream = io.StringIO()
    stream.close()
    assert here.execute(tiny_plan(), progress=plain(stream)).finished == 6


def test_plain_progress_has_a_line_for_each_run(here):
    stream = io.StringIO()
    here.execute(tiny_plan(steps=1, seeds=(0, 1)), mischief={1: "raise"}, progress=plain(stream))
    ended = (line.partition("] ")[2] for line in stream.getvalue().splitlines())
    lines = sorted(filter(None, ended))  # the first line says what there is to do
    assert lines[0].startswith("failed    small ResNet, seed 1: ZeroDivisionError: by nothing")
    assert lines[1].startswith("finished  small ResNet, seed 0: ")


def test_a_real_run_is_trained_by_default(tmp_path):
    """The whole way, once: images from a folder, `nextify.training`, a record."""
    source = str(folder_of_images(tmp_path / "images"))
    dataset = load(source, image_size=32, split_seed=1)
    of = Frame(
        path("small"),
        data=dataset.identity(),
        data_source=dataset.source,
        seeds=[0],
        recipe_changes={"epochs": 1, "batch_size": 8, "warmup_epochs": 0.0},
    )
    plan = plan_path(of)
    setup = WorkerSetup(DataSpec(source=source, image_size=32, split_seed=1))
    summary = execute(replace(plan, cells=plan.cells[:1]), tmp_path / "s.db", setup, devices=())
    assert (summary.finished, summary.failures) == (1, ())
    with Store.open(tmp_path / "s.db") as store:
        record = store.records()[0]
    assert record.result.images == dataset.identity()["test"]
    assert record.environment["threads"] == 1


def folder_of_images(root: Path) -> Path:
    for label in ("dark", "light"):
        (root / label).mkdir(parents=True)
        for at in range(12):
            shade = at + 200 * (label == "light")
            Image.new("L", (32, 32), shade).save(root / label / f"{at}.png")
    return root


def test_a_file_that_another_studys_has_replaced_gets_no_record(here, tmp_path):
    """The other study stays as it was, and so does what this one has recorded: it was moved."""
    other, plan = Here(tmp_path / "other"), tiny_plan()
    other.study.parent.mkdir()
    other.execute(tiny_plan(steps=1, seeds=(0,), epochs=4))
    before = determined(other.study)

    def show(snapshot: Snapshot) -> None:
        if snapshot.done == 2 and not (tmp_path / "moved").exists():
            here.study.rename(tmp_path / "moved")
            shutil.copy(other.study, here.study)

    with pytest.raises(InputError, match="has been replaced by another study's"):
        here.execute(plan, workers=1, progress=shown_by(show))
    assert determined(here.study) == before and len(determined(tmp_path / "moved")) == 2


def test_a_copy_of_the_same_file_may_stand_in_its_place(here, tmp_path):
    def show(snapshot: Snapshot) -> None:
        if snapshot.done == 2:
            shutil.copy(here.study, tmp_path / "copy")
            (tmp_path / "copy").replace(here.study)

    assert here.execute(tiny_plan(), workers=1, progress=shown_by(show)).finished == 6


HOLDS = (
    "import sys, time; from pathlib import Path; from nextify.studies.running.locks import RunLocks"
    "\nlocks = RunLocks(Path(sys.argv[1])); locks.claim(sys.argv[2]); print('held', flush=True)"
    "\ntime.sleep(600)"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells who holds a lock")
def test_who_has_a_run_that_is_waited_for_is_said(here):
    """A process that was stopped holds its runs: the others are trained, and it is named."""
    plan = tiny_plan(steps=1, seeds=(0, 1))
    holds = [sys.executable, "-c", HOLDS, str(here.study), keys(plan)[0]]
    waits: list[str] = []
    with subprocess.Popen(holds, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        other.send_signal(signal.SIGSTOP)

        def show(snapshot: Snapshot) -> None:
            if snapshot.done == 1 and snapshot.waiting:
                waits.append(snapshot.waiting_for)
                other.send_signal(signal.SIGKILL)

        assert here.execute(plan, workers=1, progress=shown_by(show)).finished == 2
    assert waits[0] == f"{plan.cells[0].name}, seed 0 (process {other.pid})"


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from tiny_study import *
print("runs", flush=True)
def own(run, dataset, on_progress):
    return tiny_record(run)
trainer = {trainer}
try:
    plan = tiny_plan(steps=1)
    print(execute(plan, "study.db", NoData(), train=trainer, workers=1, devices=()).done)
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("trainer", "by_name"),
    [("own", True), ("Trainer(Path('log'))", True), ("Trainer(Path('log'))", False)],
)
def test_a_script_without_a_guard(tmp_path, trainer, by_name):
    """Workers do not run it again, unless it defines what they need: then it is said what to do.
    Files beside it with names of Python's own modules are not taken for these."""
    script = SCRIPT.format(folder=str(Path(__file__).parent), trainer=trainer)
    (tmp_path / "script.py").write_text(script)
    (tmp_path / "started").mkdir()
    for name in ("random", "socket", "nextify", "torch"):
        (tmp_path / "started" / f"{name}.py").write_text("raise SystemExit('the wrong file')")
    done = subprocess.run(
        [sys.executable, "../script.py" if by_name else "-"],
        input=None if by_name else script,
        cwd=tmp_path / "started", capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONSAFEPATH": "" if by_name else "1"},
    )  # fmt: skip
    *_, last = done.stdout.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    assert ('if __name__ == "__main__"' in last) if trainer == "own" else last == "2", done


def test_a_daemon_may_start_no_workers(here, monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(InputError, match="daemon=False"):
        here.execute(tiny_plan())
