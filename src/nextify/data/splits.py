"""Drawing some images of every class: the test images of a folder, a part of the training images.

Every draw depends on the labels and the seed alone. Labels are 0 to the number of classes less one,
and every class has an image.
"""

import torch
from torch import Tensor

from nextify.errors import InputError

TEST_FRACTION = 0.2


def stratified_test(labels: Tensor, seed: int) -> Tensor:
    """Which of the images with these (N,) labels are for testing: (N,) bool.

    Of every class a fifth of the images, rounded, but at least one for testing and at least one
    for training: every class needs two images.

    >>> int(stratified_test(torch.tensor([0] * 10 + [1] * 5), seed=0).sum())
    3
    """
    generator = torch.Generator().manual_seed(seed)
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(int(labels.max()) + 1):
        own = _shuffled(labels, label, generator)
        count = min(max(round(len(own) * TEST_FRACTION), 1), len(own) - 1)
        is_test[own[:count]] = True
    return is_test


def stratified_subset(labels: Tensor, count: int, seed: int) -> Tensor:
    """The ascending indices of `count` of the images with these (N,) labels: (count,) int64.

    Every class gives one image and then its share of the rest; what does not divide goes to the
    largest remainders. With one seed and equal classes, a larger subset contains a smaller one.
    Raises `InputError` if there are fewer images to take than classes.
    """
    sizes = torch.bincount(labels).tolist()
    if count < len(sizes):
        raise InputError(
            f"train_limit={count} is fewer images than the {len(sizes)} classes; "
            f"give at least {len(sizes)}"
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = [
        _shuffled(labels, label, generator)[:share]
        for label, share in enumerate(_shares(sizes, count))
    ]
    return torch.cat(chosen).sort().values


def _shuffled(labels: Tensor, label: int, generator: torch.Generator) -> Tensor:
    own = (labels == label).nonzero().flatten()
    return own[torch.randperm(len(own), generator=generator)]


def _shares(sizes: list[int], count: int) -> list[int]:
    """`count` dealt to classes of these sizes: at least 1, at most its size to each."""
    rest, spare = count - len(sizes), sum(sizes) - len(sizes)
    if rest == 0:
        return [1] * len(sizes)
    parts = [divmod(rest * (size - 1), spare) for size in sizes]
    missing = rest - sum(whole for whole, _ in parts)
    by_remainder = sorted(range(len(sizes)), key=lambda i: -parts[i][1])
    first = set(by_remainder[:missing])
    return [1 + whole + (i in first) for i, (whole, _) in enumerate(parts)]
