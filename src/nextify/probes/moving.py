"""Images and maps moved by less than a pixel: trigonometric interpolation, as matrices.

Along an axis, an image is the only band-limited function through its pixels: of a picture that
repeats itself (`circular`), or that is mirrored at its borders (`mirrored`), so that moving it
makes no edge that was not there. Both axes are interpolated one after the other. Bilinear
interpolation has a kink at every pixel, and there no derivative.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from nextify.probes.lattice import Lattice

Edges = Literal["mirrored", "circular"]


def moved(x: Tensor, down: float, across: float, edges: Edges = "mirrored") -> Tensor:
    """Images or maps (..., H, W), moved by so many of their pixels.

    >>> moved(torch.tensor([[1.0, 2.0, 3.0]]), 0, 1, "circular").round().tolist()
    [[3.0, 1.0, 2.0]]
    >>> moved(torch.tensor([[1.0, 2.0, 3.0]]), 0, 1).round().tolist()
    [[1.0, 1.0, 2.0]]
    """
    rows, columns = (
        _matrix(_kernel, side, by, edges).to(x)
        for side, by in zip(x.shape[-2:], (down, across), strict=True)
    )
    return rows @ x @ columns.T


def slopes(x: Tensor, edges: Edges = "mirrored") -> tuple[Tensor, Tensor]:
    """The derivatives of images or maps (..., H, W) down and across, per pixel of theirs."""
    rows, columns = (_matrix(_slope, side, 0.0, edges).to(x) for side in x.shape[-2:])
    return rows @ x, x @ columns.T


def _matrix(kernel: Callable[[Tensor, int], Tensor], side: int, by: float, edges: Edges) -> Tensor:
    """What maps pixels to the interpolation's values at each pixel, less `by`: (side, side)."""
    period = side if edges == "circular" else 2 * side
    place = torch.arange(period, dtype=torch.float64)
    matrix = kernel(place[:side, None] - by - place, period)
    return matrix if edges == "circular" else matrix[:, :side] + matrix[:, side:].flip(1)


def _kernel(u: Tensor, period: int) -> Tensor:
    """The interpolation of one pixel that is 1, at a distance: sin(pi u) / (n tan(pi u / n)), or
    the sine in place of the tangent where n is odd."""
    angle = torch.pi * u / period
    below = angle.sin() if period % 2 else angle.tan()
    whole = (u / period - (u / period).round()).abs() < 1e-12
    return torch.where(whole, 1.0, (torch.pi * u).sin() / (period * below))


def _slope(u: Tensor, period: int) -> Tensor:
    """The derivative of `_kernel` at whole distances (Trefethen, Spectral Methods in MATLAB,
    chapter 3): 0 for the highest frequency of an even period, whose phase is not known."""
    angle = torch.pi * u / period
    below = angle.sin() if period % 2 else angle.tan()
    sign = 1 - 2 * u.remainder(2)
    here = u.remainder(period) == 0
    return torch.where(here, 0.0, torch.pi / period * sign / below)


# How images begin to move: what each does to a map's values per unit of the parameter, from its
# slopes per pixel of the image and the places of its units, in pixels from the middle.
Direction = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "translation": (lambda dy, dx, y, x: -dy, lambda dy, dx, y, x: -dx),
    "rotation": (lambda dy, dx, y, x: y * dx - x * dy,),
    "scale": (lambda dy, dx, y, x: -(y * dy + x * dx),),
}


def begun(
    x: Tensor,
    direction: Direction,
    lattices: tuple[Lattice, Lattice],
    middle: tuple[float, float],
    edges: Edges = "mirrored",
) -> Tensor:
    """The derivative d/dt of moved images or maps (..., H, W), at t = 0.

    Args:
        lattices: where their units are, in pixels of the image.
        middle: about which they turn and grow.
    """
    dy, dx = slopes(x, edges)
    down, across = lattices
    y, x_at = (
        torch.tensor([lattice.at(unit) - at for unit in range(side)], dtype=torch.float64).to(x)
        for lattice, at, side in zip(lattices, middle, x.shape[-2:], strict=True)
    )
    return direction(dy / down.stride, dx / across.stride, y[:, None], x_at)
