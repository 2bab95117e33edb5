"""Widths near a common multiple of a design's own: what `match_cost` and `fill_budget` try."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import log

from nextify.costs import Polynomial
from nextify.designs import Design

Widths = tuple[int, ...]

_FAR = (1, 2, 4)  # units by which a width may leave its proportion, if fewer do not suffice
_MOST_CANDIDATES = 20_000


def scales(one: Polynomial, design: Design, cost: float, classes: int) -> tuple[float, float]:
    """The real factor on all widths at which the design costs so much, by bisection: the last one
    found below the cost, and the first that is not.

    >>> from nextify.costs import form_of
    >>> from nextify.designs import design
    >>> tiny = design("convnext-tiny")
    >>> below, above = scales(form_of(tiny, 224).params, tiny, 4 * 28_589_128, 1000)
    >>> round(below, 3), above - below < 1e-12
    (2.021, True)
    """

    def total(scale: float) -> float:
        widths = tuple(width * scale for width in design.widths)
        return one.at(design.depths, widths, classes)  # type: ignore[arg-type]

    low, high = 0.0, 1.0
    while total(high) < cost:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < cost else (low, middle)
    return low, high


def distances(stages: int) -> Iterator[int]:
    """Units by which widths may leave their proportion: ever more, as long as not too many widths
    are that near.

    >>> list(distances(4)), list(distances(6))
    ([1, 2, 4], [1, 2])
    """
    for far in _FAR:
        if (2 * far + 1) ** stages > _MOST_CANDIDATES:
            break
        yield far


def around(ideal: list[float], far: int, least: Sequence[int], unit: int = 1) -> list[Widths]:
    """Multiples of a unit within `far` of them of the ideal widths, none below the least.

    >>> around([10.2, 20.0], 1, least=(10, 1))
    [(10, 19), (10, 20), (10, 21), (11, 19), (11, 20), (11, 21)]
    """
    steps = range(-far, far + 1)
    choices = [
        sorted({max(low, (round(width / unit) + step) * unit) for step in steps})
        for width, low in zip(ideal, least, strict=True)
    ]
    return list(product(*choices))


def distortion(widths: Widths, ideal: list[float]) -> float:
    """The largest change of a proportion between two widths, as a logarithm.

    >>> distortion((10, 20), [10.0, 20.0])
    0.0
    """
    changes = [log(width / wish) for width, wish in zip(widths, ideal, strict=True)]
    return max(changes) - min(changes)
