"""Effective receptive field: the share of the image that holds half of what the middle unit of the
last map answers to (`nextify.probes.effective` says how, and why not as others do).

Its interval is that of other images: 95 % of the values of images drawn anew from these.
"""

import torch
from torch.nn.functional import adaptive_avg_pool2d

from nextify.probes.effective import input_gradients, middle_unit, squares
from nextify.probes.few import few
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject

_PIXELS = 1 << 16  # 64 images of 32 pixels
_THRESHOLDS = {"r20": 0.2, "r30": 0.3, "r50": 0.5, "r99": 0.99}
_DRAWS = 1000
_LARGEST_MAP = 32


def _measure(subject: Subject) -> Found:
    images = few(subject, _PIXELS)
    scores = input_gradients(subject.network, images).relu().sum(1)
    about = squares(scores, middle_unit(subject.network, images))
    drawn = torch.randint(len(images), (_DRAWS, len(images)), generator=subject.generator)
    weights = torch.zeros(_DRAWS, len(images), dtype=torch.float64)
    weights.scatter_add_(1, drawn, torch.ones_like(weights))
    ends = torch.tensor([0.025, 0.975]).double()
    # A draw of images of which none has a gradient has no share.
    low, high = about.share(0.5, weights).nanquantile(ends).tolist()
    shares = {name: float(about.share(threshold)) for name, threshold in _THRESHOLDS.items()}
    mass = about.masses.sum(0)
    return Found(
        value=shares["r50"],
        values={**shares, "low": low, "high": high},
        images=len(images),
        curves={
            "side": about.sides.tolist(),
            "mass": _rounded(mass / mass[-1]),
            "map": _small(scores.mean(0)),
        },
    )


def _small(scores: torch.Tensor) -> list[list[float]]:
    """A map for the eye: the square root of the scores over their largest, at most 32 x 32."""
    height, width = (min(side, _LARGEST_MAP) for side in scores.shape)
    small = adaptive_avg_pool2d(scores[None].double(), (height, width))[0].sqrt()
    return [_rounded(row) for row in small / small.max()]


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


PROBE = Probe(
    name="effective-receptive-field",
    title="Effective receptive field",
    version=2,
    unit="share of the image",
    source="arXiv 2203.06717, section 4",
    needs=Needs(blocks=True),
    curves={
        "mass": Curve(
            title="What a square holds",
            at="side",
            over="side of the square, px",
            unit="share of the gradient",
        ),
        "map": Curve(
            title="Gradient",
            over="across, part of 32",
            rows="down, part of 32",
            unit="root, of largest",
        ),
    },
    measure=_measure,
)
