"""For all tests: one thread, because the operators here are too small for more; no time limits of
an example, because a busy machine is slow; the same examples every time, so that a change is judged
by what it changed. HYPOTHESIS_PROFILE=search looks for new ones; what it finds becomes a test.
What a test draws without a generator of its own is the same in every order of the tests, and in
every process that they are dealt to.
"""

import os
import signal
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True, scope="session")
def same_terminal_everywhere() -> Iterator[None]:
    """What Rich and argparse read: with FORCE_COLOR, which many CI systems set, a file is taken for
    a terminal and gets progress bars."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "LINES"):
            patch.delenv(name, raising=False)
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERM", "xterm")
        yield


@pytest.fixture(autouse=True)
def same_draws_in_any_order() -> None:
    torch.manual_seed(0)


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """What a shell starts in the background ignores SIGINT, and so do the tests in it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
