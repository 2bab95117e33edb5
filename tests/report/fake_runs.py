"""Single runs that never ran: what the made-up studies are put together from."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nextify.records import Measured, Plan, Record, Result

MACHINE = {
    "nextify": "0.1.0",
    "python": "3.11.7",
    "torch": "2.11.0+cpu",
    "system": "Linux x86_64",
    "device": "AMD EPYC 7B13 (AVX2)",
    "device_kind": "cpu",
    "cores": 2,
    "threads": 1,
}


def record(plan: Plan, cell: int, seed: int, outcome: str, **values) -> Record:
    """What became of a run of the plan."""
    run = plan.run(plan.cells[cell], seed)
    return Record(key=run.key, run=run.as_dict(), outcome=outcome, environment=MACHINE, **values)


def diverged(plan: Plan, cell: int, seed: int, **values) -> Record:
    """A run whose loss became infinite."""
    message = "the loss became infinite in epoch 4 (step 290)"
    return record(plan, cell, seed, "diverged", message=message, **values)


def failed(plan: Plan, cell: int, seed: int, message: str) -> Record:
    """A run that could not be carried out."""
    return record(plan, cell, seed, "failed", message=message)


def right(accuracy: float, weights: list[float], parts: list[NDArray]) -> NDArray[np.bool_]:
    """Which images are classified correctly: the easy ones. How hard an image is, is a sum of
    standard normal parts with these weights as variances; on average `accuracy` are right."""
    return np.sqrt(weights) @ parts < stats.norm.ppf(accuracy)


def result(correct: NDArray[np.bool_], **values) -> Result:
    """With the accuracy that those images make."""
    return Result(
        accuracy=float(correct.mean()),
        images=len(correct),
        correct=np.packbits(correct).tobytes(),
        **values,
    )


def measured(seconds: float, images_per_second: float) -> Measured:
    """With a second of evaluation and 600 MiB."""
    return Measured(
        seconds=seconds,
        evaluation_seconds=1.0,
        images_per_second=images_per_second,
        peak_memory=600 << 20,
    )
