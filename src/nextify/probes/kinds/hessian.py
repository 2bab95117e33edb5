"""How curved the loss is around a trained network: the Hessian's largest eigenvalues
(arXiv 2202.06709, section 2 and appendix; arXiv 2105.12639, appendix).

Of every one of a few mini-batches by itself, not of the mean loss: the five eigenvalues of largest
magnitude of NLL + L2 on augmented images. Clean images and no L2 are what its authors call the
common mistakes. The value is the mean over mini-batches of the largest magnitude, the spectral
norm; `negative` is the share of negative ones among all that were found (a loss that is not
convex, published of ViTs).

A probe is given images, not what training did with them. So L2 has the strength of the paper's
recipes, 0.05, for every network (it adds just that to each eigenvalue), and images are shifted and
mirrored as small images usually are; label smoothing, mixing and random erasing are left out. Of
images that the network was not trained on it is the curvature of the loss there.
"""

import torch

from nextify.probes.curvature import augmented, largest_eigenvalues
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject

L2 = 0.05
COUNT, MINI_BATCH, BATCHES = 5, 16, 4


def _measure(subject: Subject) -> Found:
    labels, generator = subject.needed_labels(), subject.generator
    whole = max(1, min(len(labels) // MINI_BATCH, BATCHES))  # mini-batches
    drawn = torch.randperm(len(labels), generator=generator)[: MINI_BATCH * whole]
    images, labels = (each[drawn.to(each.device)] for each in (subject.images, labels))
    images = augmented(images, generator)
    rows = [
        largest_eigenvalues(subject.network, *batch, count=COUNT, l2=L2, seed=subject.seed)
        for batch in zip(*(torch.split(each, MINI_BATCH) for each in (images, labels)), strict=True)
    ]
    every = [value for row in rows for value in row]
    return Found(
        value=sum(abs(row[0]) for row in rows) / len(rows),
        values={"negative": sum(value < 0 for value in every) / len(every)},
        units={"negative": "share"},
        images=len(images),
        curves={"eigenvalues": rows},
    )


PROBE = Probe(
    name="hessian",
    title="Largest curvature of the loss",
    source="arXiv 2202.06709, section 2",
    needs=Needs(labels=True, side=8),
    is_default=False,  # it takes a hundred gradients of gradients
    curves={"eigenvalues": Curve(title="The five largest", over="mini-batch", unit="eigenvalue")},
    measure=_measure,
)
