"""Initialisation and learning rate crossed with the choices, on hand-made records."""

from dataclasses import replace

import numpy as np
import pytest

from nextify.designs import path, read_crossed
from nextify.experiments.coding import all_cells, codes_of
from nextify.findings import attribute
from nextify.studies import Frame, plan_experiment
from tests.findings import factorial

DATA = {"name": "toy", "fingerprint": "1", "image_size": 28, "classes": 10, "train": 10_000,
        "test": 400}  # fmt: skip
BOTH = "initialisation,rate"


def planned(experiment="resolution-5", crossed=BOTH, **how):
    how = {"seeds": [0], "end_seeds": 1, **how}
    of = Frame(path("small"), data=DATA, data_source="x", crossed=read_crossed(crossed), **how)
    return plan_experiment(of, experiment)
