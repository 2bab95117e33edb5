"""Shift consistency: how often two shifted views of an image get the same class
(arXiv 1904.11486, section 4).

The paper crops 224 pixels from 256, at two places of 0 to 31. Here the crops are of the image
mirrored at its borders, at places up to a seventh of its side less one: 0 to 31 at 224 pixels, 0 to
4 at 32. Two things are another way: places are drawn for each image (published code draws them once
for a batch, whose errors then go together), and the crops of an image are all different, since of
25 places two would be the same too often.
"""

from itertools import combinations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import pad

from nextify.probes.few import few
from nextify.probes.measurement import Curve
from nextify.probes.moving import Edges
from nextify.probes.probe import Found, Needs, Probe, Subject

_PIXELS = 1 << 19  # 512 images of 32 pixels
_LEAST = 32
_CROPS = 4
_BATCH = 128


def shifted(
    images: Tensor, generator: Generator, crops: int, edges: Edges
) -> tuple[Tensor, Tensor]:
    """Crops of each image at places that differ.

    Returns:
        (crops, N, C, H, W), and the places (N, crops, 2), down and across, in pixels.
    """
    count, _, height, width = images.shape
    reach = [max(2, round(side / 7)) for side in (height, width)]
    before = [(by - 1) // 2 for by in reach]
    after = [by - 1 - start for by, start in zip(reach, before, strict=True)]
    larger = pad(images, (before[1], after[1], before[0], after[0]),
                 "reflect" if edges == "mirrored" else "circular")  # fmt: skip
    orders = torch.rand(count, reach[0] * reach[1], generator=generator).argsort(1)[:, :crops]
    places = torch.stack([orders // reach[1], orders % reach[1]], 2)
    views = torch.stack([
        torch.stack([
            image[:, down : down + height, across : across + width]
            for image, (down, across) in zip(larger, at.tolist(), strict=True)
        ])
        for at in places.unbind(1)
    ])  # fmt: skip
    return views, places


def agreement(
    network: nn.Module, images: Tensor, generator: Generator, edges: Edges = "mirrored"
) -> tuple[Tensor, Tensor]:
    """Whether two crops of an image get the same class, for every pair of its crops, and how far
    they are apart: both (N, pairs); in pixels, along the axis where it is more."""
    same, apart = [], []
    for some in torch.split(images, _BATCH):
        views, places = shifted(some, generator, _CROPS, edges)
        with torch.no_grad():
            classes = torch.stack([network(view).argmax(1) for view in views], 1).cpu()
        pairs = torch.tensor(list(combinations(range(_CROPS), 2)))
        same.append(classes[:, pairs[:, 0]] == classes[:, pairs[:, 1]])
        apart.append((places[:, pairs[:, 0]] - places[:, pairs[:, 1]]).abs().amax(2))
    return torch.cat(same).double(), torch.cat(apart)


def _measure(subject: Subject) -> Found:
    images = few(subject, _PIXELS, _LEAST)
    same, apart = agreement(subject.network, images, subject.generator)
    each = same.mean(1)
    error = float(each.std(correction=1) / len(each) ** 0.5) if len(each) > 1 else 0.0
    distances = torch.unique(apart)
    return Found(
        value=float(each.mean()),
        values={"standard error": error},
        images=len(images),
        curves={
            "shift": distances.tolist(),
            "agreement": [round(float(same[apart == by].mean()), 4) for by in distances],
        },
    )


PROBE = Probe(
    name="shift-consistency",
    title="Shift consistency",
    unit="share of pairs",
    better="higher",
    source="arXiv 1904.11486, section 4",
    needs=Needs(side=8),
    curves={"agreement": Curve(title="By distance of the crops", at="shift", over="distance, px")},
    measure=_measure,
)
