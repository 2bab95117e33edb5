"""A study from the command line: what it leaves, what it says, and that nothing is lost."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.cli.main import main
from nextify.records import Record, Store
from nextify.studies.running.locks import RunLocks

from .conftest import changed, contents, ended, make_images, until

STUDY = ("study", "small", "--data", "pets", "--image-size", "28", "epochs=1", "batch_size=16",
         "--seeds", "1", "--workers", "2", "--no-pilot")  # fmt: skip
RUNS = 15


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pets`, and a study that nothing interrupted."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 40, "dog": 40})
        with Path("out.json").open("w") as file:
            patch.setattr("sys.stdout", file)
            assert main([*STUDY, "--file", "a.study", "--json"]) == 0
    return folder


@pytest.fixture
def images(done_once: Path, own_folder: Path) -> Iterator[None]:
    shutil.copytree(done_once / "pets", own_folder / "pets")
    yield


@pytest.fixture
def done(done_once: Path, own_folder: Path, images: None) -> None:
    shutil.copy(done_once / "a.study", own_folder)
    shutil.copytree(done_once / "a-report", own_folder / "a-report")


def records(file: str | Path) -> dict[str, Record]:
    """All that training determines."""
    with Store.open(file, create=False) as store:
        return {r.key: replace(r, measured=None, environment={}) for r in store.records()}


def test_copies_are_said_before_anything_starts(nextify, images):
    answer = nextify(*STUDY, "--seeds", "2", "--copies", "8", "--plan", "--json")
    plan = json.loads(answer.out)
    assert "networks of one design are trained 2 at a time, in a stack (--copies)" in answer.err
    assert plan["copies"] == 2 and "--copies 8" in plan["command"]
    answer = nextify(*STUDY, "--seeds", "2", "--plan", "--json")
    assert "stack" not in answer.err and "copies" not in json.loads(answer.out)


def test_what_a_study_leaves(done_once):
    values = json.loads((done_once / "out.json").read_text())
    assert (values["planned"], values["finished"], values["failed"]) == (RUNS, RUNS, 0)
    assert values["study"] == "a.study" and values["report"] == "a-report/report.html"
    names = {Path(name).name for name in (values["report"], values["csv"], *values["figures"])}
    assert names <= {path.name for path in (done_once / "a-report").iterdir()}
    assert all(record.outcome == "finished" for record in records(done_once / "a.study").values())
    assert len(records(done_once / "a.study")) == RUNS
    page = (done_once / "a-report/report.html").read_text()
    assert "nextify study small" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_the_same_command_again_trains_nothing(nextify, done):
    before = records("a.study")
    answer = nextify(*STUDY, "--file", "a.study")
    assert answer.code == 0 and answer.err == ""
    assert answer.out.startswith("15 of 15 runs recorded in a.study (0 failed, 0 diverged")
    assert answer.out.endswith("report: a-report/report.html\n")
    assert records("a.study") == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["epochs=2"], "recipe field 'epochs'"),
        (["epochs=2", "--plan"], "recipe field 'epochs'"),
        (["ratio=3"], "design field 'ratio'"),
        (["--image-size", "32"], "'image_size' of the data is 28 there and 32 here"),
        (["--split-seed", "1"], "'fingerprint' of the data"),
        (["--precision", "bfloat16"], "the precision is 'float32' there and 'bfloat16' here"),
    ],
)
def test_another_study_in_the_same_file_is_refused(nextify, done, change, said):
    before = contents(), records("a.study")
    answer = nextify(*changed((*STUDY, "--precision", "float32", "--file", "a.study"), change))
    assert answer.code == 2 and answer.out == "" and answer.err.count("\n") == 1
    assert answer.err.startswith("nextify: study file a.study holds another study")
    assert said in answer.err
    after = contents(), records("a.study")
    # To see that it can be written, a start touches the head of the file.
    assert before[0].pop("a.study") and after[0].pop("a.study") and before == after


def test_a_plan_trains_nothing(nextify, images):
    answer = nextify(*STUDY, "--plan", "--file", "a.study")
    assert "15 steps x 1 seed = 15 runs" in answer.out
    assert "classic-small and modern-small: 1 epoch of 4 updates (4), batches of 16" in answer.err
    plan = json.loads(nextify(*changed((*STUDY, "--plan", "--json"), ["epochs=1000000000000"])).out)
    assert len(plan["cells"]) == RUNS and plan["cells"][0]["recipe"]["epochs"] == 10**12
    assert plan["command"].startswith("nextify study small batch_size=16 epochs=1000000000000")
    assert not Path("a.study").exists() and not Path("runs").exists()


def test_a_plan_is_not_for_a_file_of_something_else(nextify, images):
    os.mkfifo("a-fifo")
    for file, fault in (
        ("pets", "is a folder"),
        ("pets/cat/0.png", "is not a study file"),
        ("a-fifo", "is not a regular file"),
    ):
        answer = nextify(*STUDY, "--plan", "--file", file)
        assert answer.code == 2 and fault in answer.err and answer.err.count("\n") == 1
    Path("a.study").touch()  # a study that was struck before its first row
    assert nextify(*STUDY, "--plan", "--file", "a.study").code == 0


def test_skipped_images_are_counted(nextify, images):
    Path("pets/cat/0.png").write_text("hello")
    answer = nextify(*STUDY, "--plan", "--skip-unreadable")
    assert answer.code == 0
    assert "; in memory\n1 unreadable image left out, the first cat/0.png\n" in answer.err


def test_a_report_of_a_study(nextify, done, done_once):
    answer = nextify("report", "a.study", "--output", "other", "--json")
    values = json.loads(answer.out)
    assert values["report"] == "other/report.html" and Path(values["csv"]).exists()
    assert Path("other/steps.csv").read_bytes() == (done_once / "a-report/steps.csv").read_bytes()
    assert nextify("report", "a.study").out == "report: a-report/report.html\n"


def test_a_report_that_cannot_be_written(refused, done):
    said = refused("report", "a.study", "--output", "pets/cat/0.png")
    assert "pets/cat/0.png" in said and "name another folder" in said


def recorded(file: str) -> int:
    if not Path(file).exists() or Path(file).stat().st_size == 0:
        return 0
    with Store.open(file, create=False) as store:
        return len(store.records())


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_study_goes_on_from_an_interrupt_and_from_a_kill(processes, images, done_once, sent):
    with RunLocks(Path("b.study")) as locks:  # of a run, without which the study does not end
        assert locks.claim(max(records(done_once / "a.study")))
        process = processes.start(*STUDY, "--file", "b.study", "--json")
        until(lambda: recorded("b.study") >= 3, process)
        if sent == signal.SIGINT:
            os.killpg(process.pid, sent)  # as a terminal does
        else:
            process.send_signal(sent)
        answer = ended(process)
    assert answer.out == ""
    before = recorded("b.study")
    if sent == signal.SIGINT:
        assert answer.code == 130
        assert answer.err.splitlines()[-1] == (
            f"nextify: interrupted: {before} of 15 runs are recorded in b.study; the same command "
            "goes on with the rest"
        )
    answer = processes.finish(*STUDY, "--file", "b.study", "--json")
    values = json.loads(answer.out)
    assert answer.code == 0 and values["recorded"] == before < RUNS
    assert values["finished"] == RUNS - before
    assert records("b.study") == records(done_once / "a.study")


@pytest.mark.slow
def test_two_commands_share_a_study(processes, images, done_once):
    both = [processes.start(*STUDY, "--file", "b.study", "--json") for _ in range(2)]
    answers = [ended(process) for process in both]
    assert [answer.code for answer in answers] == [0, 0], answers
    values = [json.loads(answer.out) for answer in answers]
    assert sum(value["finished"] for value in values) == RUNS
    assert all(v["recorded"] + v["finished"] + v["elsewhere"] == RUNS for v in values)
    assert records("b.study") == records(done_once / "a.study")


@pytest.mark.slow
def test_a_full_disk_under_a_study(processes, images, nextify, done_once):
    answer = processes.finish(*STUDY, "--file", "b.study", file_limit=45_000)
    assert answer.code == 2 and answer.out == ""
    said = answer.err.splitlines()[-1]
    assert said.startswith("nextify: study file b.study cannot be")
    assert "start the same command again" in said
    assert recorded("b.study") < RUNS
    assert nextify(*STUDY, "--file", "b.study").code == 0
    assert records("b.study") == records(done_once / "a.study")
