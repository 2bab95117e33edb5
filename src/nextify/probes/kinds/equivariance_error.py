"""Equivariance error: whether the map after a stage moves with the image, shift by shift.

For a shift T by d pixels down and across, |f(T x) - T f(x)|^2 / (|f(T x)|^2 + |f(x)|^2), each sum
over images and over maps less the mean over positions of f(x): 0 if the map moves along, 1 if it
has nothing in common with one that does. A map of stride s is moved by d / s of its pixels, by
trigonometric interpolation, so that what is found is aliasing and what borders do, not that a map
has few pixels (arXiv 1904.11486, section 3, compares maps that are blown up by repetition). Images
and maps are mirrored at their borders. A stage whose map has one position along an axis is left
out: less its mean it is nothing there, and its error would be 1 by construction.
"""

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import maps_of, outputs
from nextify.probes.few import few
from nextify.probes.lattice import ends_that_move, lattices
from nextify.probes.measurement import Curve
from nextify.probes.moving import Edges, moved
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

_PIXELS = 1 << 16  # 64 images of 32 pixels
_SHIFTS = 8


def errors(
    network: nn.Module, images: Tensor, names: list[str], shifts: list[int],
    edges: Edges = "mirrored",
) -> list[list[float]]:  # fmt: skip
    """The errors of the maps after modules: for each, one a shift."""
    sides = int(images.shape[2]), int(images.shape[3])

    def seen_in(x: Tensor) -> list[Tensor]:
        with torch.no_grad():
            found = maps_of(network, outputs(network, x, names), sides)
        return [found[name].double() for name in names]

    still = seen_in(images)
    strides = [
        [lattice.stride for lattice in lattices(network, images, (maps.shape[2], maps.shape[3]))]
        for maps in still
    ]
    found: list[list[float]] = [[] for _ in names]
    for shift in shifts:
        after = seen_in(moved(images, shift, shift, edges))
        for row, before, now, (down, across) in zip(found, still, after, strides, strict=True):
            mean = before.mean((2, 3), keepdim=True)
            wanted, now = moved(before - mean, shift / down, shift / across, edges), now - mean
            size = wanted.square().sum() + now.square().sum()
            row.append(float((now - wanted).square().sum() / size))
    return found


def _measure(subject: Subject) -> Found:
    images = few(subject, _PIXELS)
    most = max(1, min(images.shape[2:]) // 4)
    shifts = sorted({round(1 + (most - 1) * at / (_SHIFTS - 1)) for at in range(_SHIFTS)})
    ends = ends_that_move(subject)
    if not ends:
        raise Undefined("the maps after its stages have one position only along an axis, and "
                        "nowhere to move to")  # fmt: skip
    found = errors(subject.network, images, list(ends.values()), shifts)
    stages = {stage: sum(row) / len(row) for stage, row in zip(ends, found, strict=True)}
    curves = {name: [round(error, 4) for error in row]
              for name, row in zip(stages, found, strict=True)}  # fmt: skip
    return Found(
        value=sum(stages.values()) / len(stages),
        values=stages,
        images=len(images),
        curves={"shift": shifts, **curves},
    )


PROBE = Probe(
    name="equivariance-error",
    title="Error of equivariance to shifts",
    version=2,
    better="lower",
    source="arXiv 1904.11486, section 3",
    needs=Needs(blocks=True, side=8),
    curves={"stage": Curve(title="By stage", at="shift", over="shift, px", unit="error")},
    measure=_measure,
)
