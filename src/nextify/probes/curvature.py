"""The largest eigenvalues of the Hessian of a loss, by products with vectors."""

from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, pad

from nextify.data.augment.crop import window
from nextify.network import kernels
from nextify.network.dense import SpatialConv2d
from nextify.network.depthwise import DepthwiseConv2d

_CLOSE = 1e-3  # relative, of a vector; an eigenvalue is off by about the square


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to an eighth of its sides, and mirrored half of the time.

    What comes in at the border is the image's own reflection: which number is black is not known of
    normalised images, and zeros are a trap. Where a patch of zeros meets a bias of zero, as at
    initialisation, layer normalisation divides by its epsilon, and the Hessian is 10^9.
    """
    height, width = images.shape[-2:]
    down, across = height // 8, width // 8
    top, left = (
        torch.randint(2 * border + 1, (len(images),), generator=generator)
        for border in (down, across)
    )
    flip = torch.rand(len(images), generator=generator) < 0.5
    wide = pad(images, [across, across, down, down], mode="reflect")
    return window(wide, top, left, flip, (height, width))


def largest_eigenvalues(
    network: nn.Module, images: Tensor, labels: Tensor, *, count: int, l2: float, seed: int
) -> list[float]:
    """Of the Hessian, by all parameters, of the mean negative log-likelihood of one mini-batch plus
    l2 / 2 times the parameters' sum of squares: those of largest magnitude, the largest first.

    The second term's Hessian is l2 times the identity, so it moves every eigenvalue up by l2. The
    network evaluates: normalisation uses running statistics. It is not changed.

    Raises:
        ValueError: `count` is not below the number of parameters.
    """
    twice = _twice_differentiable(network)
    weights = list(twice.parameters())
    size = sum(weight.numel() for weight in weights)
    if count >= size:
        raise ValueError(f"{count} eigenvalues of {size} parameters; ask for fewer")
    math = sdpa_kernel(SDPBackend.MATH)  # no other can be derived twice
    with torch.enable_grad(), math, kernels.left_out():
        loss = cross_entropy(twice(images), labels)
        slope = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)

        def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            along = torch.from_numpy(vector.ravel()).to(slope[0])
            curved = torch.autograd.grad(
                slope, weights, _as(along, weights), retain_graph=True, materialize_grads=True
            )
            flat = torch.cat([each.flatten() for each in curved]).double().cpu().numpy()
            found: NDArray[np.float64] = flat + l2 * vector.ravel()
            return found

        hessian = LinearOperator((size, size), matvec=product, dtype=np.float64)
        start = np.random.default_rng(seed).normal(size=size)
        found = eigsh(hessian, count, v0=start, tol=_CLOSE, return_eigenvectors=False)
    return sorted((float(each) for each in found), key=abs, reverse=True)


def _as(vector: Tensor, weights: list[nn.Parameter]) -> list[Tensor]:
    """A vector in parts of the shapes of weights."""
    parts = torch.split(vector, [weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]


def _twice_differentiable(network: nn.Module) -> nn.Module:
    """A copy whose parameters ask for gradients, and whose gradients can be derived again: those of
    nextify's convolutions are written by hand and can not (batches of derivatives through them are
    wrong without a word), so torch's own take their place."""
    twice = deepcopy(network).requires_grad_(True)
    kinds = DepthwiseConv2d | SpatialConv2d
    by_hand: list[nn.Module] = [each for each in twice.modules() if isinstance(each, kinds)]
    for module in by_hand:
        module.__class__ = nn.Conv2d
    return twice
