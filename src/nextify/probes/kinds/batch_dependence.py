"""Batch dependence: how much an image's answer depends on the images beside it in training.

Logits with the statistics of batches of 2, 4, 8, 16 ... images against those with the running
statistics of evaluation: the root mean square difference over that of the logits themselves, each
image's centred over the classes. The value is that at 16 images; `decisions` is the share of images
whose class changes there. Batch norm couples images, layer norm does not: a network without batch
norms has 0, and is not asked. Images come in an order of chance (`nextify.probes.as_in_training`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nextify.probes.as_in_training import as_in_training, has_batch_norms, shuffled
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

USUAL = 16  # images a batch, of the value
_SIZES = (2, 4, 8, USUAL, 32, 64, 128)


def centred(logits: Tensor) -> Tensor:
    """Less the mean over the classes, which no probability depends on: (N, K) to the same."""
    wide = logits.double()
    return wide - wide.mean(1, keepdim=True)


def change(one: Tensor, other: Tensor) -> float:
    """The root mean square difference of (N, K) logits from others, relative to the others.

    Raises:
        Undefined: the others are the same for all classes.
    """
    one, other = centred(one), centred(other)
    if not other.norm() > 0:
        raise Undefined("the network answers all classes alike")
    return float((one - other).norm() / other.norm())


def in_batches(network: nn.Module, images: Tensor, size: int) -> Tensor:
    """The logits (M, K) of the images in whole batches of this size."""
    with torch.no_grad():
        whole = images[: len(images) // size * size]
        return torch.cat([network(part) for part in torch.split(whole, size)])


def changes(subject: Subject, sizes: Sequence[int]) -> tuple[dict[int, float], float]:
    """The change in batches of each size, and the share of decisions that change at `USUAL`."""
    images = subject.images[shuffled(subject, max(_SIZES))]
    twin, running = as_in_training(subject.network), in_batches(subject.network, images, USUAL)
    found = {size: in_batches(twin, images, size) for size in sizes}
    other = (found[USUAL].argmax(1) != running.argmax(1)).double().mean().item()
    pairs = {size: min(len(each), len(running)) for size, each in found.items()}
    return {size: change(found[size][:n], running[:n]) for size, n in pairs.items()}, other


def _measure(subject: Subject) -> Found:
    sizes = [each for each in _SIZES if each <= len(subject.images)]
    by_size, decisions = dict.fromkeys(sizes, 0.0), 0.0
    if has_batch_norms(subject.network):
        by_size, decisions = changes(subject, sizes)
    return Found(
        value=by_size[USUAL],
        values={**{f"batch{size}": each for size, each in by_size.items()}, "decisions": decisions},
        units={"decisions": "share of images"},
        curves={"batch": sizes, "change": list(by_size.values())},
    )


PROBE = Probe(
    name="batch-dependence",
    title="Dependence on the batch",
    unit="relative change of the logits",
    better="lower",
    source="arXiv 1702.03275, section 2; arXiv 2105.07576",
    needs=Needs(images=USUAL),
    curves={"change": Curve(title="By size of the batch", at="batch", over="images in a batch")},
    measure=_measure,
)
