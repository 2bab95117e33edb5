"""The effective receptive field: which pixels a unit in the middle of the last map answers to.

G is the mean over images of sum_c relu(d / dx_c sum_k relu(F_k)), with F the last block's map at
its middle unit (RepLKNet, arXiv 2203.06717, section 4, and its code). r(t) is the share of the
image in the smallest square that holds t of the sum of G.

What is published under this name is not comparable, and not with this. A logarithm before the sum
makes r depend on the scale of the features; a square about pixel H / 2 is off the unit, by half a
stride in a network of patches.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import anatomy, heard, maps_of
from nextify.probes.lattice import lattices
from nextify.probes.probe import Undefined

_BATCH = 16


def input_gradients(network: nn.Module, images: Tensor) -> Tensor:
    """The gradients (N, C, H, W) at each image of the sum over channels, where they are positive,
    of the middle unit of the last block's map: unit (H' // 2, W' // 2) of H' x W'."""
    name, sides = anatomy(network).blocks[-1], (int(images.shape[2]), int(images.shape[3]))
    found: list[Tensor] = []
    for some in torch.split(images, _BATCH):
        given = some.detach().clone().requires_grad_()
        with torch.enable_grad(), heard(network, [name]) as heard_of:
            network(given)
        maps = maps_of(network, heard_of, sides)[name]
        unit = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]
        found += torch.autograd.grad(unit.relu().sum(), given)
    return torch.cat(found)


def middle_unit(network: nn.Module, images: Tensor) -> tuple[float, float]:
    """Where that unit is, (down, across) in pixels."""
    name, sides = anatomy(network).blocks[-1], (int(images.shape[2]), int(images.shape[3]))
    with torch.no_grad(), heard(network, [name]) as found:
        network(images[:1])
    height, width = maps_of(network, found, sides)[name].shape[2:]
    down, across = lattices(network, images, (height, width))
    return down.at(height // 2), across.at(width // 2)


@dataclass(frozen=True)
class Squares:
    """What squares about a unit hold, from the smallest to the one with the whole image in it.

    Attributes:
        sides: of each, in pixels; what is off the image is no part of it.
        shares: of the image's pixels, in each.
        masses: (N, squares), the sum of each image's scores in each.
    """

    sides: Tensor
    shares: Tensor
    masses: Tensor

    def share(self, threshold: float, weights: Tensor | None = None) -> Tensor:
        """r(t), for images as often as `weights` (..., N) say: (...). A ring of pixels between two
        squares counts as evenly filled, so that r(t) = t where all pixels have the same score."""
        weights = weights if weights is not None else self.masses.new_ones(len(self.masses))
        masses = weights @ self.masses
        held = masses / masses[..., -1:]
        at = (held >= threshold).to(torch.uint8).argmax(-1)
        before = (at - 1).clamp(min=0)
        low, high = (held.gather(-1, index[..., None])[..., 0] for index in (before, at))
        low, start = (torch.where(at > 0, part, 0.0) for part in (low, self.shares[before]))
        part = (threshold - low) / (high - low)
        return start + part * (self.shares[at] - start)


def squares(scores: Tensor, middle: tuple[float, float]) -> Squares:
    """The squares about a place (down, across), of scores (N, H, W) >= 0.

    Raises:
        Undefined: all scores are 0.
    """
    count, height, width = scores.shape
    down, across = (
        (torch.arange(side, dtype=torch.float64) - at).abs()
        for side, at in zip((height, width), middle, strict=True)
    )
    distances, ring = torch.unique(torch.maximum(down[:, None], across), return_inverse=True)
    flat = scores.detach().double().cpu().flatten(1)
    if not flat.sum() > 0:
        raise Undefined("no gradient reaches the image")
    masses = flat.new_zeros(count, len(distances)).index_add_(1, ring.flatten(), flat).cumsum(1)
    pixels = ring.flatten().bincount(minlength=len(distances)).cumsum(0)
    return Squares(2 * distances + 1, pixels.double() / (height * width), masses)
