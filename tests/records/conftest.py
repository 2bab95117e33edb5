"""A plan to store, and a folder that permissions protect."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from example_plan import make_plan

from nextify.records import Plan


@pytest.fixture
def plan() -> Plan:
    return make_plan()


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """An empty folder of a user for whom permissions count: root may write everything."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)
