"""Batch dependence: how much an image's answer depends on the images beside it in training.

Logits with the statistics of batches of 2, 4, 8, 16 ... images against those with the running
statistics of evaluation: the root mean square difference over that of the logits themselves, each
image's centred over the classes. The value is that at 16 images; `decisions` is the share of images
whose class changes there. Batch norm couples images, layer norm does not: then it is 0, up to
rounding. Images come in an order of chance (`nextify.probes.as_in_training`).
"""

import torch
from torch import Tensor, nn

from nextify.probes.as_in_training import as_in_training, shuffled
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


def _measure(subject: Subject) -> Found:
    images = subject.images[shuffled(subject, max(_SIZES))]
    twin = as_in_training(subject.network)
    running = in_batches(subject.network, images, USUAL)
    changes, decisions = {}, 0.0
    for size in (each for each in _SIZES if each <= len(images)):
        found = in_batches(twin, images, size)
        count = min(len(found), len(running))
        changes[size] = change(found[:count], running[:count])
        if size == USUAL:
            decisions = (found.argmax(1) != running.argmax(1)).double().mean().item()
    return Found(
        value=changes[USUAL],
        values={**{f"batch{size}": each for size, each in changes.items()}, "decisions": decisions},
        units={"decisions": "share of images"},
        curves={"batch": list(changes), "change": list(changes.values())},
    )


PROBE = Probe(
    name="batch-dependence",
    title="Dependence on the batch",
    unit="relative change of the logits",
    better="lower",
    source="arXiv 1702.03275, section 2; arXiv 2105.07576",
    needs=Needs(images=USUAL),
    measure=_measure,
)
