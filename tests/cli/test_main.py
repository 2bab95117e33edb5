"""The entrance: which module carries out which command, and `python -m nextify`."""

import runpy
import subprocess
import sys
import warnings
from importlib import import_module
from types import SimpleNamespace

import pytest

from nextify import __version__
from nextify.cli import main as entrance
from nextify.cli.main import COMMANDS, main
from nextify.errors import InputError
from nextify.requests import REQUESTS


def test_every_command_has_a_module_that_carries_it_out():
    assert COMMANDS.keys() == REQUESTS.keys()
    for name in set(COMMANDS.values()):
        assert callable(import_module(f"nextify.cli.{name}").run)


def test_as_a_module():
    for arguments, code in (["--version"], 0), (["path", "nowhere"], 2), ([], 2):
        done = subprocess.run(
            [sys.executable, "-m", "nextify", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code
        assert (done.stdout == f"nextify {__version__}\n") == (code == 0)


def test_workers_of_a_study_may_import_the_entrance():
    """They do, under this name, when a study was started as `python -m nextify`."""
    assert runpy.run_module("nextify.__main__", run_name="__mp_main__")["main"]


COMPARE = "compare vit-mini convnext-mini"
STUDY_KEPT = "interrupted; every run that was recorded is kept, and the same command goes on"
SAVED = ("interrupted; every result so far is kept in out.json (none, if it is not there), and the "
         "same command goes on from it")  # fmt: skip
UNSAVED = "interrupted; nothing is kept: with --save FILE the same command would go on"


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (COMPARE, "", STUDY_KEPT),
        (f"{COMPARE} --plan", "", "interrupted"),
        (COMPARE, "interrupted: 3 of 8 runs", "interrupted: 3 of 8 runs"),
        ("study small", "", STUDY_KEPT),
        ("scale sequence --save out.json", "", SAVED),
        ("scale sequence", "", UNSAVED),
        ("scale sequence --save out.json --say queen", "", "interrupted; nothing is kept"),
        ("scale mixers", "", "interrupted; nothing is kept"),
        ("scale mixers --save out.json", "", SAVED),
        ("scale networks --save out.json", "", SAVED),
        ("scale networks", "", "interrupted; nothing is kept"),
        ("cost vit-mini", "", "interrupted"),
    ],
)
def test_an_interrupt_says_what_is_kept(monkeypatch, capsys, words, text, said):
    def interrupted(request, as_json):
        raise KeyboardInterrupt(text) if text else KeyboardInterrupt

    monkeypatch.setattr(entrance, "import_module", lambda name: SimpleNamespace(run=interrupted))
    assert main(words.split()) == 130
    assert capsys.readouterr() == ("", f"nextify: {said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("scale mixers --axis Q", "unknown value of --axis 'Q'. Known: N, D"),
        ("scale mixers --axis N --sizes -1,2,3",
         "--sizes is followed by '-1,2,3', which begins with a dash and is no option of `nextify "
         "scale mixers`; where it is the value, write --sizes=-1,2,3"),
        ("study small --sedes", "did you mean '--seeds'?"),
        ("study small --data --seeds 2", "--data: expected one argument"),
        ("export a b.onnx --reduce-range", "--reduce-range does nothing without --int8"),
        ("export a b.onnx --most-loss 1", "--most-loss does nothing without --int8; add that, or"),
        ("fit --params 1M --threads 2", "--threads does nothing without --latency"),
        ("compare vit-mini --cores-per-run 2", "--cores-per-run does nothing without --cluster"),
        ("study small --orders 9", "--orders does nothing without --experiment permutations"),
        ("cots vit-mini", "unknown command 'cots'; did you mean 'cost'?"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_its_option(capsys, words, said):
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("parents"), ImportError("half"), InputError("none")])
def test_an_error_that_an_interrupt_has_caused_is_an_interrupt(monkeypatch, capsys, error):
    def struck(request: object, as_json: bool) -> int:
        try:
            raise KeyboardInterrupt
        finally:
            raise error  # in putting things in order

    monkeypatch.setattr("nextify.cli.reading.run", struck)
    assert main(["path", "small"]) == 130
    assert capsys.readouterr().err == "nextify: interrupted\n"


@pytest.mark.parametrize("error", [MemoryError(), ImportError("libtorch.so: failed to map\nit")])
def test_a_limit_that_is_too_low_is_one_line(monkeypatch, capsys, error):
    def limited(request: object, as_json: bool) -> int:
        raise error

    monkeypatch.setattr("nextify.cli.reading.run", limited)
    assert main(["path", "small"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "ulimit -v" in said


def test_a_warning_is_one_line(monkeypatch, capsys):
    def warned(request: object, as_json: bool) -> int:
        warnings.warn("something\nis slow", RuntimeWarning, stacklevel=1)
        return 0

    monkeypatch.setattr("nextify.cli.reading.run", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["path", "small"]) == 0
    assert capsys.readouterr().err == "warning: something⏎is slow\n"
