"""Pictures of the same shot, whatever was done to the file: encoded again, resized, mirrored, made
darker or grey, shifted by a pixel.

Every image becomes 63 numbers: its low cosine frequencies in grey. Two steps make them say which
picture it is, and not what kind:

- each image's brightness and contrast are taken out, and frequencies weighed by their height: of
  photographs, all are then about as strong (Field 1987, J. Opt. Soc. Am. A 4);
- what the images of this set have in common, as a black background, is taken out: the numbers are
  whitened by the set's own covariance, of a few images drawn towards that of photographs.

The likeness of two images is the cosine of the angle between their numbers. A mirror image has the
numbers of odd horizontal frequencies with the other sign, so that with E and O the sums over the
even and the odd ones, E + |O| is the likeness to the image or to its mirror image.

In d dimensions the share of directions within a likeness s of one falls as (1 - s^2)^((d-1)/2).
Images that are much alike, as of trousers on black, leave few dimensions: 9 is the least that was
met (Fashion-MNIST). So an image with n others above 0.7 is expected to have n x ((1 - s^2) /
(1 - 0.7^2))^4 of them above s by chance; a pair counts where that is at most 0.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

_SIDE = 32  # pixels of the square that an image is looked at as
_FREQUENCIES = 8  # along each side, with none at all
# Of Rec. 601, as Pillow's.
_GREY = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float32, device="cpu")
_FLAT = 2.0  # grey levels of deviation below which an image shows nothing
_PRIOR = 100  # images that the covariance of photographs is worth
_NOISE = 0.02  # of a dimension's variance in photographs: below it there is only noise

LEAST = 0.85  # likeness of two pictures of one shot
_NEIGHBOUR = 0.7
_POWER = 4.0
_CHANCE = 0.1
_ROWS, _COLUMNS = 512, 4096  # of a block of likenesses, which stays in a core's own cache
MOST_PAIRS = 4_000_000  # kept: 100 MB


@dataclass(frozen=True, eq=False)
class Near:
    """Pairs of near duplicates, the most alike first.

    one, other: indices of images. likeness: 0.85 to 1. mirrored: whether one is the mirror image of
    the other. is_whole: False where there are more than are kept.
    """

    one: Indices
    other: Indices
    likeness: Floats
    mirrored: NDArray[np.bool_]
    is_whole: bool = True


def frequencies(pixels: Tensor) -> Floats:
    """The low frequencies of images (B, 1 or 3, S, S) uint8, by rows: (B, 64), the first one 0. An
    image that shows nothing has zeros.

    >>> frequencies(torch.zeros(2, 3, 40, 40, dtype=torch.uint8)).shape
    (2, 64)
    """
    if pixels.shape[-1] != _SIDE:
        pixels = interpolate(pixels, size=(_SIDE, _SIDE), mode="bicubic", antialias=True)
    grey = pixels.float().mul(_GREY[:, None, None]).sum(1)  # grey images have three equal channels
    waves = _waves()
    found = waves @ grey @ waves.T
    height = _heights()
    found[:, 0, 0] = 0
    strength = found.square().sum((1, 2), keepdim=True).sqrt()
    weighed = found * height
    scaled = weighed / weighed.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-9)
    return (scaled * (strength >= _FLAT * _SIDE)).flatten(1).numpy()


@cache
def _waves() -> Tensor:
    """(8, 32): cosines of length 1, an orthonormal row each (DCT-II)."""
    at = (torch.arange(_SIDE) + 0.5) * torch.pi / _SIDE
    waves: Tensor = torch.cos(torch.arange(_FREQUENCIES)[:, None] * at) * (2 / _SIDE) ** 0.5
    waves[0] /= 2**0.5
    return waves


@cache
def _heights() -> Tensor:
    """(8, 8): how high each frequency is."""
    along = torch.arange(_FREQUENCIES).float()
    return (along[:, None].square() + along.square()).sqrt()


def near_duplicates(found: Floats) -> Near:
    """The near duplicates among images, of which these are the `frequencies`: (N, 64).

    Every pair is looked at, a block at a time: 100,000 images take a minute or two, ten times as
    many a hundred times as long.
    """
    even, odd = _whitened(torch.from_numpy(found))
    rows = even.any(1).nonzero().flatten()  # of images that show something
    even, odd = even[rows], odd[rows]
    neighbours = torch.zeros(len(rows), dtype=torch.int64)
    pairs, likeness = torch.empty(2, 0, dtype=torch.int64), torch.empty(0)
    waiting, is_whole = [(pairs, likeness)], True
    for some, alike in _neighbours(even, odd):
        for side in some:
            neighbours += torch.bincount(side, minlength=len(rows))
        kept = alike.abs() >= LEAST
        waiting.append((some[:, kept], alike[kept]))
        if sum(len(each) for _, each in waiting) > MOST_PAIRS:
            pairs, likeness = _beyond_chance(waiting, neighbours)
            is_whole = is_whole and len(likeness) <= MOST_PAIRS // 2
            waiting = [(pairs[:, : MOST_PAIRS // 2], likeness[: MOST_PAIRS // 2])]
    pairs, likeness = _beyond_chance(waiting, neighbours)
    one, other = rows[pairs].numpy()
    return Near(one, other, likeness.abs().clamp(max=1).numpy(), (likeness < 0).numpy(), is_whole)


def _whitened(found: Tensor) -> tuple[Tensor, Tensor]:
    """Of the numbers of images (N, 64) those of even and of odd horizontal frequency, each without
    what the images have in common, and all of an image together of length 1, or zeros."""
    shows = found.any(1)
    is_odd = (torch.arange(_FREQUENCIES) % 2 == 1).repeat(_FREQUENCIES)
    is_even = ~is_odd
    is_even[0] = False
    even, odd = found[:, is_even], found[:, is_odd]
    even = even - even.sum(0) / (int(shows.sum()) + _PRIOR)
    sides = [side @ _whitening(side[shows]) * shows[:, None] for side in (even, odd)]
    length = torch.cat(sides, 1).norm(dim=1, keepdim=True).clamp(min=1e-9)
    return sides[0] / length, sides[1] / length


def _whitening(numbers: Tensor) -> Tensor:
    """(d, d): takes away that numbers (N, d) of all images go together, or vary more than others;
    a mirror image of each counts, too, so that odd frequencies have the mean 0."""
    each = 1 / (_FREQUENCIES**2 - 1)  # of the variance, in photographs
    prior = torch.eye(numbers.shape[1]) * each
    covariance = (numbers.T @ numbers + _PRIOR * prior) / (len(numbers) + _PRIOR)
    strengths, directions = torch.linalg.eigh(covariance)
    whitening: Tensor = directions * (strengths + _NOISE * each).rsqrt() @ directions.T
    return whitening


def _neighbours(even: Tensor, odd: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (2, P) of images that are more alike than 0.7, and their likeness (P,), negative to a
    mirror image; every pair once, for some rows at a time."""
    count = len(even)
    for start in range(0, count, _ROWS):
        rows = slice(start, start + _ROWS)
        found = []
        for first in range(start, count, _COLUMNS):
            columns = slice(first, first + _COLUMNS)
            straight, turned = even[rows] @ even[columns].T, odd[rows] @ odd[columns].T
            at = (straight + turned.abs() > _NEIGHBOUR).nonzero()
            at = at[at[:, 1] + first > at[:, 0] + start]
            one, other = at.unbind(1)
            turned = turned[one, other]
            alike = straight[one, other] + turned.abs()
            pair = torch.stack([one + start, other + first])
            found.append((pair, torch.where(turned < 0, -alike, alike)))
        yield torch.cat([each for each, _ in found], 1), torch.cat([each for _, each in found])


def _beyond_chance(
    waiting: list[tuple[Tensor, Tensor]], neighbours: Tensor
) -> tuple[Tensor, Tensor]:
    """The pairs that are more alike than one in ten would be by chance, the most alike first;
    `neighbours`: how many each image has above 0.7 (as far as they are counted: more can only take
    pairs away)."""
    pairs = torch.cat([each for each, _ in waiting], 1)
    likeness = torch.cat([each for _, each in waiting])
    beyond = (1 - likeness.abs().clamp(max=1).square()) / (1 - _NEIGHBOUR**2)
    kept = neighbours[pairs].amax(0) * beyond**_POWER <= _CHANCE
    pairs, likeness = pairs[:, kept], likeness[kept]
    order = likeness.abs().argsort(descending=True, stable=True)
    return pairs[:, order], likeness[order]
