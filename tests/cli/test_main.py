"""The entrance: which module carries out which command, and `python -m nextify`."""

import argparse
import runpy
import subprocess
import sys
from importlib import import_module

from nextify import __version__
from nextify.cli.main import COMMANDS
from nextify.cli.parser import make_parser


def test_every_command_has_a_module_that_carries_it_out():
    (commands,) = (
        action for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )  # fmt: skip
    assert COMMANDS.keys() == commands.choices.keys()
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
