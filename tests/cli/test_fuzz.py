"""Whatever is typed, a command answers, begins its work or refuses in one line; never a traceback.

Lines are made by a seed (`hostile`). Where a command begins what takes long (training, timing), the
test stops it there as Ctrl-C would; figures are not drawn. FUZZ_LINES and FUZZ_SEED make others:

    FUZZ_SEED=7 FUZZ_LINES=5000 pytest -m slow tests/cli/test_fuzz.py
"""

import io
import json
import os
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from nextify.cli.main import main
from nextify.commands import probing
from nextify.measuring import benchmark, reference
from nextify.requests import REQUESTS
from nextify.scaling.measuring import networks, sweep
from nextify.scaling.sequence import experiment
from nextify.studies.running.local import LocalCrew
from nextify.training import folder

from .conftest import TINY, Answer, make_images
from .hostile import Typist, make_place

KEPT = Path(__file__).parents[1] / "records" / "kept"
LONG = ((folder, "train_with_network"), (LocalCrew, "hire"), (reference, "build_ours"),
        (benchmark, "build"), (sweep, "require_sizes"), (networks, "build"),
        (networks, "count_macs"), (experiment, "run"), (experiment, "train"),
        (probing, "build"), (probing, "measure"))  # fmt: skip
BEGUN = 130
COMMANDS = tuple(REQUESTS) + tuple(name for name in REQUESTS if not name.startswith("scale ")) * 2
MOST_SECONDS = 60  # of a line, on a busy machine; a pipe that is opened waits for ever
PLACE = 200  # lines in one folder, before a fresh one


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `train` leaves."""
    place = tmp_path_factory.mktemp("network")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("NEXTIFY_CACHE", str(place / "cache"))
        make_images(place / "pets", {"cat": 20, "dog": 20})
        with redirect_stdout(io.StringIO()):
            assert main(["train", *TINY, "epochs=1", "--output", "net"]) == 0
    return place / "net"


@pytest.fixture
def nothing_long(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def begin(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    def draw(figure: Figure, file: Any, *, format: str, **options: Any) -> None:
        file.write(b'<svg viewBox="0 0 1 1"></svg>')

    def hang(*arguments: Any) -> None:
        raise TimeoutError("it does not end")

    for owner, name in LONG:
        monkeypatch.setattr(owner, name, begin)
    monkeypatch.setattr(Figure, "savefig", draw)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = signal.signal(signal.SIGALRM, hang)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def answered(words: list[str]) -> Answer:
    out, err = io.StringIO(), io.StringIO()
    signal.alarm(MOST_SECONDS)
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    signal.alarm(0)
    return Answer(code, out.getvalue(), err.getvalue())


def require_manners(answer: Answer, words: list[str]) -> None:
    """What holds of every answer."""
    assert answer.code in (0, 1, 2, BEGUN), answer.code
    assert "Traceback" not in answer.err + answer.out
    last = answer.err.splitlines()[-1:] or [""]
    if answer.code in (2, BEGUN):
        assert answer.err.endswith("\n") and last[0].startswith("nextify: "), answer.err[-500:]
        assert len("nextify: x") < len(last[0]) < 5000, answer.err[-500:]
        assert answer.err.count("\nnextify: ") + answer.err.startswith("nextify: ") == 1
    else:
        assert answer.out + answer.err and "nextify: " not in answer.err, answer.err[-500:]
        if "--json" in words and not answer.out.startswith("usage"):
            json.loads(answer.out)
    assert not set(answer.err) & set("\x1b\x00\r\u202e\u2028"), answer.err[-500:]


def fuzzed(tmp_path: Path, patch: pytest.MonkeyPatch, network: Path, seed: int, lines: int) -> int:
    """Type so many lines; how many were not refused."""
    taken = 0
    for at in range(lines):
        if at % PLACE == 0:
            place = tmp_path / str(at) / "b" / "c"
            place.mkdir(parents=True)
            patch.chdir(place)
            make_images(place / "pets", {"cat": 20, "dog": 20})
            make_place(network, KEPT)
        typist = Typist((seed, at))
        words = typist.line(typist.draw.choice(COMMANDS))
        try:
            answer = answered(words)
            require_manners(answer, words)
        except BaseException as error:
            error.add_note(f"line {at} of seed {seed}: {words!r:.1500}")
            raise
        taken += answer.code != 2
    return taken


@pytest.mark.filterwarnings("default")  # as for users
def test_every_command_answers_begins_or_refuses(tmp_path, monkeypatch, network, nothing_long):
    taken = fuzzed(tmp_path, monkeypatch, network, seed=0, lines=200)
    assert taken > 30  # not all of it is refused at the door


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("default")
def test_thousands_of_lines(tmp_path, monkeypatch, network, nothing_long):
    seed, lines = (
        int(os.environ.get(f"FUZZ_{name}", n)) for name, n in (("SEED", 1), ("LINES", 5000))
    )
    fuzzed(tmp_path, monkeypatch, network, seed, lines)


def test_no_words_at_all(nextify):
    answer = nextify()
    assert answer.code == 2 and answer.out.startswith("usage")
    for word in ("", " ", "--", "-", "\0", "\ud800", "n" * 100_000, "scale", "train\n", "é"):
        answer = nextify(word)
        assert answer.code == 2 and answer.err.startswith("nextify: "), ascii(word)
        assert answer.err.count("\n") == 1 and len(answer.err) < 5000, ascii(word)
