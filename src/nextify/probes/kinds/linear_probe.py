"""Linear probe: how well a linear classifier tells the classes by what flows after each block.

The features are the mean of each channel over all positions; the classifier is ridge regression on
one target a class (+1 and -1), in closed form, the class of the highest answer. Accuracy is that on
images it has not seen: five folds, the classes dealt out evenly. Features are scaled to a deviation
of 1 and the penalty is chosen, by its leave-one-out error, on the training folds alone. The value
is the mean over blocks: higher, where classes can be told early. (With hundreds of images ridge is
as good as logistic regression and needs no iterations; arXiv 1610.01644 trained the latter.)
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.probes.anatomy import heard, maps_of
from nextify.probes.measurement import Curve
from nextify.probes.probe import Found, Needs, Probe, Subject, Undefined

FOLDS = 5
PENALTIES = tuple(10.0**power for power in range(-2, 5))
_BATCH = 50


def answers(train: Tensor, targets: Tensor, test: Tensor) -> Tensor:
    """(M, K): what ridge regression answers for (M, D) features, learned from (N, D) and (N, K).

    The penalty is the one of `PENALTIES` with the least mean square error of leaving one out, all
    of whose N fits come from one decomposition.
    """
    mean, deviation = train.mean(0), train.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    rows, centre = (train - mean) / deviation, targets.mean(0)
    u, s, vt = torch.linalg.svd(rows, full_matrices=False)
    at_u, rest = u.T @ (targets - centre), targets - centre

    def left_out(penalty: float) -> float:
        shrink = (s.square() / (s.square() + penalty))[:, None]
        # An image's own share in its fit: of the features, and 1 / N of the mean.
        own = (u.square() @ shrink + 1 / len(rows)).clamp(max=1 - 1e-9)
        return float(((rest - u @ (shrink * at_u)) / (1 - own)).square().mean())

    best = min(PENALTIES, key=left_out)
    weights = vt.T @ ((s / (s.square() + best))[:, None] * at_u)
    found: Tensor = (test - mean) / deviation @ weights + centre
    return found


def folds(labels: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) each image's fold: of every class as many in each, as far as that goes."""
    order = torch.randperm(len(labels), generator=generator)
    by_class = order[labels.cpu()[order].argsort(stable=True)]
    fold = torch.empty(len(labels), dtype=torch.int64)
    fold[by_class] = torch.arange(len(labels)) % FOLDS
    return fold


def accuracy(features: Tensor, labels: Tensor, fold: Tensor) -> float:
    """In per cent, on images that were left out: (N, D) features, (N,) labels and folds."""
    targets = 2 * F.one_hot(labels).to(features) - 1
    right = [
        answers(features[fold != at], targets[fold != at], features[fold == at]).argmax(1)
        == labels[fold == at]
        for at in range(FOLDS)
    ]
    return 100 * torch.cat(right).double().mean().item()


def _features(subject: Subject) -> dict[str, Tensor]:
    """(N, C) after each block, on the CPU."""
    images, blocks = subject.images, subject.anatomy.blocks
    sides = int(images.shape[2]), int(images.shape[3])
    parts: dict[str, list[Tensor]] = {block: [] for block in blocks}
    for part in torch.split(images, _BATCH):
        with torch.no_grad(), heard(subject.network, blocks) as found:
            subject.network(part)
        for block, maps in maps_of(subject.network, found, sides).items():
            parts[block].append(maps.double().mean((2, 3)).cpu())
    return {block: torch.cat(each) for block, each in parts.items()}


def _measure(subject: Subject) -> Found:
    labels = subject.needed_labels().cpu()
    if len(set(labels.tolist())) < 2:
        raise Undefined("it needs images of two classes at least")
    fold = folds(labels, subject.generator)
    found = {block: accuracy(each, labels, fold) for block, each in _features(subject).items()}
    curve = list(found.values())
    ends = {f"stage{at}": found[stage[-1]] for at, stage in enumerate(subject.anatomy.stages, 1)}
    return Found(value=sum(curve) / len(curve), values=ends, curves={"block": curve})


PROBE = Probe(
    name="linear-probe",
    title="Linear classifier after each block",
    version=2,
    unit="%",
    better="higher",
    source="arXiv 1610.01644",
    needs=Needs(blocks=True, labels=True, images=20),
    curves={"block": Curve(title="By block")},
    measure=_measure,
)
