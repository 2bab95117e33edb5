"""Centred kernel alignment (arXiv 1905.00414), unbiased (arXiv 2010.15327, equation 3).

How alike two layers see the same n images, whatever the rotation and the scale of their features.
With K = X X^T and L = Y Y^T of features (n, p), their diagonals set to zero,

    HSIC(K, L) = [tr(K L) + sum(K) sum(L) / ((n-1)(n-2)) - 2 1^T K L 1 / (n-2)] / (n (n-3))

and CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)). Over several batches each HSIC is averaged
first, then the ratio is taken once; the mean of ratios is another, biased number.

The common form, tr(K H L H), is biased: independent features of n images and p channels have about
p / (n + p), .97 at p = 32 n (`scripts/cka_bias.py`), so that late, wide layers look alike whatever
they compute. The unbiased one is 0 on average there, so it is negative half of the time: negative
values are shown as they are.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import maps_after_blocks

LEAST = 4  # images: the sums have n - 3 below the line
_BATCH = 100


def cka(x: Tensor, y: Tensor, batches: int = 1) -> float:
    """Of two layers' features of the same images, (n, p) and (n, q): at most 1, and 0 on average
    where they are independent.

    >>> x = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    >>> round(cka(x, 3 * x.flip(1)), 6)
    1.0

    Args:
        batches: into so many parts of almost one size the images are cut.
    """
    parts = zip(x.tensor_split(batches), y.tensor_split(batches), strict=True)
    ((found,),) = _alignment(([one], [other]) for one, other in parts).tolist()
    return float(found)


def similarity(network_a: nn.Module, network_b: nn.Module, images: Tensor) -> Tensor:
    """CKA of each block of one network (rows) with each of another (columns): (A, B), float64.

    Two seeds of one design, two designs, or a network with itself. NaN where a block puts out the
    same for all images. Batches of about a hundred images.
    """

    def features(network: nn.Module, part: Tensor) -> list[Tensor]:
        return [maps.flatten(1) for maps in maps_after_blocks(network, part).values()]

    def batches() -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        for part in images.tensor_split(max(1, len(images) // _BATCH)):
            rows = features(network_a, part)
            yield rows, rows if network_b is network_a else features(network_b, part)

    return _alignment(batches())


def _alignment(batches: Iterator[tuple[list[Tensor], list[Tensor]]]) -> Tensor:
    """CKA of each of some layers' features with each of others': (A, B)."""
    across = rows = columns = torch.zeros((), dtype=torch.float64)
    for ours, theirs in batches:
        a = torch.stack([centred(each) for each in ours])
        b = a if theirs is ours else torch.stack([centred(each) for each in theirs])
        across = across + (a @ b.T).cpu()
        rows = rows + a.square().sum(1).cpu()
        columns = columns + b.square().sum(1).cpu()
    found: Tensor = across / (rows[:, None] * columns).sqrt()
    return found


def centred(features: Tensor) -> Tensor:
    """The kernel matrix of features, U-centred and flat, so that the product of two is their HSIC:
    (n, p) to (n n,), float64 (Szekely and Rizzo 2014)."""
    count = len(features)
    assert count >= LEAST, "measure or the caller has checked it"
    features = features.double()
    features = features - features.mean(0)  # changes nothing but the rounding
    kernel = (features @ features.T).fill_diagonal_(0)
    line = kernel.sum(0) / (count - 2)
    kernel = kernel - line - line[:, None] + line.sum() / (count - 1)
    flat: Tensor = kernel.fill_diagonal_(0).flatten() / (count * (count - 3)) ** 0.5
    return flat
