"""The command line as a user has it: in this process where that is enough, else in one of its own.

Everything happens in a folder of the test's own, which holds `pets`: 20 images of cats and 20 of
dogs, noise of 12 x 12 pixels.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nextify.cli.main import main

PATIENCE = 240.0  # seconds: a busy machine is slow, and a study of many runs more so
# Sets what a shell may have changed (background jobs ignore interrupts) and a limit for files; lets
# training stand still in the middle of an epoch, after so many whole ones, and leave a file.
LAUNCH = """
import resource, signal, sys, time
from pathlib import Path
from nextify.cli.main import main

def stand_still(epochs):
    from nextify.training import loop
    step_of = loop.step_of

    def standing(state, *others):
        step = step_of(state, *others)

        def one_step(images, targets):
            if state.step == epochs * state.steps_per_epoch + 1:
                Path("stands").touch()
                time.sleep(3600)
            return step(images, targets)

        return one_step

    loop.step_of = standing

if __name__ == "__main__":  # and not when the workers of a study import it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    limit = int(sys.argv.pop(1))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    epochs = int(sys.argv.pop(1))
    if epochs:
        stand_still(epochs)
    sys.exit(main())
"""


def changed(arguments: tuple[str, ...], changes: Iterable[str]) -> tuple[str, ...]:
    """Arguments with changes at their end; a field that is changed is given once, and so is
    `--data`, which may be given again."""
    fields = tuple(f"{change.partition('=')[0]}=" for change in changes if "=" in change)
    kept = [a for a in arguments if not (fields and a.startswith(fields))]
    if "--data" in kept and any(change.startswith("--data") for change in changes):
        at = kept.index("--data")
        kept = [*kept[:at], *kept[at + 2 :]]
    return (*kept, *changes)


TINY = ("convnext-mini", "stem_stride=1", "batch_size=8", "--recipe", "modern-small",
        "--data", "pets", "--image-size", "8", "--threads", "1")  # fmt: skip


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_images(
    root: Path, counts: dict[str, int], side: int = 12, *, learnable: bool = False
) -> Path:
    """Noise as PNG files; keys are folders, values the number of images in each. `learnable`:
    brighter from folder to folder."""
    draw = np.random.default_rng(0)
    for at, (folder, count) in enumerate(counts.items()):
        (root / folder).mkdir(parents=True)
        low, high = (128 * at, 128 * at + 128) if learnable else (0, 256)
        for index in range(count):
            pixels = draw.integers(low, high, size=(side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{index}.png")
    return root


@pytest.fixture
def pets(own_folder: Path) -> Path:
    return make_images(own_folder / "pets", {"cat": 20, "dog": 20})


@pytest.fixture
def nextify(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in this process."""

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return run


def contents() -> dict[str, bytes]:
    """The files and folders that are here, but for the cache."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in Path().rglob("*")
        if path.parts[0] != "cache"
    }


@pytest.fixture
def refused(nextify: Callable[..., Answer]) -> Callable[..., str]:
    """Run a command that cannot be carried out; what it says. It leaves everything as it was."""

    def run(*arguments: str) -> str:
        before = contents()
        answer = nextify(*arguments)
        assert (answer.code, answer.out) == (2, ""), answer
        assert answer.err.startswith("nextify: ") and answer.err.count("\n") == 1, answer.err
        assert contents() == before
        return answer.err.removeprefix("nextify: ").rstrip("\n")

    return run


class Processes:
    """Commands in processes of their own."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, *arguments: object, file_limit: int = 0, still_after: int = 0
    ) -> "subprocess.Popen[str]":
        command = [sys.executable, "launch.py", file_limit, still_after, *arguments]
        Path("launch.py").write_text(LAUNCH)  # a file: the workers of a study import it
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, *arguments: object, file_limit: int = 0) -> Answer:
        return ended(self.start(*arguments, file_limit=file_limit))


def ended(process: "subprocess.Popen[str]") -> Answer:
    out, err = process.communicate(timeout=PATIENCE)
    return Answer(process.returncode, out, err)


def until(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait for something that a process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, ended(process)
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    for process in processes.started:
        process.send_signal(signal.SIGKILL)
        process.communicate()
