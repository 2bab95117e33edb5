"""Widths near a common multiple of a design's own: what `match_cost` and `fill_budget` try."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import log

from nextify.costs import Polynomial

Widths = tuple[int, ...]

_FAR = (1, 2, 4)  # units by which a width may leave its proportion, if fewer do not suffice
_MOST_CANDIDATES = 20_000


def scales(
    one: Polynomial, depths: Sequence[int], widths: Sequence[float], cost: float, classes: int
) -> tuple[float, float]:
    """The real factor on all widths at which a design costs so much, by bisection: the last one
    found below the cost, and the first that is not.

    >>> from nextify.costs import form_of
    >>> from nextify.designs import design
    >>> tiny = design("convnext-tiny")
    >>> below, above = scales(
    ...     form_of(tiny, 224).params, tiny.depths, tiny.widths, 4 * 28_589_128, 1000)
    >>> round(below, 3), above - below < 1e-12
    (2.021, True)
    """

    def total(scale: float) -> float:
        scaled = tuple(width * scale for width in widths)
        return one.at(depths, scaled, classes)  # type: ignore[arg-type]

    low, high = 0.0, 1.0
    while total(high) < cost:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < cost else (low, middle)
    return low, high


def nearest(
    ideal: Sequence[float],
    least: Sequence[int],
    miss: Callable[[Widths], float],
    enough: float,
    unit: int = 1,
) -> tuple[Widths, float]:
    """Of widths within a few units of the ideal ones, none below the least, those that miss a goal
    by no more than `enough`, with the least largest change of a proportion; where there are none,
    those that miss it least. With by how much they do.

    >>> nearest([10.2, 20.0], (10, 1), lambda widths: abs(sum(widths) - 31), enough=0.5)
    ((10, 21), 0)
    """
    missed = {widths: miss(widths) for widths in _around(ideal, 0, least, unit)}
    for far in _FAR:
        if (2 * far + 1) ** len(ideal) > _MOST_CANDIDATES:
            break
        missed |= {widths: miss(widths) for widths in _around(ideal, far, least, unit)}
        near = [widths for widths, by in missed.items() if by <= enough]
        if near:
            best = min(near, key=lambda widths: (_distortion(widths, ideal), missed[widths]))
            return best, missed[best]
    return min(missed.items(), key=lambda one: one[1])


def _around(ideal: Sequence[float], far: int, least: Sequence[int], unit: int) -> Iterator[Widths]:
    """Multiples of a unit within `far` of them of the ideal widths, none below the least."""
    steps = range(-far, far + 1)
    choices = [
        sorted({max(low, (round(width / unit) + step) * unit) for step in steps})
        for width, low in zip(ideal, least, strict=True)
    ]
    return product(*choices)


def _distortion(widths: Widths, ideal: Sequence[float]) -> float:
    """The largest change of a proportion between two widths, as a logarithm."""
    changes = [log(width / wish) for width, wish in zip(widths, ideal, strict=True)]
    return max(changes) - min(changes)
