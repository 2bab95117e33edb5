"""How far from zero the common, biased CKA of independent features is, by images and channels.

    python scripts/cka_bias.py --pairs 20 --figure docs/cka-bias.png

A minute on one core. Prints the table of docs/probes.md and one line of JSON, and draws the figure.
Features are independent normal numbers, so that the right answer is 0. The biased form (arXiv
1905.00414, equation 3) has about p / (n + p) there, by the moments of a Wishart matrix; the
unbiased one, which the probes use, has 0 on average and the spread that is shown.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from nextify.probes.cka import cka
from nextify.report.style import BLUE, GREY, ORANGE, plain, style

IMAGES, CHANNELS = (64, 128, 256, 512), (32, 128, 512, 2048)


def biased(x: Tensor, y: Tensor) -> float:
    """tr(K H L H), normalised: with its bias, for comparison only."""
    k, l = ((each - each.mean(0)) @ (each - each.mean(0)).T for each in (x, y))  # noqa: E741
    return float((k * l).sum() / (k.norm() * l.norm()))


def row(images: int, channels: int, pairs: int) -> dict[str, float]:
    """What both forms find of independent features."""
    generator = torch.Generator().manual_seed(images * 10_000 + channels)
    found = []
    for _ in range(pairs):
        x, y = torch.randn(2, images, channels, generator=generator, dtype=torch.float64)
        found.append((biased(x, y), cka(x, y)))
    (common, ours), (_, spread) = np.mean(found, axis=0), np.std(found, axis=0)
    return {
        "images": images,
        "channels": channels,
        "expected": channels / (images + channels),
        "biased": float(common),
        "unbiased": float(ours),
        "its SD": float(spread),
    }


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """The figure: both forms over channels by images."""
    share = np.geomspace(1 / 32, 64)
    with style():
        figure, axes = plt.subplots(figsize=(4.6, 2.8), layout="constrained")
        axes.plot(share, share / (1 + share), color=GREY, lw=0.8, label="p / (n + p)")
        at = [each["channels"] / each["images"] for each in rows]
        for name, colour, mark in (("biased", ORANGE, "s"), ("unbiased", BLUE, "o")):
            axes.plot(at, [each[name] for each in rows], mark, color=colour, ms=3.5, label=name)
        axes.set_xscale("log")
        axes.set_xticks([4.0**k for k in range(-2, 4)], ["1/16", "1/4", "1", "4", "16", "64"])
        axes.minorticks_off()
        axes.set_xlabel("channels by images, p / n")
        axes.set_ylabel("CKA of independent features")
        axes.legend(frameon=False)
        plain(axes)
        figure.savefig(path, dpi=170, metadata={"Software": None})


def main() -> None:
    """Print the table and a line of JSON; draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    rows = [row(n, p, asked.pairs) for n in IMAGES for p in CHANNELS]
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for each in rows:
        n, p, *rest = each.values()
        print(f"| {n} | {p} | " + " | ".join(f"{value:.3f}" for value in rest) + " |")
    print(json.dumps({"pairs": asked.pairs, "rows": rows}))
    if asked.figure:
        draw(rows, asked.figure)


if __name__ == "__main__":
    main()
