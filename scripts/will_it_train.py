"""Which networks train that the doctor finds something wrong with? Where its bounds are from.

    python scripts/will_it_train.py

Prints two tables, then one line of JSON. First a plain ReLU network of 20 blocks without norms or
skips, 64 units wide, its weights He's times a factor; then one of 20 residual blocks whose branches
start at a layer scale. Each is trained on 3,000 Fashion-MNIST images of 14 pixels a side for 240
steps of 100, by AdamW at 0.001 and by SGD at 0.02 with momentum 0.9, and tested on 2,000. Always to
answer one class scores 10 %. Blocks that are asleep at 1e-6 wake by either: their scale, whose own
gradient is whole, grows first.
"""

import json
import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nextify.data import Images, load
from nextify.findings.diagnosis import diagnosis
from nextify.probes import measure

BLOCKS, WIDTH, STEPS, BATCH = 20, 64, 240, 100
FACTORS = (0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
SCALES = (1e-6, 1e-3, 0.1, 1.0)


class Plain(nn.Module):
    """relu(W x)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.linear(x))


class Residual(nn.Module):
    """x + scale * relu(W x)."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.gamma = nn.Parameter(torch.full((WIDTH,), scale))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * torch.relu(self.linear(x))


class Network(nn.Module):
    """Grey images (N, 3, 14, 14) to logits (N, 10), through blocks."""

    def __init__(self, blocks: list[nn.Module], factor: float) -> None:
        super().__init__()
        self.stem = nn.Linear(14 * 14, WIDTH)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(WIDTH, 10)
        generator = torch.Generator().manual_seed(0)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                sd = factor * math.sqrt(2 / WIDTH) if "blocks" in name else module.in_features**-0.5
                nn.init.normal_(module.weight, 0, sd, generator=generator)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.head(self.blocks(torch.relu(self.stem(images[:, 0].flatten(1)))))
        return out


def images() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test images (N, 3, 14, 14), each with their classes."""
    dataset = load("embedded", train_limit=3000)
    assert isinstance(dataset.train, Images) and isinstance(dataset.test, Images)
    test = dataset.test.take(torch.arange(0, 10_000, 5))
    train, seen = (F.avg_pool2d(part.pixels / 255, 2) for part in (dataset.train, test))
    mean, sd = train.mean(), train.std()
    train, seen = (((each - mean) / sd).expand(-1, 3, -1, -1) for each in (train, seen))
    return train, dataset.train.labels, seen, test.labels


def accuracy(net: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """After training, on the test images, in per cent."""
    train, labels, test, truth = DATA
    generator = torch.Generator().manual_seed(1)
    epochs = STEPS * BATCH // len(train)
    for _ in range(epochs):
        for chosen in torch.randperm(len(train), generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(net(train[chosen]), labels[chosen]).backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * (net(test).argmax(1) == truth).double().mean().item()


def row(name: str, at: float, blocks: list[nn.Module], factor: float) -> dict[str, float | str]:
    """What the doctor says of a network, and how it trains."""
    net = Network(blocks, factor)
    found = measure(net, DATA[2][:64], ["signal", "gradient"])
    start = {key: value.clone() for key, value in net.state_dict().items()}
    row: dict[str, float | str] = {name: at}
    for probe in ("signal", "gradient"):
        value = found[probe].value
        row[probe] = math.nan if value is None else value
    row["doctor"] = ", ".join(each.code for each in diagnosis(found)) or "well"
    row["AdamW, %"] = accuracy(net, torch.optim.AdamW(net.parameters(), 1e-3))
    net.load_state_dict(start)
    row["SGD, %"] = accuracy(net, torch.optim.SGD(net.parameters(), 0.02, momentum=0.9))
    return row


def tables() -> Iterator[list[dict[str, float | str]]]:
    """Of factors on the weights, then of layer scales."""
    yield [row("factor", at, [Plain() for _ in range(BLOCKS)], at) for at in FACTORS]
    yield [row("scale", at, [Residual(at) for _ in range(BLOCKS)], 1.0) for at in SCALES]


def main() -> None:
    """Print the tables and a line of JSON."""
    rows = []
    for found in tables():
        print("| " + " | ".join(found[0]) + " |\n" + "|---" * len(found[0]) + "|")
        for each in found:
            cells = (f"{v:.4g}" if isinstance(v, float) else v for v in each.values())
            print("| " + " | ".join(cells) + " |", flush=True)
        print()
        rows.append(found)
    print(json.dumps(rows))


DATA = images()

if __name__ == "__main__":
    main()
