"""Evaluations whose numbers a test knows."""

import numpy as np

from nextify.experiments.intervals import Interval
from nextify.findings.calibration import reliability
from nextify.findings.confusion import confusion
from nextify.report.evaluation.content import Calibration, EvaluationContent, Scaled, Wrong

HOSTILE = "<script>alert(1)</script> & $x$ \u202e"


def calibration(images: int, seed: int = 0) -> Calibration:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1, images)
    bins = reliability(confidence, rng.random(images) < confidence**2, 15)
    return Calibration(images=images, nll=0.5, error=0.1, by_chance=0.02, bins=tuple(bins))


def evaluated(classes: tuple[str, ...], images: int = 500, **more: object) -> EvaluationContent:
    """A network that is right about seven images in ten."""
    rng = np.random.default_rng(len(classes))
    labels = np.r_[np.arange(len(classes)), (rng.random(images) ** 2 * len(classes)).astype(int)]
    wrong = rng.integers(len(classes), size=len(labels))
    counts = confusion(labels, np.where(rng.random(len(labels)) < 0.7, labels, wrong), len(classes))
    values = {
        "network": "runs/mine", "design": "Convolutional", "params": 12_000, "data": "pets",
        "source": "made by the tests", "classes": classes, "counts": counts, "wrong": (),
        "before": calibration(300), "command": "nextify evaluate runs/mine",
    }  # fmt: skip
    return EvaluationContent(**{**values, **more})


def scaled(temperature: float = 1.5) -> Scaled:
    change = Interval(-0.2, -0.1)
    return Scaled(temperature=temperature, images=200, part="half", after=calibration(300, 1),
                  change=change)  # fmt: skip


def wrong(name: str) -> Wrong:
    return Wrong(
        name=name, answer=name, probability=0.9996, label="dog", own=0.0002, picture=b"\xff"
    )
