"""How good the accuracy is that `choose` expects, and how often its margins hold.

    python scripts/choice_coverage.py

About six minutes on one core. Prints the tables of docs/choosing.md. Every case is the finals of
a choice whose truth is known: seven designs, fresh seeds, and whether each run classified each test
image correctly; they go through the code that `choose` uses. A run is right about an image where

    design + difficulty of the image + what is between design and image + run + Normal(0, 1) > 0,

all normal, so that the true accuracies, for new runs on the same images and on new ones, are known
exactly. The difficulty is shared by all designs.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from nextify.findings.best import compare_with_best
from nextify.findings.expected import to_expect

Floats = NDArray[np.float64]
DESIGNS = 7  # four finalists, both ends of the path, one with other depths
IMAGES = (300, 1_000, 10_000)
DIFFICULTY = 2.0


def spread_out(rng: np.random.Generator) -> Floats:
    """Seven accuracies within two points."""
    return 0.75 - 0.02 * np.arange(DESIGNS) / (DESIGNS - 1)


def alike(rng: np.random.Generator) -> Floats:
    """No design is better than another."""
    return np.full(DESIGNS, 0.75)


def at_random(rng: np.random.Generator) -> Floats:
    """Five within a point, drawn at random, and both ends of the path far behind."""
    return np.concatenate([0.75 - 0.01 * rng.random(DESIGNS - 2), [0.62, 0.45]])


@dataclass(frozen=True)
class World:
    """A truth.

    Attributes:
        name: in the table. accuracies: of the designs, on new images. seeds: of the finals.
        between: standard deviation of what is between design and image. run: of runs.
    """

    name: str
    accuracies: Callable[[np.random.Generator], Floats]
    seeds: int = 5
    between: float = 0.8
    run: float = 0.06


WORLDS = (
    World("within two points", spread_out),
    World("all alike", alike),
    World("five within one point, two far behind", at_random),
    World("designs differ by image, runs hardly", spread_out, between=1.5, run=0.02),
    World("runs differ much", spread_out, between=0.4, run=0.15),
    World("within two points, two seeds", spread_out, seeds=2),
)


@dataclass(frozen=True)
class Drawn:
    """The finals of a choice, and what is true of them.

    Attributes:
        correct: (k, seeds, images). same, new: (k,) accuracies of new runs on these images, on new
            ones.
    """

    correct: NDArray[np.bool_]
    same: Floats
    new: Floats


def drawn(world: World, images: int, rng: np.random.Generator) -> Drawn:
    """One case."""
    new = world.accuracies(rng)
    spread = np.sqrt(1 + DIFFICULTY**2 + world.between**2 + world.run**2)
    level = spread * norm.ppf(new)[:, None] + DIFFICULTY * rng.normal(size=images)
    level = level + world.between * rng.normal(size=(DESIGNS, images))
    runs = world.run * rng.normal(size=(DESIGNS, world.seeds, 1))
    noise = rng.standard_normal((DESIGNS, world.seeds, images), dtype=np.float32)
    same = norm.cdf(level / np.sqrt(1 + world.run**2)).mean(axis=1)
    return Drawn(level[:, None] + runs + noise > 0, same, new)


def case(world: World, images: int, rng: np.random.Generator) -> dict[str, float]:
    """What is said of one case, against the truth."""
    of = drawn(world, images, rng)
    scores = of.correct.mean(axis=2)
    best = compare_with_best(scores, [True] * DESIGNS, of.correct)
    by_seeds = to_expect(compare_with_best(scores, [True] * DESIGNS), scores, None)
    expected, at = to_expect(best, scores, of.correct), best.winner
    assert at is not None and expected and by_seeds and expected.interval and by_seeds.interval
    assert best.margin is not None and best.margin_wide is not None
    # All designs' mean error is zero on average; with it goes what the images have in common.
    luck = {
        "same": float(np.mean(best.means - of.same)),
        "new": float(np.mean(best.means - of.new)),
    }
    told = {
        "mean, these images": best.means[at] - of.same[at] - luck["same"],
        "mean, new images": best.means[at] - of.new[at] - luck["new"],
        "expected, these images": by_seeds.value - of.same[at] - luck["same"],
        "expected, new images": expected.value - of.new[at] - luck["new"],
        "margin, these images": best.margin,
        "margin, new images": best.margin_wide,
        "its interval, these images": by_seeds.interval.low
        <= of.same[at]
        <= by_seeds.interval.high,
        "its interval, new images": expected.interval.low <= of.new[at] <= expected.interval.high,
        "all intervals, new images": all(
            wide and wide.low <= true <= wide.high
            for wide, true in zip(best.wide, of.new, strict=True)
        ),
        "margin, these images, holds": of.same.max() - of.same[at] <= best.margin + 1e-12,
        "that margin, new images": of.new.max() - of.new[at] <= best.margin + 1e-12,
        "margin, new images, holds": of.new.max() - of.new[at] <= best.margin_wide + 1e-12,
        "best is named": best.may_be_best(int(of.new.argmax())),
    }
    return {name: 100 * float(value) for name, value in told.items()}


POINTS = 6  # of the columns are points, the others shares


def tables(worlds: tuple[World, ...], cases: int) -> str:
    """The worlds by numbers of images: means over the cases, each with its Monte-Carlo error."""
    found: list[tuple[str, list[str]]] = []
    names: list[str] = []
    for world in worlds:
        for images in IMAGES:
            rng = np.random.default_rng([images, WORLDS.index(world)])
            count = cases if images < IMAGES[-1] else cases // 2
            told = [case(world, images, rng) for _ in range(count)]
            names = list(told[0])
            columns = [np.array([each[name] for each in told]) for name in names]
            words = [f"{v.mean():.2f} ± {v.std() / np.sqrt(count):.2f}" for v in columns]
            found.append((f"{world.name} | {images:,}", words))
            print(*found[-1], file=sys.stderr, flush=True)
    parts = []
    for part in (slice(POINTS), slice(POINTS, None)):
        head = [f"| | images | {' | '.join(names[part])} |", "|---" * (len(names[part]) + 2) + "|"]
        parts.append("\n".join([*head, *(f"| {n} | {' | '.join(w[part])} |" for n, w in found)]))
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="of each line; half with 10,000")
    print(tables(WORLDS, parser.parse_args().cases))


if __name__ == "__main__":
    main()
