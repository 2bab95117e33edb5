"""RandAugment (Cubuk et al. 2020) with the fifteen increasing operations of timm.

The paper's "9, 0.5" is timm's `rand-m9-mstd0.5-inc1`: two layers; in each, every image draws one of
the operations, does it with probability 0.5, at magnitude 9 plus normal noise of deviation 0.5, cut
to 0 .. 10. Level = magnitude / 10.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Generator, Tensor

from nextify.data.augment import enhance, table, warp
from nextify.data.augment.box import draw, sent


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: timm's name, how a level becomes its argument, and what applies it.

    The argument is start + direction * reach * level, where direction is the image's random sign
    for those that are `signed` and 1 for others, and reach * level is cut to a `whole` number
    before the direction counts. So one expression serves a batch (see `arguments`).
    """

    name: str
    apply: Callable[..., Tensor]
    start: float = 0
    reach: float = 0
    signed: bool = False
    whole: bool = False


TABLES = (
    Operation("AutoContrast", table.auto_contrast),
    Operation("Equalize", table.equalize),
    Operation("Invert", table.invert),
    Operation("PosterizeIncreasing", table.posterize, start=4, reach=-4, whole=True),
    Operation("SolarizeIncreasing", table.solarize, start=256, reach=-256, whole=True),
    Operation("SolarizeAdd", table.solarize_add, reach=110, whole=True),
    Operation("ContrastIncreasing", table.contrast, start=1, reach=0.9, signed=True),
    Operation("BrightnessIncreasing", table.brightness, start=1, reach=0.9, signed=True),
)
WARPS = (
    Operation("Rotate", warp.rotate, reach=30, signed=True),
    Operation("ShearX", partial(warp.moved, entry=1), reach=0.3, signed=True),
    Operation("ShearY", partial(warp.moved, entry=3), reach=0.3, signed=True),
    Operation("TranslateXRel", partial(warp.moved, entry=2), reach=0.45, signed=True),
    Operation("TranslateYRel", partial(warp.moved, entry=5), reach=0.45, signed=True),
)
BLENDS = (
    Operation("ColorIncreasing", enhance.color, start=1, reach=0.9, signed=True),
    Operation("SharpnessIncreasing", enhance.sharpness, start=1, reach=0.9, signed=True),
)
OPERATIONS = (*TABLES, *WARPS, *BLENDS)
NOTHING = len(OPERATIONS)


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer does: each field (B,) on the CPU.

    operation: index into `OPERATIONS`, or `NOTHING`; level: 0 .. 1; sign: -1 or 1 (float64).
    """

    operation: Tensor
    level: Tensor
    sign: Tensor


def draw_layer(batch: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """The numbers of `drawn_layer`: uniform ones, (3, B), and normal ones, (B,)."""
    uniform = draw((3, batch), generator)
    return uniform, torch.randn(batch, generator=generator, dtype=torch.float64)


def drawn_layer(
    draws: tuple[Tensor, Tensor], magnitude: float, noise: float, probability: float
) -> Layer:
    """One layer: every image its own operation, magnitude and sign."""
    (chance, pick, side), normal = draws
    operation = (pick * len(OPERATIONS)).long()
    operation = operation.masked_fill(chance >= probability, NOTHING)
    level = (magnitude + noise * normal).clamp(0, 10) / 10
    return Layer(operation, level, torch.where(side < 0.5, -1.0, 1.0).double())


def arguments(layer: Layer) -> Tensor:
    """What each image's level means to its operation: (B,) float64, 0 for `NOTHING`."""
    table_of = [(op.start, op.reach, op.signed, op.whole) for op in OPERATIONS]
    rows = torch.tensor([*table_of, (0, 0, 0, 0)], dtype=torch.float64)
    start, reach, signed, whole = rows[layer.operation].unbind(1)
    amount = reach * layer.level
    amount = torch.where(whole > 0, amount.trunc(), amount)
    return start + torch.where(signed > 0, layer.sign, 1.0) * amount


def apply_layer(pixels: Tensor, layer: Layer, fill: tuple[int, ...]) -> Tensor:
    """The layer done to pixels (B, C, S, S) uint8; `fill`: C levels for what a warp uncovers.

    Images are sorted by operation, so that each operation has a run of neighbours and each kind
    too: one look-up serves all tables and one sampler all warps.
    """
    order = layer.operation.argsort(stable=True)
    sizes: list[int] = layer.operation.bincount(minlength=NOTHING + 1).tolist()
    bounds = [0, *accumulate(sizes)]
    tables, warps = len(TABLES), len(TABLES) + len(WARPS)
    views = pixels.index_select(0, sent(order, pixels.device))
    amounts = sent(arguments(layer)[order], pixels.device)
    done = (
        _look_up(views, amounts, bounds[: tables + 1]),
        _warp(views, amounts, bounds[tables : warps + 1], fill),
        _enhance(views, amounts, bounds[warps : NOTHING + 1]),
        views[bounds[NOTHING] :],
    )
    return torch.cat(done).index_select(0, sent(order.argsort(), pixels.device))


# The three below do a run of images each: operation i does bounds[i] .. bounds[i+1] of `views`.
_Runs = Iterator[tuple[Callable[..., Tensor], slice]]


def _runs(operations: tuple[Operation, ...], bounds: list[int]) -> _Runs:
    """What applies each operation that has images, and to which."""
    for op, (first, end) in zip(operations, pairwise(bounds), strict=True):
        if first < end:
            yield op.apply, slice(first, end)


def _look_up(views: Tensor, amounts: Tensor, bounds: list[int]) -> Tensor:
    images = views[bounds[0] : bounds[-1]]
    tables = [
        apply(views[run], amounts[run, None, None]).expand(-1, views.shape[1], -1)
        for apply, run in _runs(TABLES, bounds)
    ]
    return table.look_up(images, torch.cat(tables)) if tables else images


def _warp(views: Tensor, amounts: Tensor, bounds: list[int], fill: tuple[int, ...]) -> Tensor:
    images, size = views[bounds[0] : bounds[-1]], views.shape[-1]
    matrices = [apply(amounts[run], size) for apply, run in _runs(WARPS, bounds)]
    return warp.warp(images, torch.cat(matrices), fill) if matrices else images


def _enhance(views: Tensor, amounts: Tensor, bounds: list[int]) -> Tensor:
    blends = _runs(BLENDS, bounds)
    images = [apply(views[run], amounts[run, None, None, None]) for apply, run in blends]
    return torch.cat(images) if images else views[:0]
