"""Dead ReLU units by depth on Fashion-MNIST, the curve of UvA's tutorial 3, and gains of curves.

    python scripts/dead_units.py --seeds 5

Prints two tables, then one line of JSON. The tutorial (number 3 of UvA's Deep Learning Tutorials)
has a ReLU network of ten hidden layers, 5 of 256 units and 5 of 128, with torch's own
initialisation; before any training "more than 56 %" of the units of the last hidden layer but one
are dead on all 60,000 training images. Here it is the embedded 10,000 of them, and the same network
trained for an epoch beside it, by SGD at 0.01 with momentum 0.9.
"""

import argparse
import json
from statistics import mean, stdev

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.data import Images, load
from nextify.data.augment import evaluation_view
from nextify.probes import measure
from nextify.probes.activation_curves import CURVES, counted_gain, gain, lipschitz

HIDDEN = (256,) * 5 + (128,) * 5


class Plain(nn.Sequential):
    """Linear layers with ReLU between them; grey images (N, 3, 28, 28) to logits (N, 10)."""

    def __init__(self, hidden: tuple[int, ...] = HIDDEN) -> None:
        sizes = (28 * 28, *hidden)
        layers: list[nn.Module] = []
        for inputs, outputs in zip(sizes, hidden, strict=False):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        super().__init__(*layers, nn.Linear(sizes[-1], 10))

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images[:, 0].flatten(1))


def images() -> tuple[Tensor, Tensor]:
    """The embedded training images, normalised, and their classes."""
    dataset = load("embedded")
    assert isinstance(dataset.train, Images)
    seen = evaluation_view(dataset.train.pixels, 28, dataset.mean, dataset.std)
    return seen, dataset.train.labels


def network(seed: int) -> Plain:
    """With torch's own initialisation of linear layers."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Plain()


def dead(net: nn.Module, seen: Tensor) -> list[float]:
    """The share of dead units of each hidden layer, in per cent."""
    found = measure(net, seen, ["dead-units"])["dead-units"]
    return [100 * share for share in found.curves["layer"]]


def trained(net: nn.Module, seen: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """After one epoch in batches of 100."""
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(seed))
    for chosen in order.split(100):
        optimizer.zero_grad()
        F.cross_entropy(net(seen[chosen]), labels[chosen]).backward()
        optimizer.step()
    return net


def curves() -> list[dict[str, float | str]]:
    """What each activation function does to a signal of deviation 1, computed and counted."""
    generator = torch.Generator().manual_seed(0)
    rows: list[dict[str, float | str]] = []
    for name, curve in CURVES.items():
        exact, counted = gain(curve), counted_gain(curve, 1.0, 1_000_000, generator)
        rows.append({
            "activation": name,
            "steepest slope": lipschitz(curve),
            "variance": exact.variance,
            "counted": counted.variance,
            "second moment": exact.second_moment,
            "slope squared": exact.slope,
        })  # fmt: skip
    return rows


def table(rows: list[dict[str, float | str]], digits: int) -> None:
    """In Markdown."""
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        cells = (f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row.values())
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the tables and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    seen, labels = images()
    nets = [network(seed) for seed in range(asked.seeds)]
    before = [dead(net, seen) for net in nets]
    after = [dead(trained(net, seen, labels, seed), seen) for seed, net in enumerate(nets)]
    rows: list[dict[str, float | str]] = []
    for at, width in enumerate(HIDDEN):
        row: dict[str, float | str] = {"hidden layer": str(at + 1), "units": str(width)}
        for name, found in (("untrained", before), ("after an epoch", after)):
            column = [each[at] for each in found]
            row |= {f"dead, {name}, %": mean(column), "sd": stdev(column)}
        rows.append(row)
    table(rows, 1)
    print()
    known = curves()
    table(known, 4)
    print(json.dumps({"seeds": asked.seeds, "dead": rows, "curves": known}))


if __name__ == "__main__":
    main()
