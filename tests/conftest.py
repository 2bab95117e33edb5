"""For all tests: one thread, because the operators here are too small for more; no time limits of
an example, because a busy machine is slow."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
