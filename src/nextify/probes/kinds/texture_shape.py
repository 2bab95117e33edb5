"""Texture against shape, without ImageNet: the amplitudes of one image with the phases of another.

Each image gives its phases (where edges are: shape) to the amplitudes (how much there is of each
frequency: texture, and the mean colour) of an image of another class, drawn at random. Of the
answers that are one of the two classes, the value is the share that follows the phases; `coverage`
is how many answers those are: published cue-conflict images have 25 to 30 % (texture-vs-shape, #6),
and without it a share of a few answers looks like one of many. All images count, whether the
network classifies them right or not. A network that always answers one class follows both cues
alike: 0.5.

The mean has no phase among pixels, which are positive, but normalised images have one of either
sign: it is taken whole from the image of the amplitudes, so that the same mixed pixels come out
however images are normalised. Mixed images are not cut to the range of pixels.
"""

import torch
from torch import Tensor

from nextify.probes.deciding import decisions
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined


def mixed(amplitudes: Tensor, phases: Tensor) -> Tensor:
    """Images with the amplitudes and means of some, and the phases of others: (N, C, H, W) each."""
    size = amplitudes.shape[-2:]
    texture, shape = torch.fft.rfft2(amplitudes), torch.fft.rfft2(phases)
    both = torch.polar(texture.abs(), shape.angle())
    both[..., 0, 0] = texture[..., 0, 0]
    images: Tensor = torch.fft.irfft2(both, s=(size[0], size[1]))
    return images


def _measure(subject: Subject) -> Found:
    images, labels = subject.images, subject.needed_labels()
    others = (labels[:, None] != labels).double().cpu()
    if not others.any():
        raise Undefined("it needs images of two classes or more")
    partner = torch.multinomial(others, 1, generator=subject.generator)[:, 0].to(images.device)
    answers = decisions(subject.network, mixed(images[partner], images))
    shape, texture = ((answers == each).sum().item() for each in (labels, labels[partner]))
    if not shape + texture:
        raise Undefined("no answer is one of the two classes of its image")
    return Found(
        value=shape / (shape + texture), values={"coverage": (shape + texture) / len(images)}
    )


PROBE = Probe(
    name="texture-shape",
    title="Decisions by shape rather than texture",
    unit="share",
    source="arXiv 1811.12231 (cue conflict); amplitude and phase in place of style transfer",
    needs=Needs(labels=True, images=2, side=8),
    measure=_measure,
)
