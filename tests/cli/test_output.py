"""Where answers go: pipes that close, disks that are full, terminals that are not Unicode."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from nextify.cli import main as entrance
from nextify.cli.main import main
from nextify.cli.show import print_json, print_table, say

COMMAND = f'"{sys.executable}" -m nextify'


def shell(line: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        capture_output=True, text=True, env={**os.environ, **environment}, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", ["path resnet50", "designs --json", "cost resnet50 --layers", "--help"]
)
def test_a_reader_that_leaves_is_no_error(arguments):
    done = shell(f"{COMMAND} {arguments} | true")
    assert (done.returncode, done.stderr) == (0, "")
    done = shell(f"{COMMAND} {arguments} | head -1")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", ["path small", "cost resnet50 --layers --json"])
def test_a_full_disk_under_the_answer(arguments):
    done = shell(f"{COMMAND} {arguments} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("nextify: standard output cannot be written: No space left")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", ["path resnet50", "path small", "show convnext-tiny"])
def test_a_terminal_that_is_not_unicode_gets_plain_signs(encoding, arguments):
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "nextify", *arguments.split()],
        capture_output=True, env={**os.environ, **environment}, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\\u" not in done.stdout.decode(encoding)


def test_json_is_ascii_and_means_the_same(nextify):
    done = shell(f"{COMMAND} path small --json", PYTHONIOENCODING="ascii")
    steps = json.loads(done.stdout)
    assert steps[1]["changed"] == "classic-small → modern-small"
    assert steps == json.loads(nextify("path", "small", "--json").out)


def test_json_has_no_word_for_what_is_no_number(capsys):
    print_json([{"curve": (1.5, float("inf"))}, float("nan")])
    assert json.loads(capsys.readouterr().out) == [{"curve": [1.5, None]}, None]


def test_columns_stay_aligned_in_plain_signs():
    done = shell(f"{COMMAND} path small", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    lines = done.stdout.splitlines()
    head = next(line for line in lines if line.startswith("step"))
    end = head.index("params") + len("params")
    rows = [line for line in lines if "->" in line]
    assert rows and all(row[end - 1].isdigit() and row[end] == " " for row in rows)


def test_a_message_about_a_name_with_a_line_break_stays_one_line(refused):
    assert "network file not⏎here does not exist" in refused("predict", "not\nhere", "x")


STEERING = [
    ("a\x1b[2Jb", "a\\x1b[2Jb"), ("a\rb", "a⏎b"), ("a\u2028b", "a⏎b"), ("a\x00b", "a\\x00b"),
    ("a\u202eb", "a\\u202eb"), ("a\udcffb", "a\\udcffb"), ("a\x9bb", "a\\x9bb"), ("añ猫b", "añ猫b"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said"), STEERING, ids=[ascii(name) for name, _ in STEERING])
def test_what_would_steer_a_terminal_is_written_as_an_escape(capsys, name, said):
    assert main(["predict", name, "x"]) == 2
    refused = f"network: it is '{said}'; it holds a NUL"  # at the door: no file can be called so
    wrong = refused if "\0" in name else f"network file {said} does not exist"
    assert wrong in capsys.readouterr().err
    print_table(["name"], [[name]])
    assert capsys.readouterr().out.splitlines()[-1] == said
    say(f"{name}\tx")
    told = capsys.readouterr().out
    assert told.endswith("b\tx\n") and not set("\x1b\x00\x9b\u202e\u2028") & set(told)


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line(capsys, monkeypatch):
    def warn(request, as_json):
        warnings.warn("it will be\ndecoded again", RuntimeWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(entrance, "import_module", lambda name: SimpleNamespace(run=warn))
    assert main(["designs"]) == 0
    assert capsys.readouterr() == ("", "warning: it will be⏎decoded again\n")


def test_where_standard_error_is_closed_nothing_takes_its_place():
    done = shell(f"{COMMAND} cost nothing 2>&-")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_name_that_is_not_unicode_does_not_break_the_answer():
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"nextify", b"path", b"\xff\xfe"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(b"nextify: unknown path") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(("closed", "out"), [(">&-", ""), ("2>&-", "step"), ("<&- 2>&-", "step")])
def test_streams_that_are_closed(closed, out):
    done = shell(f"{COMMAND} path small {closed}")
    assert (done.returncode, done.stderr) == (0, "") and out in done.stdout


def test_notes_that_nobody_reads_do_not_end_the_work():
    done = shell(f"({COMMAND} designs --image-size 100 && echo done >&3) 3>&2 2>&1 1>&3 | true")
    assert "done" in done.stderr
