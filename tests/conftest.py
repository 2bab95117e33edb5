"""For all tests: one thread, because the operators here are too small for more; no time limits of
an example, because a busy machine is slow; the same examples every time, so that a change is judged
by what it changed. HYPOTHESIS_PROFILE=search looks for new ones; what it finds becomes a test.
What a test draws without a generator of its own is the same in every order of the tests, and in
every process that they are dealt to.
"""

import os

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def same_draws_in_any_order() -> None:
    torch.manual_seed(0)
