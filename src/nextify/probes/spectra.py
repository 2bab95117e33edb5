"""The spectrum of feature maps, along half of the diagonal (arXiv 2202.06709, section 3).

Mean over images and channels of log(|F(h)| + 1e-6), F the two-dimensional Fourier transform of a
map h, at the frequencies k/H (1, 1), k = 0 ... below H/2, less its value at zero: natural
logarithms. Below 0, high frequencies are weaker than the mean.

Three traps. The last frequency depends on the size of the map: pi (1 - 2/H) for even H, 0.75 pi for
8 x 8 and 0.96 pi for 56 x 56, so that last points of two stages, or of two stems, are at different
frequencies; here all curves are read at the frequencies that a map of 14 x 14 has, up to 6/7 pi,
between points by a line. The mean of the logarithm is not the logarithm of the mean: coefficients
of white noise lie (log 2) / 2 above the one at zero, which alone among them is real. And a map's
left border meets its right one, so that a gradient across it is read as an edge.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nextify.probes.anatomy import batches_of_maps, maps_after_blocks
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Subject, Undefined

LEAST = 14  # pixels a side of the smallest map that is read
CURVES = {"block": Curve(title="By block", at="frequency", over="frequency, units of π")}
COMMON = tuple(k / 7 for k in range(7))  # frequencies in units of pi: those of a map of 14 x 14


def log_amplitudes(maps: Tensor) -> Tensor:
    """log(|F| + 1e-6) along half of the diagonal, each image by itself: (N, C, H, H) to
    (N, ceil(H / 2)), the mean over channels."""
    half = (maps.shape[-1] + 1) // 2
    diagonal = torch.fft.rfft2(maps.double()).diagonal(dim1=-2, dim2=-1)[..., :half]
    found: Tensor = (diagonal.abs() + 1e-6).log().mean(1)
    return found


def mirrored(maps: Tensor) -> Tensor:
    """Maps of twice the side, mirrored at their right and lower borders: (..., 2 H, 2 W)."""
    wide = torch.cat([maps, maps.flip(-1)], -1)
    return torch.cat([wide, wide.flip(-2)], -2)


def at_common(curve: Tensor, side: int) -> list[float]:
    """A curve along half of the diagonal of a map, less its first value, at `COMMON`."""
    own = np.arange(len(curve)) * (2 / side)  # in units of pi
    found: list[float] = np.interp(COMMON, own, (curve - curve[0]).cpu().numpy()).tolist()
    return found


def measure_spectra(subject: Subject, adapted: Callable[[Tensor], Tensor]) -> Found:
    """What `log_amplitudes` finds of the maps that blocks put out, as they are or mirrored.

    The value is the amplitude at the last of `COMMON`, the mean over the blocks that are read;
    `stage1` ... are those of each stage's last block, where it is read.
    """
    stages = subject.anatomy.stages
    sides = _sides(subject, adapted)
    totals = {name: torch.zeros((side + 1) // 2, dtype=torch.float64) for name, side in sides}
    for maps in batches_of_maps(subject.network, subject.images):
        for name in totals:
            totals[name] += log_amplitudes(adapted(maps[name])).sum(0).cpu()
    curves = {name: at_common(totals[name] / len(subject.images), side) for name, side in sides}
    read = {block: at for at, block in enumerate(subject.anatomy.blocks, 1) if block in curves}
    last = [curve[-1] for curve in curves.values()]
    return Found(
        value=sum(last) / len(last),
        values={
            f"stage{at}": curves[stage[-1]][-1]
            for at, stage in enumerate(stages, 1)
            if stage[-1] in curves
        },
        curves={"frequency": list(COMMON)} | {f"block{read[name]}": curves[name] for name in read},
    )


def _sides(subject: Subject, adapted: Callable[[Tensor], Tensor]) -> list[tuple[str, int]]:
    """The blocks whose maps are read, and how many pixels a side these have then."""
    maps = maps_after_blocks(subject.network, subject.images[:1])
    shapes = {name: tuple(adapted(each).shape[2:]) for name, each in maps.items()}
    found = [(name, h) for name, (h, w) in shapes.items() if h == w and h >= LEAST]
    if not found:
        height, width = max(tuple(each.shape[2:]) for each in maps.values())
        why = "too few for a spectrum along its diagonal"
        if height != width:
            why = "and is not square: a spectrum is read along the diagonal of a square map"
        raise Undefined(
            f"the largest map that a block puts out has {height} x {width} pixels, {why}"
        )
    return found
