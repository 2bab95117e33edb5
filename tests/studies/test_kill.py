"""A study may be killed, interrupted or started twice at any moment."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
import tiny_study
from tiny_study import begun, determined, tiny_plan, undisturbed

import living
from nextify.errors import InputError
from nextify.machine.processes import deaf_to_interrupts
from nextify.records import Record, Store
from nextify.studies import read_live
from nextify.studies.running.jobs import jobs_of
from nextify.studies.running.locks import RunLocks

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

    def start(self, *more: str, seconds: float = 0.0, workers: int = 2) -> subprocess.Popen[str]:
        script = tiny_study.__file__
        command = [sys.executable, script, self.study, self.log, seconds, workers, *more]
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, *more: str, **options) -> str:
        process = self.start(*more, **options)
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
                return len(store.records())
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
    """The processes of a study, the supervisor's too: they are a group."""
    return living.running(study.pid)


def started(study: subprocess.Popen[str]) -> list[int]:
    """The two workers and multiprocessing's tracker, once they are there."""
    until(lambda: len(running(study)) == 4 or study.poll() is not None, "the workers are there")
    assert study.poll() is None, study.communicate()
    return [process for process in running(study) if process != study.pid]


def expected() -> dict[str, Record]:
    return undisturbed(tiny_plan())


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
def test_workers_are_deaf_to_interrupts_from_birth(folder):
    """A terminal sends Ctrl-C to every process; what it means is the supervisor's to decide."""
    with folder.unfinished():
        process = folder.start()
        for child in started(process):
            os.kill(child, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert said == "finished=6 elsewhere=0 recorded=0\n"


def test_others_can_read_what_a_study_is_doing(folder):
    """Also when it was killed: what it left behind is not taken for a study that goes on."""
    live = folder.study.with_name("study.db.live")
    assert read_live(folder.study) is None
    with folder.unfinished():
        process = folder.start(seconds=0.1)
        until(lambda: folder.recorded() == 5, "but one are recorded")
        until(lambda: (seen := read_live(folder.study)) and seen.done == 5, "it says so")
        seen = read_live(folder.study)
        assert (seen.pid, seen.total, seen.waiting) == (process.pid, 6, 1)
        assert [ending.outcome for ending in seen.endings] == ["finished"] * 5
        assert [seat.label for seat in seen.seats] == ["", ""]
        process.kill()
        process.wait(PATIENCE)
        assert live.exists() and read_live(folder.study) is None
    folder.finish()
    assert read_live(folder.study) is None and not live.exists()
    live.write_text("{}")
    folder.finish()  # with nothing left to do
    assert not live.exists()


def test_of_two_studies_on_one_file_one_is_read_and_then_the_other(folder):
    with folder.unfinished():
        first = folder.start()
        until(lambda: read_live(folder.study) is not None, "the first one is there")
        second = folder.start()
        until(lambda: folder.recorded() == 5, "but one are recorded")
        until(lambda: len(running(second)) == 4, "the second one is at work")
        assert read_live(folder.study).pid == first.pid
        first.kill()
        until(lambda: (seen := read_live(folder.study)) and seen.pid == second.pid, "it goes on")
        second.send_signal(signal.SIGINT)
        said, _ = second.communicate(timeout=PATIENCE)
    assert said.startswith("interrupted: 5 of 6")
    assert not folder.study.with_name("study.db.live").exists()


def test_reading_in_the_supervising_process_drops_no_claim(tmp_path):
    """POSIX drops a process's locks on a file when it closes any descriptor of it."""
    study, key = tmp_path / "study.db", "f" * 64
    study.with_name("study.db.live").write_text("{}")
    with RunLocks(study) as locks:
        assert locks.claim(key) and not locks.claim(key)
        assert read_live(study) is None
        with RunLocks(study) as others:
            assert not others.claim(key)
        said = subprocess.run(
            [sys.executable, "-c", HOLD, study, key], input="\n", capture_output=True, text=True
        )
        assert said.stdout == "False\n"
        locks.release(key)
        with RunLocks(study) as others:
            assert others.claim(key)


def workers_of(study: subprocess.Popen[str]) -> list[int]:
    """Without multiprocessing's tracker."""
    found = []
    for process in running(study):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def struck(process: subprocess.Popen[str], how: str, random: Random) -> str:
    """Send it a signal; what it said until it ended, which a killed worker does not make it do."""
    if how == "worker":
        until(lambda: workers_of(process) or process.poll() is not None, "a worker is there")
        with suppress(IndexError, ProcessLookupError):
            os.kill(random.choice(workers_of(process)), signal.SIGKILL)
    elif how == "terminal":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(getattr(signal, how))
    said, _ = process.communicate(timeout=PATIENCE)
    until(lambda: not running(process), "all have ended")
    return said


def caught(folder: Folder, random: Random) -> subprocess.Popen[str]:
    """A study at a random moment of its life; or when it has ended."""
    seen = len(begun(folder.log)) + random.randint(1, 3)
    process = folder.start("show", "retry", seconds=0.1)
    if random.random() < 0.7:
        until(lambda: len(begun(folder.log)) >= seen or process.poll() is not None, "runs began")
    time.sleep(random.uniform(0.0, 0.3))
    return process


def told(said: str) -> set[str]:
    """The keys of the runs that it said to have finished."""
    labels = {job.label: key for key, job in jobs_of(tiny_plan()).items()}
    lines = [line.partition("] finished  ")[2] for line in said.splitlines()]
    return {labels[line.partition(": ")[0]] for line in lines if line}


def finished(folder: Folder) -> dict[str, Record]:
    records = determined(folder.study) if folder.recorded() else {}
    return {key: record for key, record in records.items() if record.outcome == "finished"}


def endure(path: Path, ways: Sequence[str], random: Random) -> None:
    """One study after another, each struck until it is done; every time, look what is left."""
    left = deque(ways)
    while left:
        # By how many there are: one that ends before it is struck leaves all strikes to the next.
        folder = Folder(path / f"{len(list(path.iterdir()))}")
        folder.study.parent.mkdir()
        there: dict[str, Record] = {}
        while left and len(there) < len(expected()):
            before, kept = len(begun(folder.log)), set(there)
            process = caught(folder, random)
            if process.poll() is None:
                said = struck(process, left.popleft(), random)
            else:
                said = process.communicate()[0]
            there = finished(folder)
            assert kept | told(said) <= set(there), "lost"
            assert there.items() <= expected().items(), "not equal"
            assert not kept & {key for key, _ in begun(folder.log)[before:]}, "trained twice"
        folder.finish("retry")
        assert determined(folder.study) == expected()
        files = {file.name for file in folder.study.parent.iterdir()}
        assert files == {"study.db", "study.db.lock", "log"}


WAYS = ("SIGKILL", "SIGTERM", "terminal", "worker")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")


@linux_only
def test_a_few_kills_at_random_moments(tmp_path):
    endure(tmp_path, (*WAYS, "SIGINT", "SIGKILL"), Random(0))


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_many_kills_at_random_moments(tmp_path, way):
    endure(tmp_path, [way] * 15, Random(way))


HOLD = "import sys; from pathlib import Path; " \
       "from nextify.studies.running.locks import RunLocks as L; " \
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


@pytest.mark.usefixtures("hears_interrupts")
def test_an_interrupt_during_a_start_comes_after_it():
    """Also where another thread, which does not block the signal, is there to take it."""
    done, reached = threading.Event(), []
    threading.Thread(target=done.wait, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt), deaf_to_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            reached.append("started")
    finally:
        done.set()
    assert reached == ["started"]
