"""Processes are started with variables of their own, and none outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nextify.machine.processes import with_variables

PATIENCE = 30
CHILD = (
    "import os, sys, time; from nextify.machine.processes import end_with_parent; "
    "end_with_parent(os.getppid()); print(os.getpid(), flush=True); time.sleep(600)"
)
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def test_variables_are_as_before_afterwards(monkeypatch):
    monkeypatch.setenv("NEXTIFY_HERE", "before")
    monkeypatch.delenv("NEXTIFY_NEW", raising=False)
    with with_variables({"NEXTIFY_HERE": "inside", "NEXTIFY_NEW": "inside"}):
        assert os.environ["NEXTIFY_HERE"] == os.environ["NEXTIFY_NEW"] == "inside"
    assert os.environ["NEXTIFY_HERE"] == "before" and "NEXTIFY_NEW" not in os.environ


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel does it on Linux")
def test_a_process_ends_with_a_parent_that_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while running(child):
            assert time.monotonic() < deadline, "the child is still there"
            time.sleep(0.01)


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_whose_parent_has_gone_ends_at_once():
    code = f"from nextify.machine.processes import end_with_parent as end; end({os.getpid() + 1})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
