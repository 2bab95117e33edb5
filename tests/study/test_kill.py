"""A study may be killed, interrupted or started twice at any moment."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_study
from tiny_study import begun, determined, tiny_plan, tiny_record

from nextify.errors import InputError
from nextify.machine.processes import deaf_to_interrupts
from nextify.records import Record, Store
from nextify.study.running.locks import RunLocks

PATIENCE = 120.0  # seconds: a busy machine is slow, a test that waits for a condition need not be


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.005)


class Folder:
    """Studies in one folder, each by a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.study, self.log = folder / "study.db", folder / "log"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, seconds: float = 0.0, workers: int = 2) -> subprocess.Popen[str]:
        command = [sys.executable, tiny_study.__file__, self.study, self.log, seconds, workers]
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, **options) -> str:
        process = self.start(**options)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return said

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """While it lasts no study ends, however slow the test is: the last run is locked."""
        with RunLocks(self.study) as locks:
            assert locks.claim(tiny_plan().runs()[-1].key)
            yield

    def recorded(self) -> int:
        """How many runs the file holds; of a kill while it was made, it is left without tables."""
        if not self.study.exists():
            return 0
        try:
            with Store.open(self.study, create=False) as store:
                return len(store.keys())
        except InputError as error:
            if "is empty" in str(error):
                return 0
            raise


@pytest.fixture
def folder(tmp_path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    for process in folder.started:
        process.kill()
        process.communicate()


def running(study: subprocess.Popen[str]) -> list[int]:
    """The processes of a study, the supervisor's too; those that have ended and were not waited
    for are none. A study is a group of processes: each says of itself which group is its own."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(group) == study.pid and state not in "ZX":
            found.append(int(process.name))
    return found


def started(study: subprocess.Popen[str]) -> list[int]:
    """The two workers and multiprocessing's tracker, once they are there."""
    until(lambda: len(running(study)) == 4 or study.poll() is not None, "the workers are there")
    assert study.poll() is None, study.communicate()
    return [process for process in running(study) if process != study.pid]


def expected() -> dict[str, Record]:
    """The records of a study that nothing interrupted, without what differs from time to time."""
    return {
        run.key: replace(tiny_record(run), measured=None, environment={})
        for run in tiny_plan().runs()
    }


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
@pytest.mark.parametrize("moment", ["created", "first begun", "first recorded", "three recorded"])
def test_a_killed_study_goes_on_with_equal_records(folder, moment):
    process = folder.start(seconds=0.2)
    reached = {
        "created": folder.study.exists,
        "first begun": lambda: len(begun(folder.log)) >= 1,
        "first recorded": lambda: folder.recorded() >= 1,
        "three recorded": lambda: folder.recorded() >= 3,
    }
    until(lambda: reached[moment]() or process.poll() is not None, moment)
    process.kill()
    process.wait(PATIENCE)
    until(lambda: not running(process), "the workers have ended")
    began_before = [key for key, _ in begun(folder.log)]
    recorded_before = set(determined(folder.study)) if folder.recorded() else set()

    folder.finish()
    assert determined(folder.study) == expected()
    times = Counter(key for key, _ in begun(folder.log))
    again = {key for key, count in times.items() if count > 1}
    assert again == set(began_before) - recorded_before
    assert len(again) <= 2  # two workers: at most two runs were in flight
    assert max(times.values()) <= 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_workers_in_the_middle_of_an_epoch_do_not_outlive_a_kill(folder):
    process = folder.start(seconds=20 * PATIENCE)  # they will not try to say anything
    until(lambda: len(begun(folder.log)) == 2, "both workers train")
    process.kill()
    process.wait(PATIENCE)
    until(lambda: not running(process), "both have ended")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_workers_that_load_the_data_do_not_outlive_a_kill(folder):
    process = folder.start(seconds=20 * PATIENCE)
    assert started(process)
    process.kill()
    process.wait(PATIENCE)
    until(lambda: not running(process), "all have ended")


def test_two_studies_on_one_file_share_the_runs(folder):
    both = [folder.start(seconds=0.1), folder.start(seconds=0.1)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(key for key, _ in begun(folder.log)) == sorted(expected())
    assert determined(folder.study) == expected()
    counts = [dict(part.split("=") for part in line.split()) for line in said]
    assert sum(int(count["finished"]) for count in counts) == 6
    assert all(sum(int(number) for number in count.values()) == 6 for count in counts)


@pytest.mark.parametrize("whole_group", [True, False], ids=["as a terminal", "one process"])
def test_an_interrupt_ends_at_once_and_the_study_goes_on(folder, whole_group):
    with folder.unfinished():
        process = folder.start(seconds=0.3)
        until(lambda: folder.recorded() >= 1 or process.poll() is not None, "one is recorded")
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    done = folder.recorded()
    assert done < 6
    assert said.splitlines() == [
        f"interrupted: {done} of 6 runs are recorded in {folder.study}; "
        "the same command goes on with the rest"
    ]
    until(lambda: not running(process), "the workers have ended")
    folder.finish()
    assert determined(folder.study) == expected()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_an_interrupt_while_workers_start_says_one_line(folder):
    process = folder.start(seconds=20 * PATIENCE)
    assert started(process)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert said.startswith("interrupted: 0 of 6 runs are recorded")
    assert len(said.splitlines()) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_workers_aredeaf_to_interrupts_from_birth(folder):
    """A terminal sends Ctrl-C to every process; what it means is the supervisor's to decide."""
    with folder.unfinished():
        process = folder.start()
        for child in started(process):
            os.kill(child, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert said == "finished=6 elsewhere=0 recorded=0\n"


HOLD = "import sys; from pathlib import Path; " \
       "from nextify.study.running.locks import RunLocks as L; " \
       "l = L(Path(sys.argv[1])); print(l.claim(sys.argv[2]), flush=True); input()"  # fmt: skip


def test_a_kill_frees_a_lock_at_once(tmp_path):
    study, key, other = tmp_path / "study.db", "f" * 64, "e" * 64
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, study, key],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder, RunLocks(study) as locks:
        assert holder.stdout.readline() == "True\n"
        assert not locks.claim(key)
        assert locks.claim(other)
        holder.kill()
        holder.wait(PATIENCE)
        assert locks.claim(key)


def test_an_interrupt_during_a_start_comes_after_it():
    """Also where another thread, which does not block the signal, is there to take it."""
    done, reached = threading.Event(), []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has none
    threading.Thread(target=done.wait, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt), deaf_to_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            reached.append("started")
    finally:
        done.set()
        signal.signal(signal.SIGINT, before)
    assert reached == ["started"]
