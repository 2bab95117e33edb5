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
    try:
        if root:
            become_nobody(folder)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def become_nobody(folder: Path) -> None:
    """Give up what root may, and own the folder; a container may forbid it, and what is above the
    folder may let in nobody but root."""
    try:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        list(folder.iterdir())
    except OSError as error:
        pytest.skip(f"root cannot be another user in {folder}: {error.strerror}")
