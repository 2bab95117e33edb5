"""For all tests: one thread, because the operators here are too small for more."""

import torch

torch.set_num_threads(1)
