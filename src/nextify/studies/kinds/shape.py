"""The path that `choose` starts from: the one whose designs use the budgets best.

A path stands for a shape: stages, depths, and by its stem's stride how fine the first maps are.
Widths alone cannot make a budget good: ResNet-50's shape with 300,000 parameters takes a third of
the multiply-accumulates that the small path's takes on the same images.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import log
from statistics import geometric_mean
from typing import Any

from nextify.designs import path
from nextify.errors import InputError
from nextify.fitting import fill_budget, use_of

_PATHS = ("small", "resnet50")
_STRIDES = (4, 2, 1)  # of the stem
_FINE = 14  # pixels a side of the first stage's maps, where they can be had
# Of the best use: among those that reach it, the most usual shape is taken; parameters that are not
# used are nothing lost where images are small and multiply-accumulates limited (measured on three
# sets of images: docs/choosing.md, "The first try").
_NEARLY = 0.7
_SMALL = 128  # pixels a side; from there on nothing was measured


@dataclass(frozen=True, slots=True)
class Shape:
    """A path with a stride of its stem.

    Attributes:
        path: its name.
        use: of the budget that is used least, by the path's start or its end, whichever is less;
            of multiply-accumulates, where they are limited and images small.
        unusual: how far the stride is from what suits the images, and by how much the widths are
            below the path's own, in logarithms: the stride of which it is least is taken.
        changed: how far the widths are from the path's own.
    """

    path: str
    stem_stride: int
    use: float
    unusual: float
    changed: float


def suited_shape(
    budgets: Mapping[str, int], *, image_size: int, classes: int, stem_stride: int | None = None
) -> Shape:
    """The path and the stride of its stem that use budgets best.

    Of those that use them nearly as well as the best: of each path the stride that gives usual
    first maps and not too narrow networks, and of these the path whose widths change least.

    >>> one = suited_shape({"params": 12_000_000}, image_size=224, classes=1000)
    >>> one.path, one.stem_stride
    ('resnet50', 4)
    >>> one = suited_shape({"params": 300_000}, image_size=32, classes=10)
    >>> one.path, one.stem_stride
    ('small', 2)

    Args:
        image_size, classes: that costs are counted for. stem_stride: that is asked for.
    """
    strides = (stem_stride,) if stem_stride else _STRIDES
    size = {"image_size": image_size, "classes": classes}
    tried = (_shape(name, stride, budgets, size) for name, stride in product(_PATHS, strides))
    found = [shape for shape in tried if shape]
    if not found:  # who plans with it says what is possible
        return Shape(_PATHS[0], strides[0], 0.0, 0.0, 0.0)
    best = max(shape.use for shape in found)
    good = sorted((s for s in found if s.use >= _NEARLY * best), key=lambda shape: shape.unusual)
    of_paths = (next((s for s in good if s.path == name), None) for name in _PATHS)
    return min(filter(None, of_paths), key=lambda shape: shape.changed)


def _shape(
    name: str, stride: int, budgets: Mapping[str, int], size: Mapping[str, Any]
) -> Shape | None:
    """What a path with this stride uses; None if an end of it cannot be made narrow enough, or
    strides over more than the images have."""
    usual = next((s for s in _STRIDES if size["image_size"] >= _FINE * s), _STRIDES[-1])
    whole = path(name).with_design_fields({"stem_stride": stride})
    ends = (whole.start, whole.end)
    try:
        filled = [fill_budget(end, budgets, **size) for end in ends]
    except InputError:
        return None
    is_of_macs = "macs" in budgets and size["image_size"] < _SMALL
    uses = (use_of(one, budgets, **size) for one in filled)
    use = min(each["macs"] if is_of_macs else min(each.values()) for each in uses)
    change = sum(
        log(geometric_mean(after.widths) / geometric_mean(before.widths))
        for before, after in zip(ends, filled, strict=True)
    )
    return Shape(name, stride, use, abs(log(stride / usual)) + max(0.0, -change), abs(change))
